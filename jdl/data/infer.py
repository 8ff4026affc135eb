"""What the columns of a table are, judged from their values."""

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data.encode import labelled, to_float
from jdl.data.errors import DataError, unknown_column
from jdl.data.read import clean
from jdl.data.schema import Category, Dropped, Kind, Number, Schema, Target, Task

MOST_CLASSES = 20
"""A target of whole numbers with more distinct values than this is taken for a quantity."""

_FEW_ROWS = 20
"""Below this, that all values differ says nothing about a column."""


def infer_schema(frame: pl.DataFrame, target: str, task: Task | None = None) -> Schema:
    """Judge what each column is, and what predicting ``target`` means.

    Text, booleans and whole numbers with few distinct values are classes; other numbers a regression;
    ``task`` overrules. Numbers, booleans, dates and times become numbers, text categories (its levels in
    alphabetical order). Left out, with the reason: columns that are constant, all missing, identifier-like
    (text of which most values differ, whole numbers that count the rows) or of a nested type. Rows without
    a target are not looked at, and ``notes`` says how many there are.

    Raises ``DataError`` where the target is unknown, all missing or of one value, where fewer than two
    rows are labelled, and where no column is left to learn from.

    >>> schema = infer_schema(pl.DataFrame({"x": [1.5, 2.0, None], "y": ["a", "b", "a"]}), "y")
    >>> schema.task, schema.classes, schema.numbers[0].missing
    ('classification', ('a', 'b'), 1)
    """
    if target not in frame.columns:
        raise unknown_column(target, frame.columns, "target column")
    if task not in (None, "classification", "regression"):
        raise DataError(f"task is {task!r}; needs 'classification', 'regression' or None")
    rows = labelled(frame, target)
    _require_rows(frame, rows, target)
    goal, notes = judge_target(clean(rows[target]), task)
    if rows.height < frame.height:
        notes = [f"{frame.height - rows.height} of {frame.height} rows have no target: left out", *notes]
    columns = [judge(column) for column in rows if column.name != target]
    notes += [note for column in rows if (note := _infinite(column)) and column.name != target]
    numbers = tuple(column for column in columns if isinstance(column, Number))
    categories = tuple(column for column in columns if isinstance(column, Category))
    dropped = tuple(column for column in columns if isinstance(column, Dropped))
    if not numbers and not categories:
        reasons = "; ".join(f"{column.name!r}: {column.reason}" for column in dropped[:5])
        raise DataError(f"no column is left to learn {target!r} from ({reasons or 'the table has no other'})")
    return Schema(goal, numbers, categories, dropped, rows.height, tuple(notes))


def judge(column: pl.Series) -> Number | Category | Dropped:
    """Judge one column by its values."""
    column = clean(column)
    dtype = column.dtype
    if column.null_count() == len(column):
        return Dropped(column.name, "all missing")
    if dtype == pl.String:
        return _judge_text(column)
    kinds: dict[type[pl.DataType], Kind] = {
        pl.Boolean: "boolean",
        pl.Date: "date",
        pl.Datetime: "datetime",
        pl.Time: "time",
        pl.Duration: "duration",
    }
    kind = "number" if dtype.is_numeric() else kinds.get(dtype.base_type())
    if kind is None:
        return Dropped(column.name, f"of type {dtype}, which is not supported")
    return _judge_numbers(column, kind)


def judge_target(column: pl.Series, task: Task | None) -> tuple[Target, list[str]]:
    """Judge a target without missing values; also give notes on its classes."""
    distinct = column.n_unique()
    task, reason = _task(column, distinct, task)
    if distinct == 1:
        raise DataError(
            f"target column {column.name!r} holds one value, {column[0]!r}, in all {len(column)} rows; "
            "a model needs at least two"
        )
    if task == "regression":
        values = to_float(column, "number")
        center, spread = _center_and_spread(values)
        return Target(column.name, task, reason, (), center, spread), []
    counts = column.value_counts().sort(column.name)
    classes = tuple(counts[column.name].to_list())
    rare = [repr(value) for value, count in counts.rows() if count == 1]
    notes = [f"class {value} of {column.name!r} has a single row" for value in rare]
    return Target(column.name, task, reason, classes), notes


