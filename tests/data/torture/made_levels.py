"""Made columns with few levels: yes and no in many spellings, categories, codes with zeros in front."""

from tests.data.torture.case import SKIP, Case, kept, level, made, number, plain
from tests.data.torture.made_numbers import gone


def two(yes: str, no: str, share: float = 0.5):
    """Draw yes or no."""
    return level((yes, True), (no, False), weights=(share, 1 - share))


def booleans() -> list[Case]:
    """Two values, whatever their spelling."""
    dirty = [("Yes ", True), ("YES", True), (" no", False), ("No", False), ("NO ", False), (" yEs", True)]
    mixed = [("1", True), ("0", False), ("TRUE", True), ("n", False), ("Y", True)]
    return [
        made("boolean/true-false", "boolean", two("true", "false")),
        made("boolean/True-False", "boolean", two("True", "False"), odd=gone("", "NaN", "None")),
        made("boolean/TRUE-FALSE", "boolean", two("TRUE", "FALSE", 0.2), odd=gone("NA", "#N/A")),
        made("boolean/yes-no", "boolean", two("yes", "no")),
        made(
            "boolean/yes-no-dirty",
            "boolean",
            two("yes", "no"),
            odd=dirty,
            same=["yes", "Yes ", "YES", " yEs"],
        ),
        made("boolean/yes-no-mixed", "boolean", two("yes", "no"), odd=mixed, same=["yes", "1", "TRUE", "Y"]),
        made("boolean/yes-no-gaps", "boolean", two("Yes", "No"), odd=gone("-", "n/a", "?", "", "unknown")),
        made("boolean/y-n", "boolean", two("Y", "N")),
        made("boolean/t-f", "boolean", two("t", "f")),
        made("boolean/T-F", "boolean", two("T", "F", 0.9)),
        made("boolean/oui-non", "boolean", two("oui", "non")),
        made("boolean/ja-nein", "boolean", two("Ja", "Nein")),
        made("boolean/si-no", "boolean", two("sí", "no")),
        made("boolean/on-off", "boolean category", two("on", "off")),
        made("boolean/1-0", "boolean number", two("1", "0")),
        made("boolean/1-0-gaps", "boolean number", two("1", "0", 0.1), odd=gone("", "NA", ".")),
        made("boolean/1-0-floats", "boolean number", two("1.0", "0.0"), odd=[(None, None)] * 6),
        made("boolean/rare", "boolean", two("true", "false", 0.01), n=250, odd=[("true", True)]),
        made("boolean/maybe", "category", level("yes", "no", "maybe")),
        made("boolean/minus-one", "boolean number category", level("-1", "1"), column="direction"),
        made("boolean/pass-fail", "boolean category", level("pass", "fail")),
        made("boolean/positive", "boolean category", level("Positive", "Negative"), column="test_result"),
        made(
            "boolean/crosses", "boolean constant category", level(("x", True), (None, SKIP)), column="member"
        ),
        made("boolean/sexes", "category", level("male", "female"), column="sex"),
        made(
            "boolean/M-F", "category", level("M", "F"), odd=gone("", "NA"), column="gender"
        ),  # F is not false
        made("boolean/one-two", "category boolean number", level("1", "2"), column="sex_code"),
    ]


