"""Made columns of numbers: separators, signs, units, words between the numbers."""

from tests.data.torture.case import SKIP, Case, level, made, number, plain
from tests.data.torture.real_values import span

INF = float("inf")


def grouped(separator: str, point: str = ".", digits: int = 1):
    """Thousands apart by ``separator``, decimals behind ``point``."""

    def style(value: float) -> str:
        text = f"{value:,.{digits}f}"
        return text.replace(",", "\0").replace(".", point).replace("\0", separator)

    return style


def percent(style, low: float, high: float, digits: int):
    """A percentage: as it stands, or as a share of one."""
    draw = number(style, low, high, digits)

    def pair(chance, i):
        cell, value = draw(chance, i)
        return cell, (value, value / 100)

    return pair


def lakhs(value: int) -> str:
    """Indian grouping: 12,34,567."""
    head, tail = divmod(value, 1000)
    return f"{head // 100},{head % 100:02d},{tail:03d}"


def money(sign: str):
    """Dollars before the number, the minus before both."""
    return lambda v: f"{'-' if v < 0 else ''}{sign}{abs(v):,.2f}"


def compass(value: float) -> str:
    """A latitude with its hemisphere."""
    return f"{abs(value):.4f}° {'N' if value >= 0 else 'S'}"


def hours(chance, _):
    """A span such as 1h 20m."""
    h, m = chance.randint(1, 30), chance.randint(0, 59)
    return f"{h}h {m}m", span(h * 3600 + m * 60)


def clock(chance, _):
    """A span as 36:15:00, often above a day."""
    h, m, s = chance.randint(0, 60), chance.randint(0, 59), chance.randint(0, 59)
    return f"{h:02d}:{m:02d}:{s:02d}", span(h * 3600 + m * 60 + s)


def like_days(chance, _):
    """A decimal that could be read as a day and a month."""
    value = chance.randint(1, 28) + chance.randint(1, 12) / 100
    return f"{value:.2f}", value


def mostly_zero(chance, _):
    """A count that is zero four times in five."""
    value = 0 if chance.random() < 0.8 else chance.randint(5, 900)
    return str(value), value


def years(style):
    """A year, which may stay a number or a text, or become its first day."""

    def draw(chance, _):
        value = chance.randint(1950, 2023)
        return style(value), (value, f"{value}-01-01", str(value))

    return draw


def gone(*words: str) -> list[tuple[str, None]]:
    """Spellings of a missing cell."""
    return [(word, None) for word in words]


def separators() -> list[Case]:
    """Decimal points, decimal commas, and what stands between thousands."""
    us, german = grouped(","), grouped(".", ",")
    return [
        made("number/plain", "number", number(str, -50, 50)),
        made("number/swiss-comma", "number", number(grouped("'", ","), 0, 9e4, 1), odd=[("1'234,5", 1234.5)]),
        made("number/swiss-point", "number", number(grouped("'", ".", 2), 0, 9e6), odd=[("12.50", 12.5)]),
        made("number/swiss-quote", "number", number(grouped("’", ".", 2), 0, 9e6)),
        made("number/us-thousands", "number", number(us, 0, 9e5, 1), odd=[("1,234.5", 1234.5)]),
        made("number/us-whole", "number", number("{:,}".format, 0, 4_000_000, 0), odd=[("1,234", 1234)]),
        made("number/german", "number", number(german, -9e5, 9e5, 1), odd=[("1.234,5", 1234.5)]),
        made("number/german-small", "number", number(lambda v: f"{v:.2f}".replace(".", ","), 0, 9)),
        made(
            "number/german-whole",  # 1.234.567 tells that the points part thousands
            "number",
            number(grouped(".", ",", 0), 5000, 4_000_000, 0),
            odd=[("1.234.567", 1234567), ("987", 987)],
        ),
        made("number/indian", "number", number(lakhs, 100_000, 9_000_000, 0)),
        made("number/thin-space", "number", number(grouped("\u2009", ",", 2), 0, 9e6)),
        made("number/narrow-space", "number", number(grouped("\u202f", ",", 2), 0, 9e6)),
        made("number/fixed-space", "number", number(grouped("\u00a0", ",", 2), 0, 9e6)),
        made("number/space", "number", number(grouped(" ", ".", 1), 0, 9e6, 1), odd=[("12 345", 12345)]),
        made("number/underscore", "number", number("{:_}".format, 1000, 9_000_000, 0)),
        made(
            "number/bare-point",
            "number",
            number(lambda v: f"{v:.2f}".lstrip("0"), 0, 0.99),
            odd=[("-.25", -0.25)],
        ),
        made("number/trailing-point", "number", number(lambda v: f"{v}.", 1, 900, 0)),
        made("number/blanks", "number", number(lambda v: f"  {v:.1f}\t", 0, 99, 1), odd=[(" 7.5\r", 7.5)]),
        made("number/quoted", "number", number(lambda v: f'"{v:.1f}"', 0, 99, 1)),
    ]


