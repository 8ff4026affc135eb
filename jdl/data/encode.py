"""Rows to arrays, as a schema says."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data import clock, dates, matrix, ngrams, numerals, truth
from jdl.data.columns import MISSING_DAY, WORDS, Category, Date, Number
from jdl.data.errors import DataError, unknown_column
from jdl.data.levels import folded
from jdl.data.nulls import clean

if TYPE_CHECKING:
    from jdl.data.schema import Schema

LARGEST = float(np.finfo(np.float32).max)
"""Numbers are cut to what float32 holds."""

_TRIED = 10_000  # rows by which it is told whether texts recur
_DAY = 86_400_000_000  # microseconds


def rows(schema: "Schema", frame: pl.DataFrame) -> dict[str, NDArray]:
    """See ``Schema.encode``."""
    n = frame.height
    numbers = matrix.numbers(schema, frame, _number)
    categories = np.zeros((n, len(schema.categories)), np.int32)
    for i, category in enumerate(schema.categories):
        categories[:, i] = to_codes(column_of(frame, category.name), category)
    days = np.zeros((n, len(schema.dates), 2), np.int32)
    for i, date in enumerate(schema.dates):
        days[:, i] = to_days(column_of(frame, date.name), date)
    texts = np.zeros((n, len(schema.texts), WORDS), np.int32)
    for i, text in enumerate(schema.texts):
        texts[:, i] = ngrams.ids(clean(as_text(column_of(frame, text.name))))
    return {"numbers": numbers, "categories": categories, "dates": days, "texts": texts}


def _number(frame: pl.DataFrame, number: Number) -> NDArray[np.float64]:
    return _shifted(to_float(column_of(frame, number.name), number), number)


def to_float(column: pl.Series, number: Number) -> NDArray[np.float64]:
    """Read a column as float64, NaN where it is missing; raises ``DataError`` naming the first bad row."""
    column = clean(column)
    dtype = column.dtype
    if dtype == pl.Null:
        return np.full(len(column), np.nan)
    if dtype == pl.String:
        values = _read(column, number)
    elif number.kind in ("time", "duration") and dtype == pl.Time:  # short durations read as times of day
        values = column.to_physical() / 1e9
    elif number.kind == "duration" and dtype == pl.Duration:
        values = column.dt.total_microseconds() / 1e6
    elif number.kind in ("number", "boolean") and (dtype.is_numeric() or dtype == pl.Boolean):
        values = column
    else:
        raise _other_type(column, needs(number))
    numbers = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
    if number.kind == "boolean" and dtype.is_numeric():
        wrong = ~(np.isnan(numbers) | (numbers == 0) | (numbers == 1))
        if wrong.any():
            _refuse(column, int(wrong.argmax()), needs(number))
    return numbers


def to_codes(column: pl.Series, category: Category) -> NDArray[np.int32]:
    """Give each value the code of its level: level ``i`` is ``i + 1``, what is missing or unseen 0."""
    column = as_text(column)
    distinct = column.drop_nulls().unique()
    texts, levels = clean(distinct), pl.Series(category.levels, dtype=pl.String)
    if category.ignore_case:
        texts, levels = folded(texts), folded(levels)
    codes = pl.Series(range(1, len(levels) + 1), dtype=pl.Int32)
    found = texts.replace_strict(levels, codes, default=0, return_dtype=pl.Int32)
    left = (found == 0) & texts.is_not_null()
    if left.any():  # whole numbers as another file may write them: 17.0 for 17
        whole = texts.set(~left, None).str.extract(r"^([+-]?\d+)\.0+$")
        found = found.zip_with(~left, whole.replace_strict(levels, codes, default=0, return_dtype=pl.Int32))
    coded = column.replace_strict(distinct, found, default=0, return_dtype=pl.Int32)
    return coded.fill_null(0).to_numpy()


def to_days(column: pl.Series, date: Date) -> NDArray[np.int32]:
    """Read dates as (n, 2): the day since 1970-01-01 and the second of it. Errors as ``to_float``."""
    column = clean(column)
    dtype = column.dtype
    if dtype.is_numeric() and date.format in dates.WHOLE:
        column = as_text(column)
        dtype = column.dtype
    if dtype == pl.String:
        column = without(column, date.nulls)
        moments = by_distinct(column, lambda text: dates.parse(text, date.format, date.iso))
        require_read(column, moments, needs(date))
    elif dtype == pl.Null or dtype in (pl.Date, pl.Datetime):
        moments = column
    else:
        raise _other_type(column, needs(date))
    zone = getattr(moments.dtype, "time_zone", None)
    micros = moments.cast(pl.Datetime("us", zone)).to_physical()
    out = np.zeros((len(column), 2), np.int32)
    out[:, 0] = (micros // _DAY).cast(pl.Int32).fill_null(MISSING_DAY)
    if date.kind == "datetime":
        out[:, 1] = (micros % _DAY // 1_000_000).cast(pl.Int32).fill_null(0)
    return out


def as_text(column: pl.Series) -> pl.Series:
    """Write a column as text, whole numbers without a fraction; raises ``DataError`` for other things."""
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object, pl.Duration):
        raise _other_type(column, "text")
    if column.dtype.is_float():
        column = column.fill_nan(None)
        if (column == column.round()).all():
            column = column.cast(pl.Int64, strict=False)  # whole numbers with gaps come as floats
    return column.cast(pl.String)


def without(column: pl.Series, nulls: tuple[str, ...]) -> pl.Series:
    """Make further texts missing."""
    return column.set(column.is_in(nulls).fill_null(False), None) if nulls else column


def by_distinct(column: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Read each text once where many rows share them."""
    first = column.head(_TRIED)
    if len(column) <= _TRIED or 2 * first.n_unique() > len(first):
        return read(column)
    distinct = column.drop_nulls().unique()
    values = read(distinct)
    return column.replace_strict(distinct, values, default=None, return_dtype=values.dtype)