def _task(column: pl.Series, distinct: int, task: Task | None) -> tuple[Task, str]:
    dtype, rows = column.dtype, len(column)
    numeric = dtype.is_numeric()
    if not (numeric or dtype in (pl.String, pl.Boolean)):
        raise DataError(f"target column {column.name!r} holds {dtype}; needs text, booleans or numbers")
    if task == "regression":
        to_float(column, "number")
        return task, "given"
    few = distinct <= MOST_CLASSES and (distinct <= 2 or 2 * distinct <= rows)
    if not numeric and distinct == rows and rows >= _FEW_ROWS:
        raise DataError(
            f"target column {column.name!r}: all {rows} values differ; a class needs rows to learn from"
        )
    if task == "classification":
        return task, "given"
    if not numeric:
        return "classification", f"{'text' if dtype == pl.String else 'booleans'} with {distinct} values"
    whole = dtype.is_integer() or bool((column == column.round()).all())
    if whole and few:
        return "classification", f"whole numbers with {distinct} values"
    return "regression", f"{'whole' if whole else 'fractional'} numbers with {distinct} values"


def _judge_text(column: pl.Series) -> Category | Dropped:
    missing = column.null_count()
    present = len(column) - missing
    levels = column.drop_nulls().unique().sort().to_list()
    if len(levels) == 1 and not missing:
        return Dropped(column.name, f"constant: every row holds {levels[0]!r}")
    differ = len(levels) == present if present < 200 else 2 * len(levels) > present
    if differ and present >= _FEW_ROWS:
        return Dropped(column.name, f"identifier-like: {len(levels)} different texts in {present} rows")
    return Category(column.name, tuple(levels), missing)


def _judge_numbers(column: pl.Series, kind: Kind) -> Number | Dropped:
    values = to_float(column, kind)
    finite = values[np.isfinite(values)]
    missing = len(values) - len(finite)
    if not len(finite):
        return Dropped(column.name, "no finite value")
    low, high = finite.min(), finite.max()
    if low == high and not missing:
        return Dropped(column.name, f"constant: every row holds {column[0]}")
    rows = len(values)
    counts_rows = column.dtype.is_integer() and not missing and high - low == rows - 1
    if counts_rows and rows >= 5 * _FEW_ROWS and column.n_unique() == rows:
        return Dropped(column.name, f"identifier-like: counts the rows from {low:.0f} to {high:.0f}")
    return replace(_fitted_to_float32(finite), name=column.name, kind=kind, missing=missing)


def _fitted_to_float32(values: NDArray[np.float64]) -> Number:
    """Shift where float32 would lose digits, scale where its squares would overflow or vanish."""
    center, spread = _center_and_spread(values)
    largest = float(np.abs(values).max())
    offset = center if largest > 64 * spread else 0.0
    scale = 1.0 if 1e-9 < spread < 1e9 else 2.0 ** round(np.log2(spread))
    return Number("", offset=offset, scale=scale)


def _center_and_spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation, without overflow; the spread of a constant is taken as 1."""
    unit = float(np.abs(values).max()) or 1.0
    spread = unit * float(np.std(values / unit))
    return unit * float(np.mean(values / unit)), spread if spread > 0 else 1.0


def _infinite(column: pl.Series) -> str | None:
    if not column.dtype.is_float() or not (count := column.is_infinite().sum()):
        return None
    return f"column {column.name!r}: {count} infinite values are read as missing"


def _require_rows(frame: pl.DataFrame, rows: pl.DataFrame, target: str) -> None:
    if not rows.height:
        raise DataError(f"target column {target!r} has no value in any of {frame.height} rows")
    if rows.height < 2:
        raise DataError(f"target column {target!r}: 1 row has a value; a fit needs at least 2")
