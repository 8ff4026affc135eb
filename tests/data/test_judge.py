"""What columns of raw text are taken for, and that it is applied as it was judged."""

import datetime as dt
import random
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdl.data import Category, Date, Dropped, Format, Number, Text, infer_schema, read_table
from jdl.data.judge import judge

N = 60


def judged(values: list, name: str = "x") -> Any:
    """Judge a column in which the values recur."""
    return judge(pl.Series(name, [values[i % len(values)] for i in range(N)]))


def encoded(values: list, rows: list, kind: str) -> Any:
    """Infer from recurring values, and code some rows."""
    frame = pl.DataFrame({"x": [values[i % len(values)] for i in range(N)]})
    return infer_schema(frame).encode(pl.DataFrame({"x": rows}))[kind][:, 0]


NUMBERS = {
    "plain": (["1e-3", " 2E5", "-3", "+.5"], Format(), [1e-3, 2e5, -3, 0.5]),
    "english": (["1,234.5", "12", "-1,000,000"], Format(".", ","), [1234.5, 12, -1e6]),
    "european": (["1.234,5", "12", "999,99"], Format(",", "."), [1234.5, 12, 999.99]),
    "european whole": (["1.234", "5.678.901", "12"], Format(",", "."), [1234, 5678901, 12]),
    "swiss": (["1'234.5", "1\u2019000", "7"], Format(".", "'"), [1234.5, 1000, 7]),
    "swiss with commas": (["1'234,5", "12,25", "1'000'000"], Format(",", "'"), [1234.5, 12.25, 1e6]),
    "french": (["1\u202f234,5", "12\u00a0345", "7"], Format(",", " "), [1234.5, 12345, 7]),
    "blanks": (["1\u2009234", "12 345", "7.5"], Format(".", " "), [1234, 12345, 7.5]),
    "indian": (["1,23,456", "12,345", "100"], Format(".", ","), [123456, 12345, 100]),
    "decimal comma": (["1,5", "0,125", "2"], Format(",", ""), [1.5, 0.125, 2]),
    "no group starts with 0": (["0,123", "5,678"], Format(",", ""), [0.123, 5.678]),
    "accountant": (["(432)", "5-", "1,000", "12.5"], Format(".", ","), [-432, -5, 1000, 12.5]),
    "typographic minus": (["\u22125", "\u20131.5", "3"], Format(), [-5, -1.5, 3]),
    "percent": (["12%", "7.5 %", "0"], Format(units=("%",)), [12, 7.5, 0]),
    "dollars": (["$1,234", "-$5.50", "($7)", "$ 8"], Format(".", ",", ("$",)), [1234, -5.5, -7, 8]),
    "euros": (["\u20ac 5", "1.200,50\u20ac", "7"], Format(",", ".", ("\u20ac",)), [5, 1200.5, 7]),
    "francs": (["CHF 1'200", "CHF 3.50"], Format(".", "'", ("chf",)), [1200, 3.5]),
    "kilograms": (["5 kg", "7.5kg", "12 KG"], Format(units=("kg",)), [5, 7.5, 12]),
    "degrees": (["20\u00b0C", "-3 \u00b0C"], Format(units=("\u00b0c",)), [20, -3]),
    "months": (["1 month", "36 months"], Format(units=("month", "months")), [1, 36]),
    "latitudes": (
        ["5.5\u00b0 S", "35\u00b0 N"],
        Format(units=("\u00b0 n", "\u00b0 s"), negative=("\u00b0 s",)),
        [-5.5, 35],
    ),
    "longitudes": (["5.25W", "35.5 e"], Format(units=("e", "w"), negative=("w",)), [-5.25, 35.5]),
    "in quotes": (['"1,234.5"', '"12"', '"-7"'], Format(".", ","), [1234.5, 12, -7]),
    "underscores": (["1_000", "2_500_000", "3"], Format(".", "_"), [1000, 2.5e6, 3]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_in_text(name: str) -> None:
    texts, form, values = NUMBERS[name]
    found = judged(texts)
    assert isinstance(found, Number)
    assert (found.kind, found.format, found.missing) == ("number", form, 0)
    assert (found.low, found.high) == (min(values), max(values))
    assert found.evidence.startswith("text read as numbers")
    np.testing.assert_allclose(encoded(texts, texts, "numbers"), np.float32(values))


def test_what_is_ambiguous_is_said() -> None:
    assert judged(["1,234", "5,678"]).evidence == (
        "text read as numbers with ',' between thousands (ambiguous: the comma could be a decimal one)"
    )
    assert "ambiguous" not in judged(["1,234", "5,678.5"]).evidence
    american = judged(["01/02/2024", "03/04/2024"])
    assert american.format == "%m/%d/%Y"
    assert "(ambiguous: %d/%m/%Y fits as well; taken is the usual one)" in american.evidence
    assert "ambiguous" not in judged(["01/02/2024", "13/04/2024"]).evidence


@pytest.mark.parametrize(
    "texts",
    [
        ["5 kg", "7 lb", "3 kg"],
        ["1st", "2nd", "3rd"],
        ["10-20", "20-30", "30-40"],
        ["<5", "5-10", ">10"],
        ["1/2", "3/4", "1/8"],
        ["1.2.3", "2.10.1", "1.15.7"],
        ["10.0.0.1", "192.168.100.200"],
        ["3-2", "1-0"],
        ["A1", "B2", "A+"],
        ["1", "2", "ground"],
        ["0", "1", "2", "3+"],
        ["[1]", "[2]", "[12]"],
        ["<5", "<10", "<20", "30"],
        ["1N", "2S", "3N"],
        ["yes", "no", "unknown"],
        ["12MAR", "14MAY"],
        ["01234", "94016", "10001"],
        ["yes", "no", "perhaps"],
        ["yes", "oui"],
        ["2024-13-01", "2024-14-01"],
        ["12:75", "13:80"],
    ],
)
def test_what_only_looks_like_numbers_or_dates_is_a_category(texts: list[str]) -> None:
    found = judged(texts)
    assert isinstance(found, Category)
    assert found.levels == tuple(sorted(texts))


DATES = {
    "": (["2024-01-31", "2024-2-1", "2024-01-31"], 31),
    "%d/%m/%Y": (["31/01/2024", "01/02/2024", "12/12/2023"], 31),
    "%m/%d/%Y": (["01/31/2024", "2/1/2024", "12/12/2023"], 31),
    "%d.%m.%Y": (["31.1.2024", "02.02.2024"], 31),
    "%d.%m.%y": (["31.01.24", "02.02.24"], 31),
    "%m/%d/%y": (["1/31/24", "2/2/24"], 31),
    "%d-%m-%Y": (["31-01-2024", "2-2-2024"], 31),
    "%Y/%m/%d": (["2024/01/31", "2024/2/2"], 31),
    "%Y%m%d": (["20240131", "20240202", "20231212"], 31),
    "%d %B %Y": (["31 Jan 2024", "14 February 2023"], 31),
    "%B %d, %Y": (["Jan 31, 2024", "December 1, 2022"], 31),
    "%d-%B-%y": (["31-JAN-24", "14-Feb-23"], 31),
    "%d%B%Y": (["31JAN2024", "05MAY2023"], 31),
    "%d. %B %Y": (["31. Januar 2024", "1. M\u00e4rz 2023", "24. Dez 2022"], 31),
    "%d %B %Y ": (["31 janvier 2024", "14 F\u00c9VRIER 2023", "1 ao\u00fbt 2023", "2 juin 2022"], 31),
    "%d/%B/%Y": (["31/ene/2024", "14/agosto/2023", "3/gennaio/2022"], 31),
    "%A, %d %B %Y": (["Wed, 31 Jan 2024", "Tue, 14 Feb 2023"], 31),
    "%Y-%m-%d %I:%M %p": (["2024-01-31 10:30 AM", "2024-02-01 1:05 PM"], 31),
    "%Y-%m": (["2024-01", "2023-12"], 1),
    "%B %Y": (["Jan 2024", "December 2023"], 1),
    "%d/%m/%Y %H:%M": (["31/01/2024 10:30", "01/02/2024 00:00"], 31),
    "%m/%d/%Y %I:%M:%S%.f %p": (["1/31/2024 10:30:00 AM", "2/1/2024 1:05:10 pm"], 31),
}


@pytest.mark.parametrize("form", DATES)
def test_dates_in_text(form: str) -> None:
    texts, day = DATES[form]
    found = judged(texts)
    assert isinstance(found, Date)
    assert (found.format, found.missing) == (form.strip(), 0)
    timed = "%H" in form or "%I" in form
    assert found.kind == ("datetime" if timed else "date")
    first = encoded(texts, texts, "dates")[0]
    since = (dt.date(2024, 1, day) - dt.date(1970, 1, 1)).days
    assert first.tolist() == [since, (10 * 60 + 30) * 60 if timed else 0]


def test_time_zones_are_written_in_utc() -> None:
    some = ["2024-01-31 14:30 UTC", "2024-02-01 14:30 GMT"]
    assert (judged(some).kind, judged(some).format) == ("datetime", "")
    texts = ["2024-01-31T23:30:00-02:00", "2024-01-31 10:00:00+0100", "2024-01-31T10:00:00.25Z", "2024-01-31"]
    days = encoded(texts, texts, "dates")
    first = (dt.date(2024, 1, 31) - dt.date(1970, 1, 1)).days
    assert days.tolist() == [[first + 1, 5400], [first, 32400], [first, 36000], [first, 0]]


def test_iso_days_beside_others() -> None:
    texts = ["2024-01-31", "2024-02-29", "31.01.2024", "1.2.2024"]
    found = judged(texts)
    assert (found.format, found.iso, found.missing) == ("%d.%m.%Y", True, 0)
    assert found.evidence == "text read as dates written as %d.%m.%Y or in ISO 8601"
    assert encoded(texts, texts, "dates")[:, 0].tolist() == [19753, 19782, 19753, 19754]
    few = judge(pl.Series([f"2024-01-{1 + i % 28:02}" for i in range(99)] + ["3/4/2024"]))
    assert (few.format, few.nulls) == ("", ("3/4/2024",))


def test_days_in_order_tell_the_month() -> None:
    days = [dt.date(2024, month, day) for month in range(1, 13) for day in range(1, 13)]
    found = judge(pl.Series("x", [f"{day:%d/%m/%Y}" for day in days]))
    assert found.format == "%d/%m/%Y"
    assert "fits as well; the rows are in order in the one taken" in found.evidence


def test_compact_date_times() -> None:
    texts = ["20240131T103000", "20240201T000000"]
    assert judged(texts).format == "%Y%m%dT%H%M%S"
    assert encoded(texts, texts, "dates")[0].tolist() == [19753, 37800]


def test_whole_numbers_that_are_days() -> None:
    found = judged([20240131, 20240229, 20231212])
    assert isinstance(found, Date)
    assert (found.format, found.low) == ("%Y%m%d", "2023-12-12")
    rows = encoded([20240131, 20240229, 20231212], ["19700102", None], "dates")
    assert rows[0].tolist() == [1, 0]
    assert isinstance(judged([20240131, 20240232, 20231212]), Number)
    assert isinstance(judged([2019, 2020, 2021]), Number)


@pytest.mark.parametrize(
    ("name", "values", "form"),
    [
        ("timestamp", [1706697000, 1700000000], "%s"),
        ("createdAt", [1706697000_000, None, 1700000000_000], "%s%3f"),
        ("pickup_time", [1706697000_000_000, 1700000000_000_000], "%s%6f"),
        ("x", [20240131103000, 20240229000000, 20231212235959], "%Y%m%d%H%M%S"),
    ],
)
def test_whole_numbers_that_are_moments(name: str, values: list, form: str) -> None:
    frame = pl.DataFrame({name: [values[i % len(values)] for i in range(N)]})
    schema = infer_schema(frame)
    (found,) = schema.dates
    assert (found.kind, found.format) == ("datetime", form)
    assert found.missing == N // 3 * (None in values)
    assert form.startswith("%s") or judge(frame.cast(pl.String)[name]).format == form
    floats = frame.cast(pl.Float64)
    for part in (frame, floats, frame.cast(pl.String), floats.cast(pl.String)):
        assert schema.encode(part)["dates"][0, 0].tolist() == [19753, 37800]
    assert isinstance(judged([1706697000, 1700000000], "revenue"), Number)
    assert isinstance(judged([17066, 17000], "timestamp"), Number)


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["10:30", "23:15:30.5", "00:00"], "time", [37800, 83730.5, 0]),
        (["10:30 am", "11:15 PM", "12:00 a.m."], "time", [37800, 83700, 0]),
        (["14h30", "8h05", "23H59"], "time", [52200, 29100, 86340]),
        (["36:15:00", "10:00:00"], "duration", [130500, 36000]),
        (["1h 30m", "45m", "2h"], "duration", [5400, 2700, 7200]),
        (["1 day 02:00:00", "-3 days, 00:00:01"], "duration", [93600, -259201]),
        (["PT5M", "P1DT2H"], "duration", [300, 93600]),
        (["Yes", "no", "YES "], "boolean", [1, 0, 1]),
        (["t", "f"], "boolean", [1, 0]),
        (["ja", "Nein"], "boolean", [1, 0]),
        (["TRUE", "no", "1", "0", "Y"], "boolean", [1, 0, 1, 0, 1]),
        (["oui", "non"], "boolean", [1, 0]),
        (["on", "off"], "boolean", [1, 0]),
        (["S\u00ed", "no"], "boolean", [1, 0]),
    ],
)
def test_times_durations_and_booleans_in_text(texts: list[str], kind: str, values: list[float]) -> None:
    found = judged(texts)
    assert isinstance(found, Number)
    assert found.kind == kind
    np.testing.assert_array_equal(encoded(texts, texts, "numbers"), np.float32(values))