def require_read(column: pl.Series, values: pl.Series, needed: str) -> None:
    """Raise ``DataError`` naming the first row whose text could not be read."""
    bad = (values.is_null() & column.is_not_null()).arg_true()
    if len(bad):
        _refuse(column, bad[0], needed)


def column_of(frame: pl.DataFrame, name: str, role: str = "column") -> pl.Series:
    """Give a column; raises ``DataError`` where it is not there, naming the nearest."""
    if name not in frame.columns:
        raise unknown_column(name, frame.columns, role)
    return frame[name]


def _other_type(column: pl.Series, needed: str) -> DataError:
    return DataError(
        f"column {column.name!r}: holds {column.dtype}; needs {needed} in every row", column=column.name
    )


def _refuse(column: pl.Series, row: int, needed: str) -> None:
    raise DataError(
        f"column {column.name!r}, row {row + 1}: found {column[row]!r}, needs {needed}; "
        "correct the value or leave it empty",
        column=column.name,
        row=row + 1,
    )


def _shifted(values: NDArray[np.float64], number: Number) -> NDArray[np.float64]:
    values = np.where(np.isfinite(values), values, np.nan)
    with np.errstate(over="ignore"):  # what overflows is cut
        return np.clip(values / number.scale - number.offset / number.scale, -LARGEST, LARGEST)


def _read(column: pl.Series, number: Number) -> pl.Series:
    """Read text as the number says."""
    column = without(column, number.nulls)
    if number.kind == "number":
        values = by_distinct(column, lambda text: numerals.parse(text, number.format))
    elif number.kind == "boolean":
        values = by_distinct(column, lambda text: truth.parse(text, number.true, number.false))
    else:
        values = by_distinct(column, lambda text: clock.parse(text, number.kind))
    require_read(column, values, needs(number))
    return values


def needs(part: Number | Date) -> str:
    """Say what a column needs in every row."""
    if isinstance(part, Date):
        moment = "a date" if part.kind == "date" else "a date and time"
        if part.format in dates.EPOCHS:
            return f"{moment} as {dates.EPOCH_UNITS[part.format]} since 1970"
        if part.format:
            return f"{moment} written as {part.format}{' or in ISO 8601' * part.iso}"
        return f"{moment} such as 2024-12-31" + " 23:59:59" * (part.kind == "datetime")
    if part.kind == "boolean":
        return f"{' or '.join((*part.true[:1], *part.false[:1]))}" if part.true else "true or false"
    if part.kind == "time":
        return "a time of day such as 23:59:59"
    if part.kind == "duration":
        return "a duration such as 36:15:00"
    plain = part.format.decimal == "." and not part.format.thousands
    return "a number" if plain else f"a number such as {'1,234.5'.translate(_written(part))}"


def _written(number: Number) -> dict[int, str]:
    return {ord(","): number.format.thousands, ord("."): number.format.decimal}
