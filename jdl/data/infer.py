"""From a table to its schema: what the columns are, and what is to be predicted."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from jdl.data.columns import Category, Column, Date, Dropped, Number, Target, Task, Text
from jdl.data.duplicates import without_duplicates
from jdl.data.encode import column_of
from jdl.data.errors import DataError, unknown_column
from jdl.data.judge import judge
from jdl.data.judge_target import judge_target
from jdl.data.nulls import clean
from jdl.data.schema import Schema
from jdl.data.targets import labelled


def infer_schema(
    frame: pl.DataFrame, target: str | Sequence[str] | None = None, task: Task | None = None
) -> Schema:
    """Judge what each column is, and what predicting ``target`` means.

    * **Columns.** Numbers, booleans, times and durations become numbers, also where they are written as text
      (``1'234,5``, ``(432)``, ``12%``, ``<0.01``, ``yes``); dates and date-times, in any usual way of writing
      and as seconds since 1970 where the name says so, dates; texts that recur categories, their levels in
      alphabetical order; texts of several words that mostly differ texts. The way in which text is read is
      decided once for a column and kept in the schema.
    * **Left out**, with the reason: columns that are constant, all missing, an identifier (the count of the
      rows, UUIDs, e-mail addresses, keys that nearly all differ), equal to another column or to the target,
      or of a nested type.
    * **The target.** Text, booleans and whole numbers with few distinct values are classes; other numbers a
      regression; ``task`` overrules. Several targets are a regression of several numbers, or labels
      (``multilabel``) where each has two classes. Rows without a target are not looked at, and ``notes`` says
      how many there are. Without a target the schema describes the table.

    Each column says in ``evidence`` why it was judged so; ``Schema.describe`` shows it.

    Raises ``DataError`` where the target is unknown, all missing or of one value, where fewer than two
    rows are labelled, and where no column is left to learn from.

    >>> schema = infer_schema(pl.DataFrame({"x": [1.5, 2.0, None], "y": ["a", "b", "a"]}), "y")
    >>> schema.task, schema.classes, schema.numbers[0].missing
    ('classification', ('a', 'b'), 1)
    """
    if task not in (None, "classification", "regression", "multilabel"):
        raise DataError(f"task is {task!r}; needs 'classification', 'regression', 'multilabel' or None")
    names = () if target is None else (target,) if isinstance(target, str) else tuple(target)
    for name in names:
        if name not in frame.columns:
            raise unknown_column(name, frame.columns, "target column")
    goals, notes = _judge_targets(frame, names, task)
    rows = labelled(frame, goals)
    if rows.height < frame.height:
        notes = [f"{frame.height - rows.height} of {frame.height} rows have no target: left out", *notes]
    judged = [judge(column) for column in rows if column.name not in names]
    columns, copies = without_duplicates(rows, judged, goals)
    notes += [note for column in rows if (note := _infinite(column)) and column.name not in names]
    notes += copies
    if goals and all(isinstance(column, Dropped) for column in columns):
        dropped = [column for column in columns if isinstance(column, Dropped)]
        reasons = "; ".join(f"{column.name!r}: {column.reason}" for column in dropped[:5])
        wanted = ", ".join(repr(name) for name in names)
        raise DataError(f"no column is left to learn {wanted} from ({reasons or 'the table has no other'})")
    return _schema(goals, columns, rows.height, notes)


def _schema(
    goals: tuple[Target, ...], columns: Sequence[Column | Dropped], rows: int, notes: list[str]
) -> Schema:
    return Schema(
        goals,
        tuple(column for column in columns if isinstance(column, Number)),
        tuple(column for column in columns if isinstance(column, Category)),
        tuple(column for column in columns if isinstance(column, Date)),
        tuple(column for column in columns if isinstance(column, Text)),
        tuple(column for column in columns if isinstance(column, Dropped)),
        rows,
        tuple(notes),
    )


def _judge_targets(
    frame: pl.DataFrame, names: tuple[str, ...], task: Task | None
) -> tuple[tuple[Target, ...], list[str]]:
    if task == "multilabel" and len(names) < 2:
        raise DataError(f"task is 'multilabel' with {len(names)} target(s); labels need at least two targets")
    there = [_there(clean(column_of(frame, name))) for name in names]
    kept = np.logical_and.reduce(there) if there else np.ones(frame.height, bool)
    for name, present in zip(names, there, strict=True):
        _require_rows(frame.height, present if len(names) == 1 or not present.any() else kept, name)
    columns = [clean(frame[name]).filter(pl.Series(kept)) for name in names]
    each: Task | None = "classification" if task == "multilabel" else task
    found = [judge_target(column, each) for column in columns]
    if len(names) > 1:
        two = all(len(goal.classes) == 2 for goal, _ in found)
        numeric = all(column.dtype.is_numeric() for column in columns)
        if not two and task is None and numeric:  # numbers with few values, too, beside quantities
            found = [judge_target(column, "regression") for column in columns]
    return tuple(goal for goal, _ in found), [note for _, notes in found for note in notes]


def _there(values: pl.Series) -> np.ndarray:
    there = values.is_not_null()
    return (there & values.is_finite().fill_null(False) if values.dtype.is_float() else there).to_numpy()


def _infinite(column: pl.Series) -> str | None:
    if not column.dtype.is_float() or not (count := column.is_infinite().sum()):
        return None
    return f"column {column.name!r}: {count} infinite values are read as missing"


def _require_rows(rows: int, kept: np.ndarray, target: str) -> None:
    if not kept.any():
        raise DataError(f"target column {target!r} has no value in any of {rows} rows")
    if kept.sum() < 2:
        raise DataError(f"target column {target!r}: 1 row has a value; a fit needs at least 2")