@pytest.mark.parametrize(
    "null",
    ["", " ", "NA", "n/a", "-", "--", "?", ".", "null", "None", "nil", "#N/A", "#DIV/0!", "NaN", "missing"],
)
def test_spellings_of_missing(null: str) -> None:
    for values, kind in [(["1", "2"], Number), (["a", "b"], Category), (["2024-01-01", "2024-01-02"], Date)]:
        found = judged([*values, null])
        assert isinstance(found, kind)
        assert found.missing == N // 3


def test_words_among_numbers() -> None:
    few = judged(["12", "45.5", "unknown", "***", "7"])
    assert isinstance(few, Number)
    assert set(few.nulls) == {"unknown", "***"}
    assert few.missing == 24
    assert few.evidence == "text read as numbers; 'unknown' (12 rows), '***' (12 rows) are missing"
    ages = [str(i % 80) for i in range(400)] + ["old"] * 3
    assert judge(pl.Series(ages)).nulls == ("old",)
    weights = [f"{i} kg" for i in range(99)] + ["7 lb"]
    assert judge(pl.Series(weights)).nulls == ("7 lb",)
    assert isinstance(judged(["1", "2", "3", "ground"]), Category)
    assert isinstance(judged(["1", "unknown", "unknown"]), Category)  # mostly words


