"""What a column of a table can be: plain frozen data, to be read, written as JSON and edited by hand."""

from dataclasses import dataclass, field
from typing import Literal

Value = str | int | float | bool
Kind = Literal["number", "boolean", "time", "duration"]
DateKind = Literal["date", "datetime"]
Task = Literal["classification", "regression", "multilabel"]

WORDS = 32
"""How many ids of words and parts of words ``Schema.encode`` keeps of a text."""

MISSING_DAY = -(2**31)
"""The day of a missing date."""


@dataclass(frozen=True)
class Format:
    """How the numbers of a column are written as text.

    ``decimal`` parts the whole from the fraction, ``thousands`` groups of digits ("" where nothing does), and
    one of ``units`` may stand before or after the digits (``$``, ``%``, ``kg``; its case does not count, and
    it changes no value: 12% is 12). Numbers with one of the units in ``negative`` are below 0 (``S`` of
    ``N`` and ``S``). Where they are ``marked``, the number is read beside what may stand with it: ``<0.01``,
    ``~120``, ``90+``, ``4.5*``, ``4.5[1]``, ``[98]``.
    """

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", "'", " ", "_"] = ""
    units: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    marked: bool = False


PLAIN = Format()


@dataclass(frozen=True)
class Number:
    """A column read as ``(value - offset) / scale`` in float64, then float32.

    Booleans are 0 and 1, times of day and durations seconds. The offset is not 0 only where float32 would
    lose digits. ``missing`` counts the cells without a finite value among the rows the schema was inferred
    from, ``low`` and ``high`` are the least and the greatest value in them.

    A column of text is read by ``format``; the texts in ``nulls`` are missing (besides the spellings in
    ``NULLS``), and those in ``true`` and ``false`` are a boolean's, in lower case. Any other text is an
    error.
    """

    name: str
    kind: Kind = "number"
    offset: float = 0.0
    scale: float = 1.0
    missing: int = 0
    format: Format = PLAIN
    nulls: tuple[str, ...] = ()
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    low: float | None = field(default=None, compare=False)
    high: float | None = field(default=None, compare=False)
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True)
class Category:
    """A column coded by its levels: level ``i`` is ``i + 1``; missing and unseen are 0.

    Blanks around a text do not count; with ``ignore_case`` neither do its case and how wide its inner blanks
    are.
    """

    name: str
    levels: tuple[str, ...]
    missing: int = 0
    ignore_case: bool = False
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True)
class Date:
    """A column of dates or date-times, read as the day since 1970-01-01 and the second of that day.

    Text is read by ``format``: the codes of ``strptime`` (%Y %y %m %d %B %A %H %I %M %S %p %z, where %B and
    %A also read short names, and %S fractions), or ISO 8601 in any of its usual lengths where it is "", and
    with ``iso`` besides. With a time zone it is UTC. Two-digit years are 1970 to 2069. Months are read in
    English, German, French, Spanish and Italian. Whole numbers are read by ``%Y%m%d`` and ``%Y%m%d%H%M%S``,
    and since 1970 as seconds (``%s``), milliseconds (``%s%3f``) or microseconds (``%s%6f``). ``nulls`` as in
    ``Number``.
    """

    name: str
    kind: DateKind = "date"
    format: str = ""
    missing: int = 0
    nulls: tuple[str, ...] = ()
    iso: bool = False
    low: str | None = field(default=None, compare=False)
    high: str | None = field(default=None, compare=False)
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True)
class Text:
    """A column of free text, read as the hashed ids of its words and of parts of them."""

    name: str
    missing: int = 0
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True)
class Dropped:
    """A column that is not used, and why."""

    name: str
    reason: str

    @property
    def evidence(self) -> str:
        """The reason."""
        return self.reason


@dataclass(frozen=True)
class Target:
    """What is predicted: one of ``classes``, or a number learned as ``(value - offset) / scale``.

    ``reason`` says why it was taken for that. Text is read by ``format``, ``nulls`` and ``ignore_case``, as
    in ``Number`` and ``Category``.
    """

    name: str
    task: Literal["classification", "regression"]
    reason: str = "given"
    classes: tuple[Value, ...] = ()
    offset: float = 0.0
    scale: float = 1.0
    ignore_case: bool = False
    format: Format = PLAIN
    nulls: tuple[str, ...] = ()


Column = Number | Category | Date | Text
