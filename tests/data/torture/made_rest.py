"""Made columns with one value or none, and columns next to their copy."""

from tests.data.torture.case import SKIP, Case, level, made, number, plain
from tests.data.torture.made_numbers import gone
from tests.data.torture.words import sentence


def constants() -> list[Case]:
    """One value, or none."""
    same = lambda text: plain(lambda c, i: text)
    return [
        made("constant/word", "constant", same("CH"), column="country"),
        made("constant/number", "constant", same("0"), column="n_errors"),
        made("constant/float", "constant", same("1.50")),
        made("constant/date", "constant", same("2024-01-31"), column="export_date"),
        made("constant/true", "constant", same("true"), column="active"),
        made("constant/sentence", "constant", same("Data as delivered by the office."), column="source"),
        made("constant/gaps", "constant boolean", plain(lambda c, i: "A" if i % 3 else None), column="batch"),
        made(
            "constant/gaps-spelled",
            "constant boolean",
            same("A"),
            odd=[(w, SKIP) for w, _ in gone("NA", "-", "", "n/a")],
            column="batch",
        ),
        made("constant/one-level-dirty", "constant", level("Yes", "yes ", " YES"), column="consent"),
        made("constant/one-number", "constant", level("5", "5.0", "5.00"), column="version"),
        made("empty/null", "empty", plain(lambda c, i: None)),
        made("empty/quoted", "empty", same("")),
        made("empty/blanks", "empty", level("", " ", "  ")),
        made("empty/NA", "empty", same("NA")),
        made("empty/nan", "empty", same("nan"), column="score"),
        made("empty/spellings", "empty", level("-", "n/a", "", "NULL", "?", "#N/A", None), column="fax"),
        made("empty/dashes", "empty", same("--")),
    ]


def copies() -> list[Case]:
    """A column next to its copy, and next to what is none."""
    amounts, colours = number("{:.2f}".format, 0, 900), level("red", "green", "blue", "grey", "black")
    doubled = lambda cells: [f"{2 * float(each):.2f}" for each in cells]
    one_other = lambda cells: [*cells[:-1], "1.00"]
    coded = lambda cells: [{"red": "1", "green": "2", "blue": "3"}.get(each, "4") for each in cells]
    return [
        made("copy/numbers", "duplicate", amounts, other=list),
        made("copy/words", "duplicate", colours, other=list),
        made("copy/text", "duplicate", plain(lambda c, _: sentence(c)), other=list),
        made(
            "copy/dates",
            "duplicate",
            plain(lambda c, _: f"2023-{c.randint(1, 12):02d}-{c.randint(1, 28):02d}"),
            other=list,
        ),
        made(
            "copy/floats",
            "duplicate",
            number(str, 0, 900, 0),
            other=lambda cells: [f"{each}.0" for each in cells],
        ),
        made("copy/blanks", "duplicate", colours, other=lambda cells: [f" {each} " for each in cells]),
        made(
            "copy/gaps",
            "duplicate",
            amounts,
            odd=[("NA", SKIP)] * 5,
            other=lambda cells: [None if e == "NA" else e for e in cells],
        ),
        made("copy/doubled", "number", amounts, other=doubled),
        made("copy/one-cell-differs", "number", amounts, other=one_other),
        made("copy/coded", "category", colours, other=coded),  # grey and black are one code
    ]


def cases() -> list[Case]:
    """All of this file."""
    return constants() + copies()