def test_marks_beside_numbers() -> None:
    plain = [f"{i}.5" for i in range(40)]
    marked = {
        "<0.25": 0.25,
        "> 99": 99,
        "~120": 120,
        "ca. 250": 250,
        "90+": 90,
        "4.5*": 4.5,
        "4.75[b]": 4.75,
        "[98]": 98,
    }
    frame = pl.DataFrame({"x": plain + list(marked)})
    schema = infer_schema(frame)
    (found,) = schema.numbers
    assert (found.format, found.missing, found.high) == (Format(marked=True), 0, 250)
    assert (
        found.evidence
        == "text read as numbers; in 8 of 48 rows beside a mark, as in '<0.25', '> 99', '~120', …"
    )
    values = type(schema).from_json(schema.to_json()).encode(frame)["numbers"][40:, 0]
    np.testing.assert_array_equal(values, np.float32([*marked.values()]))
    years = judge(pl.Series([str(1700 + i) for i in range(40)] + ["Ancient"] * 6))
    assert (years.nulls, years.missing) == (("Ancient",), 6)
    most = judge(pl.Series([f"<{i}" for i in range(30)] + plain[:29]))
    assert not isinstance(most, Number)


def test_unknown_among_yes_and_no() -> None:
    found = judge(pl.Series(["Yes", "no"] * 30 + ["unknown", "-", None]))
    assert isinstance(found, Number)
    assert (found.kind, found.missing, found.nulls) == ("boolean", 3, ("unknown",))
    assert found.evidence == "text with two meanings: 'Yes', 'no'; 'unknown' (1 rows) is missing"