def signs() -> list[Case]:
    """Signs, powers, currencies, units."""
    dots = [("1e-3", 0.001), ("2.5E+06", 2.5e6), ("-4e2", -400)]
    return [
        made(
            "number/parentheses",
            "number",
            number(lambda v: f"({-v:,.0f})" if v < 0 else f"{v:,.0f}", -9000, 9000, 0),
            odd=[("(432)", -432), ("(1,250)", -1250)],
            column="net_income",
        ),
        made("number/percent", "number", percent("{:.0f}%".format, 0, 100, 0), odd=[("12%", (12, 0.12))]),
        made("number/percent-comma", "number", percent(lambda v: f"{v:.1f} %".replace(".", ","), -9, 9, 1)),
        made(
            "number/dollars",
            "number",
            number(money("$"), -900, 9000),
            odd=[("$1,234", 1234), ("-$3.20", -3.2)],
        ),
        made("number/pounds", "number", number(money("£"), 0, 9e6), column="price"),
        made("number/euro-before", "number", number("€ {}".format, 1, 900, 0), odd=[("€ 5", 5)]),
        made("number/euro-after", "number", number(lambda v: grouped(".", ",", 2)(v) + " €", 0, 9e5)),
        made("number/francs", "number", number(lambda v: "CHF " + grouped("'", ".", 2)(v), 0, 9e5)),
        made("number/usd-after", "number", number("{:.2f} USD".format, 0, 500), column="amount"),
        made(
            "number/thousands-letter",
            "number",
            number("{:.1f}k".format, 1, 99, 1),
            odd=[("1.5k", (1500, 1.5))],
            labelled=0,
        ),
        made("number/kilograms", "number", number("{} kg".format, 1, 120, 0), odd=[("5 kg", 5)]),
        made("number/kilograms-tight", "number", number("{:.1f}kg".format, 1, 120, 1)),
        made("number/degrees", "number", number("{:.1f}°C".format, -20, 40, 1)),
        made("number/square-metres", "number", number("{:.0f} m²".format, 20, 240, 0), column="area"),
        made("number/science", "number", number("{:.3e}".format, 1e-6, 9e-4, 9), odd=dots, labelled=0),
        made("number/plus", "number", number("{:+d}".format, -90, 90, 0), odd=[("+5", 5)]),
        made(
            "number/minus-after", "number", number(lambda v: f"{abs(v):.2f}{'-' if v < 0 else ''}", -99, 99)
        ),
        made("number/minus-sign", "number", number(lambda v: f"{v:.1f}".replace("-", "−"), -9, 9, 1)),
        made("number/latitude", "number", number("{:.6f}".format, 45.8, 47.8, 6)),
        made("number/latitude-hemisphere", "number", number(compass, -60, 70, 4)),
        made("number/spans", "number time", hours, column="duration"),
        made("number/spans-clock", "number time", clock, column="elapsed"),
        made("number/minutes", "number", number("{} min".format, 5, 180, 0), column="runtime"),
    ]


