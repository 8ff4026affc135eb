"""What a column of text is, judged from its distinct values."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from jdl.data import clock, dates, judge_levels, numerals, truth
from jdl.data.columns import Column, Date, Dropped, Format, Number
from jdl.data.distinct import FEW_ROWS, SAMPLE, Texts, gather
from jdl.data.fitted import fitted
from jdl.data.judge_levels import digits, key
from jdl.data.levels import merged
from jdl.data.nulls import looks_null

Judge = Callable[[Texts], Column | Dropped | None]


def judge(column: pl.Series) -> Column | Dropped:
    """Judge one column of text: number, boolean, date, time, duration, category, free text, or left out."""
    values = gather(column)
    if not values.present:
        return Dropped(values.name, "all missing")
    judges: list[Judge] = [_constant, _boolean, _compact_date, key, digits, number, _date, _clock]
    for each in judges:
        found = each(values)
        if found is not None:
            return found
    return judge_levels.category(values) if judge_levels.is_repeated(values) else judge_levels.text(values)


def number(values: Texts) -> Number | Dropped | None:
    """Judge whether a column of text holds numbers, besides few words that look like missing values."""
    form = numerals.find(values.sample)
    if form is None:
        return None
    read = numerals.parse(values.texts, form)
    for _ in range(2):  # what the sample missed may change the choice
        left = values.texts.filter(read.is_null())
        again = numerals.find(pl.concat([values.sample, left.head(SAMPLE)])) if len(left) else None
        if again is None or again == form:
            break
        form, read = again, numerals.parse(values.texts, again)
    form, read, marked = _with_marks(values, form, read)
    strays = _strays(values, read)
    if strays is None:
        return None
    evidence = numerals.described(form) + marked
    if numerals.ambiguous(values.sample.filter(values.sample.str.contains(",", literal=True)), form):
        evidence += " (ambiguous: the comma could be a decimal one)"
    return _numbered(values, read, strays, Number(values.name, "number", format=form, evidence=evidence))


def _with_marks(values: Texts, form: Format, read: pl.Series) -> tuple[Format, pl.Series, str]:
    """Read numbers beside their marks, too, where at most half the rows have one and ten values have none."""
    if not read.null_count():
        return form, read, ""
    beside = numerals.parse(values.texts, replace(form, marked=True))
    marked = read.is_null() & beside.is_not_null()
    rows = int(values.counts.filter(marked).sum() or 0)
    if not rows or 2 * rows > values.present or read.count() < FEW_ROWS // 2:
        return form, read, ""
    texts = values.texts.filter(marked)
    some = ", ".join(map(repr, texts.head(3))) + (", …" if len(texts) > 3 else "")
    told = f"; in {rows} of {values.present} rows beside a mark, as in {some}"
    return replace(form, marked=True), beside, told


def _constant(values: Texts) -> Dropped | None:
    if values.missing or len(values.texts) > 100:
        return None
    levels = merged(values.texts, values.counts)
    if levels is None or len(levels[0]) > 1:
        return None
    return Dropped(values.name, f"constant: every row holds {levels[0][0]!r}")


def _boolean(values: Texts) -> Number | Dropped | None:
    if len(values.texts) > 20:
        return None
    nulls = [text for text in values.texts if looks_null(text)]
    there = values.texts.filter(~values.texts.is_in(nulls))
    spelled = truth.find(there.to_list())
    if spelled is None:
        return None
    read = truth.parse(values.texts, *spelled).cast(pl.Float64)
    strays = dict(zip(*(part.filter(read.is_null()) for part in (values.texts, values.counts)), strict=True))
    if 10 * sum(strays.values()) > values.present:  # a level of its own
        return None
    evidence = f"text with two meanings: {', '.join(sorted(map(repr, there)))}"
    part = Number(values.name, "boolean", true=spelled[0], false=spelled[1], evidence=evidence)
    return _numbered(values, read, strays, part)


def _date(values: Texts) -> Date | None:
    ways = dates.find(values.sample)
    if not ways:
        return None
    read = [dates.parse(values.texts, way.format, way.iso) for way in ways]
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
    written += " or in ISO 8601" * way.iso
    low, high = (str(moment.date()) for moment in (kept.min(), kept.max()))  # type: ignore[union-attr]
    return Date(
        values.name, "datetime" if timed else "date", way.format, values.missing + sum(strays.values()),
        tuple(strays), way.iso, low, high,
        f"text read as {'date-times' if timed else 'dates'} {written}{note}{_told(strays)}",
    )  # fmt: skip


def _compact_date(values: Texts) -> Date | None:
    """Find days such as 20240131 and moments such as 20240131103000, before they are taken for numbers."""
    return _date(values) if values.sample.str.contains(r"^(?:19|20)\d{6}(?:\d{6})?\b").all() else None


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


def _strays(
    values: Texts, read: pl.Series, shaped: Callable[[str], bool] = lambda text: False
) -> dict[str, int] | None:
    """Give the texts that could not be read and their rows, None where they are too many for missing values.

    Half the rows may hold texts that say so; a tenth those that are ``shaped`` right, as impossible days are;
    a twentieth up to five other words, a fifth a single one, where other values are many.
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
    many = len(read) - len(texts) > FEW_ROWS
    few = many and len(texts) <= 5 and 20 * rows <= values.present
    one = len(texts) == 1 and len(texts[0]) > 1 and texts[0].isalpha()
    few |= many and one and 5 * rows <= values.present
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