def test_impossible_days_among_dates() -> None:
    texts = [f"2024-01-{1 + i % 28:02}" for i in range(58)] + ["2024-02-30", "0000-00-00"]
    found = judge(pl.Series(texts))
    assert isinstance(found, Date)
    assert found.nulls == ("2024-02-30", "0000-00-00")
    assert isinstance(judged(["01/13/2024", "13/01/2024", "02/02/2024"]), Category)  # both orders: neither


def test_spellings_of_a_level_are_one() -> None:
    found = judged(["Yes ", "yes", "YES", "No", "maybe", "yes"])
    assert (found.levels, found.ignore_case) == (("No", "maybe", "yes"), True)
    assert found.evidence == "text with 3 levels in 60 rows; 2 other spellings of them in case or blanks"
    codes = encoded(["New  York", "new york", "Boston"], ["NEW YORK", " boston ", "Rome", None], "categories")
    assert codes.tolist() == [2, 1, 0, 0]
    assert judged(["M", "m", "F", "f"]).levels == ("F", "M")
    codes = judged([first + second for first in "aAbBcCdD" for second in "xX"])
    assert (len(codes.levels), codes.ignore_case) == (16, False)


RANDOM = random.Random(0)
KEYS = {
    "UUIDs": [str(uuid.UUID(int=RANDOM.getrandbits(128))) for _ in range(N)],
    "hashes": [f"{RANDOM.getrandbits(160):040x}" for _ in range(N)],
    "e-mail": [f"name{i}@example.com" for i in range(N)],
    "web addresses": [f"https://example.com/{i}" for i in range(N)],
    "telephone": [f"+41 44 {i + 100} 45 67" for i in range(N)],
    "different texts": [f"K-{i:05}" for i in range(N)],
    "zeros in front": [f"{i:06}" for i in range(N)],
    "16 digits and more": [str(4 * 10**15 + RANDOM.getrandbits(40)) for _ in range(N)],
    "user names": [f"anna_lamp{i}" for i in range(N)],
    "files": [f"/data/images/red_lamp_{i}.jpg" for i in range(N)],
    "by its name a key": RANDOM.sample(range(10**6), N),
    "counts the rows": list(range(1, N + 1)),
}


