"""What a user hands over as X, as a table and what its columns are."""

from dataclasses import replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from sklearn.utils.validation import _check_feature_names, _check_n_features, validate_data

from jdl.data import Schema, infer_schema, read_table
from jdl.data.columns import Number, Target
from jdl.data.fitted import fitted

TARGET = "target"


def table_of(estimator: Any, x: Any, *, reset: bool) -> tuple[pl.DataFrame, bool]:
    """Give X as a frame, and whether it was an array: numbers alone, whose columns have no names.

    A data frame is taken as it is, categories, dates, texts and missing values included. Of an array
    (or a sparse matrix, which is filled up) every column is a number; NaN and infinity are missing.

    Raises:
        ValueError: no rows, no columns, other columns than those that were fitted, or values that are no
            numbers in an array.
    """
    if nw.dependencies.is_into_dataframe(x):
        _check_feature_names(estimator, x, reset=reset)
        _check_n_features(estimator, x, reset=reset)
        if not len(x):
            raise ValueError("Found array with 0 sample(s): the frame has no rows; needs at least 1")
        return read_table(x), False
    values = validate_data(
        estimator, x, reset=reset, accept_sparse="csr", dtype="numeric", ensure_all_finite=False
    )
    values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    names = getattr(estimator, "feature_names_in_", None)
    names = [f"x{i}" for i in range(values.shape[1])] if names is None else list(map(str, names))
    columns = {name: values[:, i].astype(np.float64) for i, name in enumerate(names)}
    return pl.DataFrame(columns), True


def schema_of(frame: pl.DataFrame, plain: bool, targets: tuple[Target, ...]) -> Schema:
    """Say what the columns are: all numbers in a ``plain`` table, else as ``infer_schema`` judges."""
    if plain:
        return Schema(targets, numbers=tuple(_number(column) for column in frame), rows=frame.height)
    return replace(infer_schema(frame), targets=targets)


def skeleton(schema: Schema) -> Schema:
    """Give a schema that asks for the same networks and says nothing of names, values and units.

    Tables that have the same one share a compiled program.
    """

    def classes(target: Target) -> tuple[int, ...]:
        return tuple(range(len(target.classes)))

    return Schema(
        tuple(Target(f"y{i}", t.task, classes=classes(t)) for i, t in enumerate(schema.targets)),
        numbers=tuple(Number(f"n{i}", missing=n.missing) for i, n in enumerate(schema.numbers)),
        categories=tuple(
            replace(c, name=f"c{i}", levels=tuple(map(str, range(len(c.levels)))), ignore_case=False)
            for i, c in enumerate(schema.categories)
        ),
        dates=tuple(replace(d, name=f"d{i}") for i, d in enumerate(schema.dates)),
        texts=tuple(replace(t, name=f"t{i}") for i, t in enumerate(schema.texts)),
    )


def _number(column: pl.Series) -> Number:
    values = column.to_numpy()
    there = np.isfinite(values)
    missing = int((~there).sum())
    if not there.any():
        return Number(column.name, missing=missing)
    return replace(fitted(values[there]), name=column.name, missing=missing)
