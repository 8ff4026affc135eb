"""What columns of raw text are taken for, and that it is applied as it was judged."""

import numpy as np
import polars as pl
import pytest

from jdl.data import Category, Date, Format, Number, Text, infer_schema
from jdl.data.judge import judge
from tests.data.judged import N, encoded, judged

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


def test_spellings_of_a_level_are_one() -> None:
    found = judged(["Yes ", "yes", "YES", "No", "maybe", "yes"])
    assert (found.levels, found.ignore_case) == (("No", "maybe", "yes"), True)
    assert found.evidence == "text with 3 levels in 60 rows; 2 other spellings of them in case or blanks"
    codes = encoded(["New  York", "new york", "Boston"], ["NEW YORK", " boston ", "Rome", None], "categories")
    assert codes.tolist() == [2, 1, 0, 0]
    assert judged(["M", "m", "F", "f"]).levels == ("F", "M")
    codes = judged([first + second for first in "aAbBcCdD" for second in "xX"])
    assert (len(codes.levels), codes.ignore_case) == (16, False)


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