@pytest.mark.parametrize("what", KEYS)
def test_identifiers(what: str) -> None:
    found = judge(pl.Series("order_id" if what == "by its name a key" else "id", KEYS[what]))
    assert isinstance(found, Dropped)
    assert found.reason.startswith("identifier: ")
    assert what in found.reason or what in ("user names", "files")


@pytest.mark.parametrize("name", ["customerid", "KundenNr", "flight number", "pidnum", "FIPS"])
def test_whole_numbers_that_the_name_makes_keys(name: str) -> None:
    assert isinstance(judge(pl.Series(name, KEYS["by its name a key"])), Dropped)


@pytest.mark.parametrize("name", ["paid", "grid", "platinum", "total_num", "num_rooms", "income"])
def test_whole_numbers_that_the_name_makes_no_keys(name: str) -> None:
    assert isinstance(judge(pl.Series(name, KEYS["by its name a key"])), Number)


def test_long_whole_numbers_are_quantities_by_name() -> None:
    values = [9 * 10**15 + RANDOM.getrandbits(45) for _ in range(N)]
    assert isinstance(judge(pl.Series("tweet", values)), Dropped)
    assert isinstance(judge(pl.Series("nanoseconds_busy", values)), Number)


def test_codes_keep_their_signs(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = [("+41", "17.0", "+5"), ("+1", "18.0", "-3"), ("+41", "", "+2"), ("+1", "4.0", "+2")]
    path.write_text("dial_code,shop_id,change\n" + "".join(f"{','.join(row)}\n" for row in rows * 15))
    schema = infer_schema(read_table(path))
    assert [part.levels for part in schema.categories] == [("+1", "+41"), ("17", "18", "4")]
    coded = schema.encode(read_table(path, schema.text_columns))
    assert coded["categories"][:3].tolist() == [[2, 1], [1, 2], [2, 0]]
    assert coded["numbers"][:3, 0].tolist() == [5, -3, 2]
    signed = judge(pl.Series("change", ["+1", "+2"] * 30))
    assert isinstance(signed, Number)


def test_few_slips_among_codes() -> None:
    codes = [f"0500{i:04}" for i in range(20)] * 2
    found = judge(pl.Series([*codes, "70-3103"]))
    assert isinstance(found, Category)
    assert len(found.levels) == 21


def test_keys_that_recur_are_levels() -> None:
    assert len(judged(KEYS["UUIDs"][:5]).levels) == 5
    assert isinstance(judged([0, 1], "yes_no"), Number)
    by_name = judged([17, 4, 17, 9], "customer_id")
    assert by_name.levels == ("17", "4", "9") == judged(["17", "4", "17", "9"], "customer_id").levels
    assert isinstance(judged(["17", "4", "17", "9"], "customers"), Number)
    frame = pl.DataFrame({"customer_id": [17.0, None, 4.0]})
    schema = infer_schema(pl.DataFrame({"customer_id": [17, 4, 9] * 20}))
    assert schema.encode(frame)["categories"][:, 0].tolist() == [1, 0, 2]  # of "17", "4", "9"


def test_a_lone_zero_in_front_is_a_slip() -> None:
    found = judge(pl.Series("age", [str(20 + i % 60) for i in range(100)] + ["031"]))
    assert isinstance(found, Number)
    assert (found.low, found.high) == (20, 79)


def test_short_durations_may_come_as_times_of_day() -> None:
    schema = infer_schema(pl.DataFrame({"x": ["36:15:00", "10:00:00"]}))
    numbers = schema.encode(pl.DataFrame({"x": [dt.time(10), None]}))["numbers"]
    np.testing.assert_array_equal(numbers[:, 0], [36000, np.nan])


def test_free_text_is_text() -> None:
    reviews = [f"a product of nice quality, number {i}, and cheap" for i in range(N)]
    names = [f"John{chr(97 + i % 26)} Smi{chr(97 + i // 26)}th" for i in range(N)]
    chinese = ["\u8fd9\u4e2a\u4ea7\u54c1\u975e\u5e38\u597d" + chr(0x4E00 + i) for i in range(N)]
    slugs = [f"{first}a_{second}e_lamp_{third}o" for first in "abc" for second in "defgh" for third in "ijkl"]
    lists = [f"red,{first},{second}x" for first in ("big", "small") for second in "abcdefghijklmnop"]
    for texts in (reviews, names, chinese, slugs, lists):
        assert isinstance(judge(pl.Series(texts)), Text)
    assert isinstance(judged(reviews[:5]), Category)
    again = [f"a longer description of product {i} that some rows share" for i in range(20)]
    assert isinstance(judge(pl.Series(again * 3)), Text)


def test_rare_levels_of_very_many_are_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jdl.data.judge_levels.MOST_LEVELS", 3)
    found = judged(["a", "b", "c", "d"])
    assert found.levels == ("a", "b", "c", "d")
    found = judge(pl.Series(["a", "b", "c"] * 10 + ["d", "e"]))
    assert found.levels == ("a", "b", "c")
    assert found.evidence.endswith("the 2 of a single row count as unseen")


def test_huge_whole_numbers_keep_their_differences() -> None:
    stamps = 1_700_000_000_000_000_000 + 10**9 * np.arange(N)
    schema = infer_schema(pl.DataFrame({"at": stamps}))
    (number,) = schema.numbers
    values = schema.encode(pl.DataFrame({"at": stamps}))["numbers"][:, 0]
    np.testing.assert_allclose(np.diff(values) * number.scale, 1e9, rtol=1e-4)


def test_whole_numbers_that_no_float_tells_apart() -> None:
    largest = 2**63 - 1
    assert judge(pl.Series([largest - i for i in range(N)])).reason.startswith(
        "identifier: 60 different in 60"
    )
    assert judged([largest, largest - 1, largest - 2]).levels == tuple(str(largest - i) for i in (2, 1, 0))


# Properties.

FORMS = ["%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y", "%d %b %Y", "%B %d, %Y", "%Y%m%d", "%d/%m/%Y %H:%M:%S"]
CELLS = ["1", "2,5", "1.234", "(4)", "5 kg", "$3", "007", "yes", "no", "NA", "unknown", "10:30", "1h"]
CELLS += ["2024-01-31", "01/02/24", "31.1.2024", "2024-01-31 10:00"]

forms = st.builds(
    lambda decimal, thousands, unit: Format(decimal, thousands if thousands != decimal else "", unit),
    st.sampled_from([".", ","]),
    st.sampled_from(["", ",", ".", "'", " "]),
    st.sampled_from([(), ("%",), ("kg",), ("$",)]),
)


@given(forms, st.lists(st.integers(-(10**9), 10**9), min_size=3, max_size=20))
@settings(max_examples=25, deadline=None)
def test_numbers_come_back_however_they_are_written(form: Format, cents: list[int]) -> None:
    def written(number: int) -> str:
        text = f"{number / 100:,.2f}".translate({ord(","): form.thousands, ord("."): form.decimal})
        return f"{text} {form.units[0]}" if form.units else text

    texts = [written(number) for number in (*cents, 123456789, 5)]
    found = judge(pl.Series("x", texts))
    assert isinstance(found, Number)
    assert found.low == pytest.approx(min(*cents, 5) / 100)
    assert found.high == pytest.approx(max(*cents, 123456789) / 100)


@given(
    st.sampled_from(
        ["%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y", "%d %b %Y", "%B %d, %Y", "%Y%m%d", "%d/%m/%Y %H:%M:%S"]
    ),
    st.lists(st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2099, 1, 1)), min_size=2, max_size=20),
)
@settings(max_examples=25, deadline=None)
def test_dates_come_back_however_they_are_written(form: str, moments: list[dt.datetime]) -> None:
    moments = [moment.replace(microsecond=0) for moment in (*moments, dt.datetime(2001, 1, 31, 1, 2, 3))]
    frame = pl.DataFrame({"x": [moment.strftime(form) for moment in moments]})
    schema = infer_schema(frame)
    if schema.dropped:  # all the same
        return
    days = schema.encode(frame)["dates"][:, 0]
    since = [(moment.date() - dt.date(1970, 1, 1)).days for moment in moments]
    assert days[:, 0].tolist() == since
    if "%H" in form:
        assert days[:, 1].tolist() == [m.hour * 3600 + m.minute * 60 + m.second for m in moments]