def wordy() -> list[Case]:
    """Numbers with words, marks and spellings of missing cells between them."""
    tens = number("{:.1f}".format, 10, 99, 1)
    excel = gone("#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!")
    words = gone("missing", "unknown", "not available", "none", "Missing", "UNKNOWN", "not recorded")
    usual = gone("NA", "N/A", "n/a", "na", "NaN", "nan", "null", "NULL", "None", "", " ", "<NA>", "nil")
    return [
        made("missing/usual", "number", tens, odd=[*usual, (None, None)]),
        made("missing/excel", "number", tens, odd=excel),
        made("missing/dashes", "number", tens, odd=gone("-", "--", "–", "—", "---")),
        made("missing/marks", "number", tens, odd=gone("?", "??", ".", "..", "*", "/")),
        made("missing/words", "number", tens, odd=words),
        made(
            "missing/most",
            "number",
            lambda chance, i: tens(chance, i) if i % 12 == 4 else ("n/a", None),
            n=240,
        ),
        made(
            "missing/minus-999",  # an analyst may keep or blank it, the column is of numbers all the same
            "number",
            number("{:.1f}".format, 8, 31, 1),
            odd=[("-999", (None, -999))] * 8,
            column="temperature",
        ),
        made("missing/minus-99-is-real", "number", number(str, -300, 300, 0), n=200, odd=[("-99", -99)]),
        made(
            "number/refused",
            "number",
            number(str, 500, 9000, 0),
            odd=gone("refused", "see note", "tbd", "varies"),
        ),
        made(
            "number/ninety-plus",
            "number",
            number(str, 18, 89, 0),
            odd=[("90+", (90, None))] * 3,
            column="age",
        ),
        made("number/footnotes", "number", tens, odd=[("12.3*", 12.3), ("45.6[1]", 45.6), ("7.8 *", 7.8)]),
        made("number/about", "number", number(str, 100, 900, 0), odd=[("~120", 120), ("ca. 250", 250)]),
        made("number/below-limit", "number", tens, odd=[("<5", SKIP), ("< 0.1", SKIP), ("<5", SKIP)]),
        made(
            "number/infinite",
            "number",
            tens,
            odd=[
                ("inf", (INF, None)),
                ("-inf", (-INF, None)),
                ("Infinity", (INF, None)),
                ("-Inf", (-INF, None)),
            ],
        ),
        made("number/mostly-zero", "number", mostly_zero, n=150, column="claims"),
    ]


def whole() -> list[Case]:
    """Whole numbers: counts, years, codes that are none, very large ones."""
    return [
        made("number/counts", "number", number(str, 0, 5000, 0), column="visits"),
        made("number/floats", "number", number("{}.0".format, 0, 5000, 0), odd=[(None, None)] * 9),
        made(
            "number/few-floats",
            "number category",
            number("{}.0".format, 1, 6, 0),
            odd=[(None, None)] * 5,
            column="rooms",
        ),
        made("number/stars", "number category", number(str, 1, 5, 0), column="stars"),
        made("number/years", "number date category", years(str), column="year"),
        made(
            "number/years-floats",
            "number date category",
            years("{}.0".format),
            odd=gone("", "NA"),
            column="yr_built",
        ),
        made("number/negative", "number", number(str, -400, -1, 0), column="depth"),
        made(
            "number/beyond-2-53",
            "number",
            number(str, 9_007_199_254_740_993, 9_900_000_000_000_000, 0),
            n=160,
            column="nanoseconds_busy",
        ),
        made("number/long-decimals", "number", number("{:.15f}".format, 0, 1, 15), column="probability"),
        made(
            "number/skewed",
            "number",
            plain(lambda chance, _: f"{chance.lognormvariate(8, 2):.2f}"),
            column="income",
        ),
        made("number/two-values", "number boolean category", level("1.5", "3.0"), column="dose"),
        made("number/like-days", "number", like_days, column="reading"),  # 10.12 is no day
        made(
            "number/pixels",
            "number",
            plain(lambda chance, _: str(max(0, chance.randint(-90, 255)))),
            n=200,
            column="pixel_17",
        ),
        made("number/halves", "number category", level("0.5", "1", "1.5", "2", "2.5", "3"), column="credits"),
    ]


def cases() -> list[Case]:
    """All of this file."""
    return separators() + signs() + wordy() + whole()
