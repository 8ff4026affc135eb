"""Dates and date-times written as text: how a column writes them, and what they are."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import polars as pl

from jdl.data.columns import DateKind
from jdl.data.months import FOREIGN, in_english

_MONTH = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t|tember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
    rf"|{FOREIGN})"
)
_WEEKDAY = r"(?i:mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
_ZONE = r"(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})"
_TIME = re.compile(
    r"(?P<gap>[T ,]+)(?P<clock>\d{1,2}:\d{2})(?P<seconds>:\d{2}(?:\.\d+)?)?"
    rf"(?P<half> ?[AaPp][Mm])?(?P<zone> ?{_ZONE})?$"
)
_TOKEN = re.compile(
    rf"(?P<month>(?<![^\W\d_]){_MONTH}(?![^\W\d_]))|(?P<weekday>\b{_WEEKDAY}\b)|(?P<digits>\d+)|(?P<other>[^\W\d_]+)"
)


_ISO = "%Y-#-#"

MOMENT = "%Y%m%d%H%M%S"
"""Date-times in fourteen digits."""

EPOCHS = {"%s": 1_000_000, "%s%3f": 1000, "%s%6f": 1}
"""Whole numbers since 1970 in UTC, and how many microseconds one of them has."""

EPOCH_UNITS = {"%s": "seconds", "%s%3f": "milliseconds", "%s%6f": "microseconds"}
"""Their names."""

WHOLE = ("%Y%m%d", MOMENT, *EPOCHS)
"""The formats of whole numbers."""


class Found(NamedTuple):
    """How a column writes its dates."""

    format: str
    kind: DateKind
    iso: bool = False


def parse(text: pl.Series, format: str, iso: bool = False) -> pl.Series:
    """Read text as date-times without a zone (what has one is written in UTC); null where it does not fit.

    With ``iso`` days and date-times in ISO 8601 are read besides.

    >>> parse(pl.Series(["31.12.2024", "2024-12-30", "soon"]), "%d.%m.%Y", True).to_list()
    [datetime.datetime(2024, 12, 31, 0, 0), datetime.datetime(2024, 12, 30, 0, 0), None]
    >>> parse(pl.Series(["2024-12-31", "2024-12-31T23:30:00+01:00"]), "").to_list()
    [datetime.datetime(2024, 12, 31, 0, 0), datetime.datetime(2024, 12, 31, 22, 30)]
    """
    if format in WHOLE:
        text = text.str.replace(r"\.0+$", "")  # as files write whole numbers with gaps
    if format in EPOCHS:
        return _since(text, EPOCHS[format])
    if not format:
        return _iso(text)
    moments = _strictly(text, format)
    left = (moments.is_null() & text.is_not_null()).arg_true()
    if not (iso and len(left)):
        return moments
    return moments.scatter(left, _iso(text.gather(left)))


def find(sample: pl.Series) -> list[Found]:
    """Give the ways in which most of a sample of texts may write dates, the likeliest first."""
    shapes = Counter(shape for shape in map(_shape, sample.to_list()) if shape)
    if not shapes:
        return []
    days: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for (day, time), count in shapes.items():
        days[day] += count
        times[time] += count
    day, count = days.most_common(1)[0]
    others = [other for other, rows in days.most_common(2) if other != _ISO and 20 * rows >= len(sample)]
    iso = day == _ISO and bool(others) and any(_orders(others[0]))
    if iso:  # two ways of writing: the other is to be told
        day, count = others[0], count + days[others[0]]
        times = Counter({time: rows for (date, time), rows in shapes.items() if date == day})
    elif day != _ISO and 20 * days[_ISO] >= len(sample):
        iso, count = True, count + days[_ISO]
    if 2 * count < len(sample):
        return []
    kind: DateKind = "datetime" if any(times) else "date"
    if day == _ISO and not any("%p" in time for time in times):
        return [Found("", kind)]
    time = times.most_common(1)[0][0]
    timed = bool(time) or (iso and any(time for date, time in shapes if date == _ISO))
    return [Found(f"{date}{time}", "datetime" if timed else "date", iso) for date in _orders(day)]


def find_epoch(low: float, high: float) -> str | None:
    """Give the format of whole numbers that are all moments from 1980 to 2100, counted from 1970.

    >>> find_epoch(1.6e9, 1.7e9), find_epoch(1.6e12, 1.7e12), find_epoch(0, 1.7e9)
    ('%s', '%s%3f', None)
    """
    for form, micros in EPOCHS.items():
        if low * micros >= 315_532_800e6 and high * micros <= 4_102_444_800e6:
            return form
    return None


def is_shaped(text: str) -> bool:
    """Tell whether a text has the shape of a date, though perhaps of none that there is."""
    return _shape(text) is not None


def _shape(text: str) -> tuple[str, str] | None:
    """Give the shape of a date, its day, month and short years as ``#``, and the format of its time."""
    time = _TIME.search(text)
    day, clock = (text[: time.start()], _clock(time)) if time else (text, "")
    if re.fullmatch(r"\d{8}T\d{6}", text):
        day, clock = text[:8], "T%H%M%S"
    if re.fullmatch(r"\d{14}", text):
        day, clock = text[:8], "%H%M%S"
    if re.fullmatch(r"\d{8}", day):
        return ("%Y%m%d", clock) if 1800 <= int(day[:4]) <= 2200 else None
    wrong, parts, short = False, [], []

    def token(found: re.Match[str]) -> str:
        nonlocal wrong
        if found["month"] or found["weekday"]:
            parts.append("%B" if found["month"] else "%A")
            return parts[-1]
        digits = found["digits"] or ""
        year = len(digits) == 4 and 1800 <= int(digits) <= 2200
        wrong |= not (year or len(digits) in (1, 2))
        if not year:
            short.append(len(digits))
        parts.append("%Y" if year else "#")
        return parts[-1]

    shape = _TOKEN.sub(token, day.strip())
    counts = Counter(parts)
    wrong |= re.fullmatch(r"(?:%A,? )?(?:[%#][YB]?[-/., ]{0,2}){2,3}", shape) is None
    wrong |= counts["%Y"] > 1 or counts["%B"] > 1 or (not counts["%Y"] and short[-1:] == [1])
    return None if wrong else (shape, clock)