cells = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "1",
            "2,5",
            "1.234",
            "yes",
            "no",
            "NA",
            "2024-01-31",
            "01/02/24",
            "10:30",
            "5 kg",
            "$3",
            "007",
            "(4)",
            "unknown",
            "1h",
        ]
    ),
    st.text(max_size=6),
)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=25))
@settings(max_examples=40, deadline=None)
def test_any_table_is_judged_coded_and_read_back(rows: list[tuple]) -> None:
    frame = read_table({"a": [row[0] for row in rows], "b": [row[1] for row in rows]})
    schema = infer_schema(frame)
    assert len(schema.columns) + len(schema.dropped) == 2
    assert all(part.evidence for part in (*schema.columns, *schema.dropped))
    coded = type(schema).from_json(schema.to_json()).encode(frame)
    assert not np.isinf(coded["numbers"]).any()
    assert schema.describe().height == 2
    for part in schema.columns:
        if isinstance(part, Category):
            codes = coded["categories"][:, [c.name for c in schema.categories].index(part.name)]
            assert (codes == 0).sum() == part.missing
    for part, values in zip(schema.numbers, coded["numbers"].T, strict=True):
        assert np.isnan(values).sum() == part.missing


@given(st.lists(cells, min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_changes_nothing_but_the_evidence(values: list) -> None:
    first = judge(pl.Series("x", values, dtype=pl.String))
    second = judge(pl.Series("x", values[::-1], dtype=pl.String))
    assert type(first) is type(second)
    if isinstance(first, Category):
        assert first == second
