"""What a column of text is, judged from its distinct values."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl

from jdl.data import clock, dates, numerals, truth
from jdl.data.columns import Category, Column, Date, Dropped, Number, Text
from jdl.data.fitted import fitted
from jdl.data.levels import merged
from jdl.data.nulls import clean, looks_null

FEW_ROWS = 20
"""Below this, that all values differ says nothing about a column."""

MOST_LEVELS = 10_000
"""Where a category has more levels than this, those of a single row are left out: they count as unseen."""

_SAMPLE = 1000  # distinct texts by which a column is first judged; what is chosen is held against all

_KEYS = {
    "UUIDs": r"^\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?$",
    "hashes": r"^(?:0x)?(?:[0-9a-f]{16,128}|[0-9A-F]{16,128})$",
    "e-mail addresses": r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$",
    "web addresses": r"^(?i:(?:https?|ftp)://|www\.)\S+$",
    "telephone numbers": r"^\+\d[\d ()./-]{7,}$",
    "addresses of machines": r"^\d{1,3}(?:\.\d{1,3}){3}$|^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$",
}


class Texts(NamedTuple):
    """A column of text: its distinct values, cleaned, how many rows have each, and some of them."""

    name: str
    texts: pl.Series
    counts: pl.Series
    rows: int
    missing: int
    sample: pl.Series

    @property
    def present(self) -> int:
        """The rows that hold a text."""
        return self.rows - self.missing


Judge = Callable[[Texts], Column | Dropped | None]


def gather(column: pl.Series) -> Texts:
    """Count the distinct values of a column of text, blanks cut and missing values apart."""
    frame = column.alias("text").to_frame().group_by("text", maintain_order=True).agg(pl.len().alias("count"))
    cleaned = clean(frame["text"])
    if not cleaned.equals(frame["text"], null_equal=True):
        frame = frame.with_columns(cleaned).group_by("text", maintain_order=True).agg(pl.col("count").sum())
    there = frame.drop_nulls("text")
    texts, counts = there["text"], there["count"]
    sample = texts.gather_every(max(1, len(texts) // _SAMPLE))
    return Texts(column.name, texts, counts, len(column), len(column) - int(counts.sum() or 0), sample)


def judge(column: pl.Series) -> Column | Dropped:
    """Judge one column of text: number, boolean, date, time, duration, category, free text, or left out."""
    values = gather(column)
    if not values.present:
        return Dropped(values.name, "all missing")
    judges: list[Judge] = [_constant, _boolean, _compact_date, _key, digits, number, _date, _clock]
    for each in judges:
        found = each(values)
        if found is not None:
            return found
    return _category(values) if _is_repeated(values) else _written(values)


def number(values: Texts) -> Number | Dropped | None:
    """Judge whether a column of text holds numbers, besides few words that look like missing values."""
    form = numerals.find(values.sample)
    if form is None:
        return None
    for _ in range(2):  # what the sample missed may change the choice
        read = numerals.parse(values.texts, form)
        left = values.texts.filter(read.is_null())
        if not len(left):
            break
        again = numerals.find(pl.concat([values.sample, left.head(_SAMPLE)]))
        if again is None or again == form:
            break
        form = again
    strays = _strays(values, read)
    if strays is None:
        return None
    evidence = numerals.described(form)
    if numerals.ambiguous(values.sample.filter(values.sample.str.contains(",", literal=True)), form):
        evidence += " (ambiguous: the comma could be a decimal one)"
    return _numbered(values, read, strays, Number(values.name, "number", format=form, evidence=evidence))


def _constant(values: Texts) -> Dropped | None:
    if values.missing or len(values.texts) > 100:
        return None
    levels = merged(values.texts, values.counts)
    if levels is None or len(levels[0]) > 1:
        return None
    return Dropped(values.name, f"constant: every row holds {levels[0][0]!r}")


def _boolean(values: Texts) -> Number | Dropped | None:
    spelled = truth.find(values.texts.to_list()) if len(values.texts) <= 20 else None
    if spelled is None:
        return None
    read = truth.parse(values.texts, *spelled).cast(pl.Float64)
    evidence = f"text with two meanings: {', '.join(sorted(repr(text) for text in values.texts))}"
    part = Number(values.name, "boolean", true=spelled[0], false=spelled[1], evidence=evidence)
    return _numbered(values, read, {}, part)


def _key(values: Texts) -> Dropped | None:
    """Find texts of which each stands for one thing, by how they are written."""
    distinct = len(values.texts)
    if not (2 * distinct > values.present or (distinct > FEW_ROWS and FEW_ROWS * distinct > values.present)):
        return None
    for what, pattern in _KEYS.items():
        if not values.sample.str.contains(pattern).all():
            continue
        share = values.texts.str.contains(pattern).mean()
        letters = what != "hashes" or values.sample.str.contains(r"\d.*[A-Fa-f]|[A-Fa-f].*\d").any()
        if letters and isinstance(share, float) and share > 0.99:
            return Dropped(values.name, f"identifier: {what}, {distinct} different in {values.present} rows")
    return None


def digits(values: Texts) -> Column | Dropped | None:
    """Find codes of digits: with zeros in front, or too long to be quantities."""
    if not values.sample.str.contains(r"^\d+$").all():
        return None
    if not values.texts.str.contains(r"^\d+$").mean() > 0.99:  # type: ignore[operator]
        return None
    zeros = values.texts.filter(values.texts.str.contains(r"^0\d"))
    if len(zeros):
        why = f"digits with zeros in front, as {zeros[0]!r}"
        return _nearly_unique(values, why) or _category(values, why)
    long = values.texts.str.len_bytes().min()
    if isinstance(long, int) and long > 15:
        return _nearly_unique(values, f"numbers of {long} digits and more")
    return None


def _date(values: Texts) -> Date | None:
    ways = dates.find(values.sample)
    if not ways:
        return None
    read = [dates.parse(values.texts, way.format) for way in ways]
    counts = [part.count() for part in read]
    best = max(range(len(ways)), key=counts.__getitem__)
    equal = [i for i in range(len(ways)) if counts[i] == counts[best]]
    note = ""
    if len(equal) > 1 and "." not in ways[best].format.replace("%.f", ""):  # with points the day comes first
        # Of readings that all fit the one is taken in which the rows are in order, as in a log.
        ordered = [i for i in equal if len(values.texts) >= 10 and _in_order(read[i])]
        best = ordered[0] if len(ordered) == 1 else best
        why = "the rows are in order in the one taken" if len(ordered) == 1 else "taken is the usual one"
        others = " or ".join(ways[i].format for i in equal if i != best)
        note = f" (ambiguous: {others} fits as well; {why})"
    strays = _strays(values, read[best], dates.is_shaped)
    if strays is None:
        return None
    way, moments = ways[best], read[best]
    kept = moments.drop_nulls()
    timed = way.kind == "datetime" and bool((kept != kept.dt.truncate("1d")).any())
    written = f"written as {way.format}" if way.format else "in ISO 8601"
    low, high = (str(moment.date()) for moment in (kept.min(), kept.max()))  # type: ignore[union-attr]
    return Date(
        values.name, "datetime" if timed else "date", way.format, values.missing + sum(strays.values()),
        tuple(strays), low, high,
        f"text read as {'date-times' if timed else 'dates'} {written}{note}{_told(strays)}",
    )  # fmt: skip


def _compact_date(values: Texts) -> Date | None:
    """Find days such as 20240131, before they are taken for numbers."""
    return _date(values) if values.sample.str.contains(r"^(?:19|20)\d{6}\b").all() else None


def _in_order(moments: pl.Series) -> bool:
    return moments.is_sorted() or moments.is_sorted(descending=True)


def _clock(values: Texts) -> Number | Dropped | None:
    kind = clock.kind_of(values.sample)
    if kind is None:
        return None
    read = clock.parse(values.texts, kind)
    if kind == "time" and clock.parse(values.texts.filter(read.is_null()), "duration").count():
        kind, read = "duration", clock.parse(values.texts, "duration")
    strays = _strays(values, read)
    if strays is None:
        return None
    what = "times of day" if kind == "time" else "durations"
    return _numbered(
        values, read, strays, Number(values.name, kind, evidence=f"text read as {what}, in seconds")
    )


def _written(values: Texts) -> Column | Dropped:
    """Judge texts that mostly differ: free text, or keys."""
    some = values.sample
    words = some.str.count_matches(r"[\p{L}][\p{L}\p{M}'’-]+").mean()
    signs = some.str.count_matches(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]").mean()
    assert isinstance(words, float) and isinstance(signs, float)
    several = words + signs / 3 >= 2
    if several:
        evidence = (
            f"{len(values.texts)} different texts of {words:.1f} words on average in {values.present} rows"
        )
        return Text(values.name, values.missing, evidence)
    return _nearly_unique(values) or _category(values)


def _is_repeated(values: Texts) -> bool:
    """Tell whether texts recur enough to be levels; long ones may recur and still be text."""
    words = values.sample.str.count_matches(r"\s+").mean()
    long = isinstance(words, float) and words >= 6
    return len(values.texts) * (5 if long else 2) <= values.present


def _nearly_unique(values: Texts, why: str = "") -> Dropped | None:
    distinct, present = len(values.texts), values.present
    most = distinct == present if present < 10 * FEW_ROWS else 10 * distinct >= 9 * present
    many = 2 * distinct > present and distinct > 1000
    if present < FEW_ROWS or not (most or many):
        return None
    reason = f"identifier: {distinct} different texts in {present} rows"
    return Dropped(values.name, f"{reason}, {why}" if why else reason)


def _category(values: Texts, why: str = "") -> Category:
    levels = merged(values.texts, values.counts)
    ignore_case = levels is not None
    if levels is None:
        frame = pl.DataFrame([values.texts.alias("text"), values.counts]).sort("text")
        levels = frame["text"].to_list(), frame["count"].to_list(), 0
    names, counts, spellings = levels
    evidence = (
        f"{why}: {len(names)} levels" if why else f"text with {len(names)} levels in {values.present} rows"
    )
    if spellings:
        evidence += f"; {spellings} other spellings of them in case or blanks"
    elif not ignore_case:
        evidence += "; upper and lower case tell them apart"
    if len(names) > MOST_LEVELS:
        names = [name for name, count in zip(names, counts, strict=True) if count > 1]
        evidence += f"; the {len(counts) - len(names)} of a single row count as unseen"
    return Category(values.name, tuple(names), values.missing, ignore_case, evidence)


def _strays(
    values: Texts, read: pl.Series, shaped: Callable[[str], bool] = lambda text: False
) -> dict[str, int] | None:
    """Give the texts that could not be read and their rows, None where they are too many for missing values.

    Half the rows may hold texts that say so; a tenth those that are ``shaped`` right, as impossible days are;
    a twentieth up to five other words.
    """
    unread = read.is_null()
    texts, counts = values.texts.filter(unread), values.counts.filter(unread)
    rows = int(counts.sum() or 0)
    if 2 * rows > values.present or len(texts) > 100 or not len(read) > len(texts):
        return None
    if all(looks_null(text) for text in texts):
        return dict(zip(texts, counts, strict=True))
    if 10 * rows <= values.present and all(looks_null(text) or shaped(text) for text in texts):
        return dict(zip(texts, counts, strict=True))
    few = len(texts) <= 5 and 20 * rows <= values.present and len(read) - len(texts) > FEW_ROWS
    return dict(zip(texts, counts, strict=True)) if few else None


def _told(strays: dict[str, int]) -> str:
    if not strays:
        return ""
    shown = ", ".join(f"{text!r} ({count} rows)" for text, count in list(strays.items())[:5])
    return f"; {shown}{', …' if len(strays) > 5 else ''} {'is' if len(strays) == 1 else 'are'} missing"


def _numbered(values: Texts, read: pl.Series, strays: dict[str, int], part: Number) -> Number | Dropped:
    there = read.is_finite().fill_null(False)
    numbers = read.filter(there).to_numpy()
    if not len(numbers):
        return Dropped(values.name, "all missing: no finite value")
    counts = values.counts.filter(there).to_numpy()
    missing = values.rows - int(counts.sum())
    if not missing and numbers.min() == numbers.max():
        return Dropped(values.name, f"constant: every row holds {values.texts[0]!r}")
    fit = fitted(np.repeat(numbers, counts))
    return replace(
        part, offset=fit.offset, scale=fit.scale, low=fit.low, high=fit.high, missing=missing,
        nulls=tuple(strays), evidence=part.evidence + _told(strays),
    )  # fmt: skip