def levels() -> list[Case]:
    """A few levels, in words."""
    colours = level(("red", "red"), ("green", "green"), ("blue", "blue"))
    colour_odd = [("Red", "red"), (" red", "red"), ("RED ", "red"), ("Blue\t", "blue"), ("blue  ", "blue")]
    countries = level(("CH", "CH"), ("DE", "DE"), ("NO", "NO"), ("FR", "FR"), ("US", "US"), ("NA", SKIP))
    paths = ["Home > Kitchen > Pans", "Home > Garden", "Toys > Games", "Toys > Puzzles > Wood"]
    return [
        made("category/colours", "category", colours),
        made(
            "category/colours-dirty", "category", colours, odd=colour_odd, same=["red", "Red", " red", "RED "]
        ),
        made(
            "category/gaps",
            "category",
            colours,
            odd=gone("", "NA", "n/a", "-", "?", "null", "None", "#N/A", " "),
        ),
        made("category/unknown", "category", colours, odd=[("unknown", (None, "unknown"))] * 6),
        made(
            "category/none-is-a-level",
            "category",
            level(("none", "none"), "mild", "moderate", "severe"),
            column="pain",
        ),
        made("category/sizes", "category", level("XS", "S", "M", "L", "XL", "XXL"), column="size"),
        made("category/grades", "category", level("A", "B", "C", "D", "F"), column="grade"),
        made(
            "category/likert",
            "category",
            level("strongly disagree", "disagree", "neutral", "agree", "strongly agree"),
        ),
        made("category/ordinals", "category", level("first", "second", "third", "fourth"), column="place"),
        made("category/rank-words", "category", level("1st", "2nd", "3rd", "4th"), column="class"),
        made("category/roman", "category", level("I", "II", "III", "IV"), column="stage"),
        made("category/norway", "category", countries, n=200, odd=[("NO", "NO")], column="country"),
        made("category/currencies", "category", level("CHF", "EUR", "USD", "GBP", "JPY"), column="currency"),
        made(
            "category/blood-groups",
            "category",
            level("A+", "A-", "B+", "O+", "O-", "AB+"),
            column="blood_group",
        ),
        made("category/income-bands", "category", level("<=50K", "50K-100K", ">100K"), column="income"),
        made("category/intervals", "category", level("(0, 10]", "(10, 20]", "(20, 50]"), column="bin"),
        made("category/up-to-three", "category", level("0", "1", "2", "3+"), column="children"),
        made("category/paths", "category", plain(lambda c, _: c.choice(paths)), column="department"),
        made(
            "category/several",
            "category text",
            plain(lambda c, _: "|".join(sorted(c.sample(["a", "b", "c", "d"], c.randint(1, 3))))),
        ),
        made(
            "category/accents",
            "category",
            level(("Zürich", "Zürich"), ("Genève", "Genève"), ("Basel", "Basel")),
        ),
        made("category/cyrillic", "category", level("Москва", "Казань", "Тула", "Омск"), column="город"),
        made("category/emoji", "category", level("🙂", "🙁", "😐")),
        made(
            "category/skewed",
            "category",
            level("standard", "express", "pickup", weights=(0.97, 0.02, 0.01)),
            n=250,
        ),
        made(
            "category/time-zones", "category", level("Europe/Zurich", "UTC", "America/New_York"), column="tz"
        ),
        made(
            "category/servers",
            "category",
            plain(lambda c, _: f"10.0.0.{c.randint(1, 9)}"),
            n=200,
            column="server_ip",
        ),
        made(
            "category/domains",
            "category",
            level("gmail.com", "gmx.ch", "proton.me", "yahoo.com"),
            column="email_domain",
        ),
        made(
            "category/pages",
            "category",
            plain(lambda c, _: f"https://example.org/{c.choice(['', 'about', 'shop', 'faq'])}"),
            n=200,
        ),
        made(
            "category/long-levels",
            "category",
            level(
                "I agree with the terms as stated",
                "I do not agree with the terms",
                "I would like to read them first",
            ),
        ),
    ]


def codes() -> list[Case]:
    """Digits that are names."""
    zips = ["01067", "04109", "10115", "20095", "50667", "80331", "01069"]
    us = ["02139", "10001", "94110", "60601", "00501", "07030"]
    plz = ["8001", "8004", "3011", "4051", "1201", "6900"]
    return [
        made("code/zip-german", "category", kept(lambda c, _: c.choice(zips)), column="plz"),
        made("code/zip-us", "category", kept(lambda c, _: c.choice(us)), n=200, column="zip"),
        made(
            "code/zip-many",
            "category",
            kept(lambda c, _: f"{c.choice(range(501, 99950, 777)):05d}"),
            n=250,
            column="zip_code",
        ),
        made(
            "code/zip-plus-four",
            "category",
            kept(lambda c, _: f"{c.choice(us)}-{c.choice(['1234', '0042'])}"),
            column="zip",
        ),
        made("code/zip-swiss", "category", kept(lambda c, _: c.choice(plz)), column="postal_code"),
        made(
            "code/dial-zeros",
            "category",
            kept(lambda c, _: c.choice(["0041", "0049", "0033", "001"])),
            column="dial_code",
        ),
        made(
            "code/dial-plus",
            "category",
            kept(lambda c, _: c.choice(["+41", "+49", "+33", "+1"])),
            column="country_code",
        ),
        made(
            "code/area",
            "category",
            kept(lambda c, _: c.choice(["044", "031", "061", "022", "091"])),
            column="area_code",
        ),
        made(
            "code/iso-numeric",
            "category",
            kept(lambda c, _: c.choice(["004", "008", "756", "840", "276"])),
            column="iso_n3",
        ),
        made(
            "code/diagnosis",
            "category",
            kept(lambda c, _: c.choice(["E11.9", "I10", "J45.0", "E78.5", "F32.1"])),
            column="icd10",
        ),
        made(
            "code/like-science",
            "category",
            kept(lambda c, _: c.choice(["1E2", "2E3", "3E1", "1F2", "2D3"])),
            column="plot",
        ),
        made("code/regions", "category number", number(str, 1, 5, 0), column="region_code"),
        made(
            "code/occupations",
            "category number",
            plain(lambda c, _: c.choice(["1110", "2221", "5223", "9112", "3322"])),
            column="isco08",
        ),
        made(
            "code/stores",
            "category",
            kept(lambda c, _: f"S{c.choice(range(0, 480, 4)):04d}"),
            n=250,
            column="store",
        ),
        made(
            "code/tickers", "category", level("AAPL", "MSFT", "NESN.SW", "ROG.SW", "F", "T"), column="ticker"
        ),
        made("code/flags", "category", level("A", "N", "U"), column="dst"),  # N is not no
        made("code/class-numbers", "category number", number(str, 0, 9, 0), n=200, column="label"),
    ]


def cases() -> list[Case]:
    """All of this file."""
    return booleans() + levels() + codes()
