"""Score a judge of columns: kinds right, cleaned cells right, and what was wrong.

The cells of a column whose kind is wrong are wrong as well: nobody can use them as what they are.
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl

from tests.data.torture.case import DROPPED, Case

# Of a frame of text columns and a name in it: the kind, and the cleaned cells where the column is kept.
# Several kinds are an answer of which any may be right.
Judge = Callable[[pl.DataFrame, str], tuple[str | Collection[str], Sequence[Any] | None]]
OTHER = "other column"
YES = frozenset({"true", "yes", "y", "t", "1", "oui", "ja", "sí", "si", "on", "x", "positive"})
NO = frozenset({"false", "no", "n", "f", "0", "non", "nein", "off", "negative"})
UNITS = (1, 60, 3600, 86400, 1e-3)  # a time of day in seconds, minutes, hours, days or milliseconds


@dataclass
class Result:
    """What a judge made of one case."""

    case: Case
    right: bool = False
    wrong: str = ""
    cells: int = 0
    wrong_cells: list[str] = field(default_factory=list)  # of a column whose kind is right
    cells_right: int = 0


@dataclass
class Score:
    """What a judge got right, and each thing it got wrong."""

    results: list[Result]

    @property
    def kinds(self) -> float:
        """Share of columns whose kind is one of those accepted."""
        return sum(each.right for each in self.results) / len(self.results)

    @property
    def cleaning(self) -> float:
        """Share of labelled cells whose cleaned value is right."""
        cells = sum(each.cells for each in self.results)
        return sum(each.cells_right for each in self.results) / cells if cells else math.nan

    @property
    def wrong(self) -> list[str]:
        """Each mistake, the kinds first."""
        kinds = [each.wrong for each in self.results if not each.right]
        return kinds + [line for each in self.results for line in each.wrong_cells]

    def of(self, wanted: Callable[[Case], bool]) -> "Score":
        """The score of some of the cases."""
        return Score([each for each in self.results if wanted(each.case)])

    def __str__(self) -> str:
        right = sum(each.right for each in self.results)
        cells, cells_right = (
            sum(getattr(each, n) for each in self.results) for n in ("cells", "cells_right")
        )
        kinds = f"kinds {right}/{len(self.results)} = {self.kinds:.1%}"
        return f"{kinds}, cleaned cells {cells_right}/{cells} = {self.cleaning:.1%}" if cells else kinds


def frame_of(case: Case) -> pl.DataFrame:
    """Lay out the table of a case: its column, before it the other one."""
    columns = {OTHER: case.other} if case.other is not None else {}
    return pl.DataFrame({**columns, case.column: case.cells}, schema_overrides={case.column: pl.String})


def score(judge: Judge, cases: Iterable[Case]) -> Score:
    """Ask the judge about each case; an exception of the judge is a wrong answer."""
    return Score([judged(judge, case) for case in cases])


def judged(judge: Judge, case: Case) -> Result:
    """Ask the judge about one case."""
    try:
        said, cleaned = ask(judge, case)
    except Exception as error:  # whatever stops the judge stops a user as well
        said, cleaned = f"{type(error).__name__}: {error}"[:120], None
    kinds = {said} if isinstance(said, str) else set(said)
    result = Result(case, right=not kinds.isdisjoint(case.kinds))
    if not result.right:
        result.wrong = f"{case.name}: said {spelled(kinds)}, needs {spelled(case.kinds)}"
    if not (result.right and cleaned is None and kinds & DROPPED):  # else nothing is left to clean
        check_cells(result, cleaned if result.right else None)
    return result


def ask(judge: Judge, case: Case) -> tuple[str | Collection[str], Sequence[Any] | None]:
    """Ask about the column; of two copies either may be the one that is dropped."""
    frame = frame_of(case)
    said, cleaned = judge(frame, case.column)
    if "duplicate" in case.kinds and "duplicate" not in ({said} if isinstance(said, str) else said):
        of_other, _ = judge(frame, OTHER)
        if "duplicate" in ({of_other} if isinstance(of_other, str) else of_other):
            return "duplicate", None
    return said, cleaned


def check_cells(result: Result, cleaned: Sequence[Any] | None) -> None:
    """Compare the cleaned cells with the labels."""
    case = result.case
    result.cells = len(case.values) + len(case.same)
    if cleaned is None:
        return
    for row, expected in case.values.items():
        if not equal(expected, cleaned[row]):
            became = f"{case.cells[row]!r} became {cleaned[row]!r}"
            result.wrong_cells.append(f"{case.name}[{row}]: {became}, needs {expected!r}")
    for rows in case.same:
        got = [cleaned[row] for row in rows]
        if not all(equal(got[0], each) for each in got):
            result.wrong_cells.append(f"{case.name}{list(rows)}: are one level, became {got!r}")
    result.cells_right = result.cells - len(result.wrong_cells)


def equal(expected: Any, got: Any) -> bool:
    """Compare a cleaned value with its label, whichever type carries it."""
    if isinstance(expected, tuple):
        return any(equal(each, got) for each in expected)
    if expected is None or missing(got):
        return expected is None and missing(got)
    if isinstance(expected, bool):
        return truth(got) is expected
    if isinstance(expected, int | float):
        return close(expected, as_number(got))
    return equal_text(expected, got)


def equal_text(expected: str, got: Any) -> bool:
    """Compare with a text, a day, or a time of day; case does not count, blanks do."""
    if isinstance(got, str) and got.casefold() == expected.casefold():
        return True
    moment, at = as_moment(expected), as_moment(got)
    if moment is not None:
        return at is not None and abs(at - moment) < timedelta(seconds=1)
    seconds = as_seconds(expected)
    if seconds is None:
        return False
    if isinstance(got, int | float) and not isinstance(got, bool):
        return any(close(seconds / unit, got) for unit in UNITS)
    return close(seconds, as_seconds(got))


def missing(value: Any) -> bool:
    """None, or a value unequal to itself, such as NaN and NaT."""
    return value is None or bool(value != value)


def truth(value: Any) -> bool | None:
    """Read a yes or a no."""
    if isinstance(value, str):
        word = value.casefold()
        return True if word in YES else False if word in NO else None
    return bool(value) if value in (0, 1) else None


def close(expected: float, got: float | None) -> bool:
    """Equal up to the rounding of a float32."""
    return got is not None and (expected == got or math.isclose(expected, got, rel_tol=1e-6, abs_tol=1e-9))


def as_number(value: Any) -> float | None:
    """Read a number, also from its plain text."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date | time):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def as_moment(value: Any) -> datetime | None:
    """Read a day, with or without a time; a time zone stays as it is on the wall."""
    if isinstance(value, str):
        if len(value) < 10:
            return None
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return datetime.combine(value, time()) if isinstance(value, date) else None


def as_seconds(value: Any) -> float | None:
    """Read a time of day as seconds since midnight."""
    if isinstance(value, str):
        if ":" not in value:
            return None
        try:
            value = time.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        value = value.astimezone(UTC).time() if value.tzinfo else value.time()
    return value.hour * 3600 + value.minute * 60 + value.second if isinstance(value, time) else None


def spelled(kinds: Collection[str]) -> str:
    """Write kinds in one order."""
    return " or ".join(sorted(kinds))
