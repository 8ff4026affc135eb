"""What one column is, judged from its values."""

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data import dates, judge_text, names
from jdl.data.columns import MISSING_DAY, Category, Column, Date, Dropped, Kind, Number
from jdl.data.describe import number_shown
from jdl.data.distinct import FEW_ROWS
from jdl.data.encode import as_text, to_days, to_float
from jdl.data.errors import DataError
from jdl.data.fitted import fitted
from jdl.data.nulls import clean


def judge(column: pl.Series) -> Column | Dropped:
    """Judge one column by its values, and say why in its ``evidence``.

    >>> judge(pl.Series("paid", ["$1,200.50", "$900", "unknown"] * 9)).evidence
    "text read as numbers with ',' between thousands, unit '$'; 'unknown' (9 rows) is missing"
    """
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        return judge_text.judge(column)
    column = clean(column)
    dtype = column.dtype
    if column.null_count() == len(column):
        return Dropped(column.name, "all missing")
    if dtype in (pl.Date, pl.Datetime):
        return _judge_dates(column)
    kinds: dict[type[pl.DataType], Kind] = {pl.Boolean: "boolean", pl.Time: "time", pl.Duration: "duration"}
    kind = "number" if dtype.is_numeric() else kinds.get(dtype.base_type())
    if kind is None:
        return Dropped(column.name, f"unsupported: of type {dtype}")
    return _judge_numbers(column, kind)


def _judge_numbers(column: pl.Series, kind: Kind) -> Column | Dropped:
    name = column.name
    number = Number(name, kind)
    values = to_float(column, number)
    finite = values[np.isfinite(values)]
    missing = len(values) - len(finite)
    if not len(finite):
        return Dropped(name, "all missing: no finite value")
    low, high = float(finite.min()), float(finite.max())
    if low == high and column.dtype.is_integer() and column.n_unique() - bool(missing) > 1:
        return _judge_too_long(column, missing)
    if low == high and not missing:
        return Dropped(name, f"constant: every row holds {column[0]}")
    whole = kind == "number" and (column.dtype.is_integer() or bool((finite == np.round(finite)).all()))
    if whole:
        other = _judge_whole(column.cast(pl.Int64, strict=False), low, high, missing)
        if other is not None:
            return other
    what = {"number": f"{'whole' if whole else 'fractional'} numbers", "boolean": "true or false"}.get(
        kind, "times of day" if kind == "time" else "durations, in seconds"
    )
    gaps = f", {missing} missing" if missing else ""
    infinite = int(np.isinf(values).sum())
    gaps += f" ({infinite} of them infinite)" if infinite else ""
    if whole and column.dtype.is_float():
        gaps += ", held as floats"
    evidence = f"{what} from {number_shown(low)} to {number_shown(high)}{gaps}"
    return replace(fitted(finite), name=name, kind=kind, missing=missing, evidence=evidence)


def _judge_whole(column: pl.Series, low: float, high: float, missing: int) -> Column | Dropped | None:
    """Look whether whole numbers are keys, codes or dates rather than quantities."""
    rows, name = len(column), column.name
    present = rows - missing
    enough = FEW_ROWS if names.is_index(name) else 5 * FEW_ROWS
    if not missing and high - low == rows - 1 and rows >= enough and column.n_unique() == rows:
        return Dropped(name, f"identifier: counts the rows from {low:.0f} to {high:.0f}")
    date = _judge_moments(column, low, high, missing)
    if date is not None:
        return date
    long = low >= 1e15 and not missing and rows >= FEW_ROWS and not _looks_like_time(low, high)
    if long and column.n_unique() == rows and not names.is_quantity(name):
        return Dropped(
            name, f"identifier: {rows} different whole numbers of 16 digits and more in {rows} rows"
        )
    counted = names.may_be_key(name) and not missing and rows >= FEW_ROWS and column.n_unique() == rows
    if not (names.is_key(name) or counted) or column.null_count() > missing or present < FEW_ROWS:
        return None
    texts = as_text(column).drop_nulls().unique()
    if len(texts) <= 2:  # a flag, whatever its name
        return None
    if 10 * len(texts) >= 9 * present:
        return Dropped(
            name, f"identifier: {len(texts)} different whole numbers in {present} rows, by its name a key"
        )
    evidence = f"whole numbers with {len(texts)} values, by the column's name codes and no quantities"
    return Category(name, tuple(texts.sort()), missing, evidence=evidence)


def _judge_moments(column: pl.Series, low: float, high: float, missing: int) -> Date | None:
    """Find whole numbers that are days or moments, by their digits or, counted from 1970, by the name."""
    name = column.name
    found = None
    if low >= 19000101 and high <= 21001231:
        found = Date(name, "date", "%Y%m%d", evidence="whole numbers that are all dates, written as %Y%m%d")
    elif low >= 19000101000000 and high <= 21001231235959:
        evidence = f"whole numbers that are all date-times, written as {dates.MOMENT}"
        found = Date(name, "datetime", dates.MOMENT, evidence=evidence)
    if found is not None and column.drop_nulls().n_unique() >= 3:
        try:
            days = to_days(column.drop_nulls(), found)
        except DataError:
            days = None
        if days is not None:
            return _dated(days[:, 0], replace(found, missing=missing))
    form = dates.find_epoch(low, high) if names.is_time(name) else None
    if form is None:
        return None
    evidence = f"whole numbers, by the column's name {dates.EPOCH_UNITS[form]} since 1970 in UTC"
    found = Date(name, "datetime", form, missing, evidence=evidence)
    return _dated(to_days(column.drop_nulls(), found)[:, 0], found)


def _judge_too_long(column: pl.Series, missing: int) -> Category | Dropped:
    """Judge whole numbers that a float cannot tell apart."""
    texts, present = as_text(column).drop_nulls().unique(), len(column) - missing
    why = "whole numbers that differ in their last digits alone"
    if 2 * len(texts) > present:
        return Dropped(column.name, f"identifier: {len(texts)} different in {present} rows, {why}")
    return Category(column.name, tuple(texts.sort()), missing, evidence=f"{why}: {len(texts)} levels")


def _looks_like_time(low: float, high: float) -> bool:
    """Tell whether whole numbers may be microseconds or nanoseconds since 1970."""
    return high < 2.2e15 or (low > 1e18 and high < 2.2e18)


def _judge_dates(column: pl.Series) -> Date | Dropped:
    plain = column.dtype == pl.Date
    date = Date(column.name, "date" if plain else "datetime")
    days = to_days(column, date)
    there = days[:, 0] != MISSING_DAY
    missing = int((~there).sum())
    if not missing and (days == days[:1]).all():
        return Dropped(column.name, f"constant: every row holds {column[0]}")
    midnight = not plain and not days[there, 1].any()
    kind = (
        "of dates" if plain else "of dates, with times that are all midnight" if midnight else "of date-times"
    )
    zone = getattr(column.dtype, "time_zone", None)
    evidence = f"a column {kind}{f', in UTC from {zone}' if zone else ''}"
    return _dated(
        days[there, 0],
        replace(date, kind="date" if plain or midnight else "datetime", missing=missing, evidence=evidence),
    )


def _dated(days: NDArray[np.int32], date: Date) -> Date:
    low, high = (str(np.datetime64(int(day), "D")) for day in (days.min(), days.max()))
    return replace(date, low=low, high=high)