def _clock(time: re.Match[str]) -> str:
    """Give the format of a time that follows a date."""
    seconds = ":%S%.f" if time["seconds"] else ""
    half = time["half"]
    zone = time["zone"]
    hours = "%I:%M" if half else "%H:%M"
    after = "" if half is None else half[: len(half) - 2] + "%p"
    return (
        time["gap"]
        + hours
        + seconds
        + after
        + (f"{zone[: len(zone) - len(zone.lstrip())]}%z" if zone else "")
    )


def _orders(shape: str) -> Iterator[str]:
    """Give the formats that a shape may have, the likeliest first."""
    if shape == "%Y%m%d":
        yield shape
        return
    short, named, year = shape.count("#"), "%B" in shape, "%Y" in shape
    codes: list[str]
    if named:
        first_is_day = shape.find("#") < shape.find("%B")
        codes = {
            (1, True): ["d"],
            (0, True): [""],
            (1, False): [] if first_is_day else ["y"],
            (2, False): ["dy"],
        }.get((short, year), [])
    elif year:
        last = shape.endswith("%Y")
        days = ["dm", "md"] if "/" not in shape else ["md", "dm"]
        codes = {2: days if last else ["md"], 1: ["m"] if re.search(r"[-/]", shape) else []}.get(short, [])
    else:
        codes = (["mdy", "dmy", "ymd"] if "/" in shape else ["dmy", "mdy", "ymd"]) if short == 3 else []
    for order in codes:
        parts = shape.split("#")
        yield "".join(
            part + (f"%{code}" if code else "") for part, code in zip(parts, [*order, ""], strict=True)
        )


def _strictly(text: pl.Series, format: str) -> pl.Series:
    if "%z" in format:
        text = text.str.replace(r"(?:Z|UTC|GMT)$", "+0000")
    text = text.str.replace(r"(?i)\bsept\b", "Sep") if "%B" in format else text
    if "%d" not in format:
        text, format = text + " 01", f"{format} %d"
    moments = _stripped(text, format)
    if "%B" in format and moments.null_count() > text.null_count():
        moments = moments.fill_null(_stripped(in_english(text), format))
    if format.startswith("%Y%m%d"):  # strptime would read 2024013 as well
        width = 14 if format == MOMENT else 8
        moments = moments.set(~text.str.contains(rf"^\d{{{width}}}(?:\D|$)").fill_null(False), None)
    return _likely(moments)


def _stripped(text: pl.Series, format: str) -> pl.Series:
    if "%H" in format or "%I" in format:
        return text.str.to_datetime(format, strict=False, time_unit="us")
    return text.str.to_date(format, strict=False).cast(pl.Datetime("us"))


def _since(text: pl.Series, micros: int) -> pl.Series:
    counts = text.cast(pl.Int64, strict=False)
    counts = counts.set((counts.abs() > 250_000_000_000 * 1_000_000 // micros).fill_null(False), None)
    return _likely((counts * micros).cast(pl.Datetime("us")))


def _iso(text: pl.Series) -> pl.Series:
    zoned = text.str.contains(r"(?:Z|UTC|GMT)$").any()
    spaced = text.str.replace(r" ?(?:Z|UTC|GMT)$", "+0000") if zoned else text
    spaced = spaced.str.replace("T", " ", literal=True)
    readers: list[Callable[[pl.Series], pl.Series]] = [
        lambda s: s.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
        *(
            lambda s, f=f: s.str.to_datetime(
                f"%Y-%m-%d {f}", strict=False, time_unit="us"
            ).dt.replace_time_zone(None)
            for f in ("%H:%M:%S%.f", "%H:%M", "%H:%M:%S%.f%z", "%H:%M%z", "%H:%M:%S%.f %z")
        ),
    ]
    some = spaced.drop_nulls()
    if len(some) and ":" in some[0]:
        readers.append(readers.pop(0))  # mostly date-times, not dates
    values = _likely(readers[0](spaced))
    for reader in readers[1:]:
        left = (values.is_null() & spaced.is_not_null()).arg_true()
        if not len(left):
            break
        values = values.scatter(left, _likely(reader(spaced.gather(left))))
    return values


def _likely(moments: pl.Series) -> pl.Series:
    """Drop the zone, and what strptime reads with a year of two digits for ``%Y``."""
    moments = moments.dt.replace_time_zone(None)
    return moments.set(~moments.dt.year().is_between(1000, 9999).fill_null(False), None)
