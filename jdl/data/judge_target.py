"""What predicting a column means, judged from its values."""

from typing import Literal

import polars as pl

from jdl.data import judge_text
from jdl.data.columns import Number, Target, Task
from jdl.data.encode import to_float
from jdl.data.errors import DataError
from jdl.data.fitted import center_and_spread
from jdl.data.levels import merged
from jdl.data.targets import as_number

MOST_CLASSES = 20
"""A target of whole numbers with more distinct values than this is taken for a quantity."""

Single = Literal["classification", "regression"]


def judge_target(column: pl.Series, task: Task | None) -> tuple[Target, list[str]]:
    """Judge a target without missing values; also give notes on its classes."""
    if column.dtype == pl.String:
        quantity = _quantity_in_text(column, task)
        if quantity is not None:
            return quantity, []
    distinct = column.n_unique()
    single, reason = _task(column, distinct, task)
    if distinct == 1:
        raise _one_value(column, column[0])
    if single == "regression":
        center, spread = center_and_spread(to_float(column, as_number(Target(column.name, "regression"))))
        return Target(column.name, single, reason, (), center, spread), []
    if column.dtype == pl.String:
        return _text_classes(column, reason)
    counts = column.value_counts().sort(column.name)
    classes = tuple(counts[column.name].to_list())
    return Target(column.name, single, reason, classes), _rare(
        column.name, counts[column.name], counts["count"]
    )


def _quantity_in_text(column: pl.Series, task: Task | None) -> Target | None:
    """Give a regression where text is read as numbers with more values than classes have."""
    if task == "classification":
        return None
    values = judge_text.gather(column)
    number = None if judge_text.digits(values) is not None else judge_text.number(values)
    if not isinstance(number, Number):
        if task == "regression":
            to_float(column, as_number(Target(column.name, "regression")))  # names the row
        return None
    if task is None and _few(len(values.texts), len(column)):
        return None
    target = Target(column.name, "regression", number.evidence, format=number.format, nulls=number.nulls)
    floats = to_float(column, as_number(target))
    center, spread = center_and_spread(floats[floats == floats])
    return Target(
        column.name, "regression", number.evidence if task is None else "given", (), center, spread,
        format=number.format, nulls=number.nulls,
    )  # fmt: skip


def _text_classes(column: pl.Series, reason: str) -> tuple[Target, list[str]]:
    values = judge_text.gather(column)
    levels = merged(values.texts, values.counts)
    if levels is None:
        frame = pl.DataFrame([values.texts.alias("text"), values.counts]).sort("text")
        found, counts = frame["text"], frame["count"]
    else:
        found, counts = pl.Series(levels[0]), pl.Series(levels[1])
    if len(found) == 1:
        raise _one_value(column, found[0])
    notes = _rare(column.name, found, counts)
    if levels is not None and levels[2]:
        notes.append(
            f"classes of {column.name!r}: {levels[2]} other spellings in case or blanks are the same class"
        )
    target = Target(column.name, "classification", reason, tuple(found), ignore_case=levels is not None)
    return target, notes


def _rare(name: str, values: pl.Series, counts: pl.Series) -> list[str]:
    rare = values.filter(counts == 1)
    return [f"class {value!r} of {name!r} has a single row" for value in rare]


def _few(distinct: int, rows: int) -> bool:
    return distinct <= MOST_CLASSES and (distinct <= 2 or 2 * distinct <= rows)


def _task(column: pl.Series, distinct: int, task: Task | None) -> tuple[Single, str]:
    dtype, rows = column.dtype, len(column)
    numeric = dtype.is_numeric()
    if not (numeric or dtype in (pl.String, pl.Boolean)):
        raise DataError(f"target column {column.name!r} holds {dtype}; needs text, booleans or numbers")
    if task == "regression":
        to_float(column, as_number(Target(column.name, "regression")))
        return task, "given"
    if not numeric and distinct == rows and rows >= judge_text.FEW_ROWS:
        raise DataError(
            f"target column {column.name!r}: all {rows} values differ; a class needs rows to learn from"
        )
    if task == "classification":
        return task, "given"
    if not numeric:
        return "classification", f"{'text' if dtype == pl.String else 'booleans'} with {distinct} values"
    whole = dtype.is_integer() or bool((column == column.round()).all())
    if whole and _few(distinct, rows):
        return "classification", f"whole numbers with {distinct} values"
    return "regression", f"{'whole' if whole else 'fractional'} numbers with {distinct} values"


def _one_value(column: pl.Series, value: object) -> DataError:
    return DataError(
        f"target column {column.name!r} holds one value, {value!r}, in all {len(column)} rows; "
        "a model needs at least two"
    )
