"""Targets to arrays and predictions back, as a schema says."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data import truth
from jdl.data.columns import Category, Number, Target, Value
from jdl.data.encode import as_text, column_of, require_read, to_codes, to_float, without
from jdl.data.errors import DataError
from jdl.data.nulls import clean

if TYPE_CHECKING:
    from jdl.data.schema import Schema


def encode(schema: "Schema", frame: pl.DataFrame) -> NDArray:
    """See ``Schema.encode_target``."""
    coded = [_encoded(column_of(frame, part.name, "target column"), part) for part in schema.targets]
    if not coded:
        raise DataError("the schema has no target; infer it with a target: infer_schema(frame, target)")
    return coded[0] if len(coded) == 1 else np.stack(coded, axis=1)


def labelled(frame: pl.DataFrame, targets: tuple[Target, ...]) -> pl.DataFrame:
    """Keep the rows in which no target is missing or infinite."""
    kept = np.ones(frame.height, bool)
    for part in targets:
        column = column_of(frame, part.name, "target column")
        kept &= ~_missing(column, part)
    return frame if kept.all() else frame.filter(pl.Series(kept))


def decode(schema: "Schema", outputs: NDArray) -> pl.DataFrame:
    """See ``Schema.decode``."""
    parts = schema.targets
    if schema.task == "classification":
        return _decoded_classes(schema.target, outputs)
    shape = f"(rows, {len(parts)})" if len(parts) > 1 else "(rows,)"
    if outputs.ndim != (2 if len(parts) > 1 else 1) or outputs.shape[1:] not in ((), (len(parts),)):
        raise DataError(f"predictions: have shape {outputs.shape}, need {shape}")
    columns = [outputs] if outputs.ndim == 1 else list(outputs.T)
    found = []
    for part, values in zip(parts, columns, strict=True):
        ending = f"_{part.name}" if len(parts) > 1 else ""
        if part.task == "regression":
            numbers = values.astype(np.float64) * part.scale + part.offset
            found.append(pl.Series(f"prediction{ending}", numbers))
        else:
            found.append(pl.Series(f"prediction{ending}", part.classes).gather((values > 0.5).astype(int)))
            found.append(pl.Series(f"probability{ending}", values))
    return pl.DataFrame(found)


def decoded_rows(schema: "Schema", outputs: NDArray) -> list[dict[str, Value]]:
    """Give ``decode(schema, outputs).to_dicts()``, for few rows in microseconds.

    >>> from jdl.data.schema import Schema
    >>> decoded_rows(Schema(Target("y", "regression", offset=5.0)), np.array([0.5, 1.0]))
    [{'prediction': 5.5}, {'prediction': 6.0}]
    """
    parts = schema.targets
    if schema.task == "classification":
        classes = schema.classes
        names = [f"probability_{shown(value)}" for value in classes]
        return [
            {"prediction": classes[best], **dict(zip(names, row, strict=True))}
            for best, row in zip(outputs.argmax(axis=1).tolist(), outputs.tolist(), strict=True)
        ]
    endings = [f"_{part.name}" if len(parts) > 1 else "" for part in parts]
    rows = outputs.reshape(len(outputs), len(parts)).astype(np.float64).tolist()
    found = []
    for values in rows:
        row: dict[str, Value] = {}
        for part, ending, value in zip(parts, endings, values, strict=True):
            if part.task == "regression":
                row[f"prediction{ending}"] = value * part.scale + part.offset
            else:
                row[f"prediction{ending}"] = part.classes[value > 0.5]
                row[f"probability{ending}"] = value
        found.append(row)
    return found


def shown(value: Value) -> str:
    """Write a class as it stands in a table: ``true``, not ``True``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_number(part: Target) -> Number:
    """Give the number that a regression's target is read as."""
    return Number(part.name, format=part.format, nulls=part.nulls)


def _encoded(column: pl.Series, part: Target) -> NDArray:
    missing = _missing(column, part)
    if missing.any():
        raise DataError(
            f"target column {part.name!r}: {missing.sum()} of {len(column)} rows have no usable value, "
            f"the first is row {missing.argmax() + 1}; leave them out with schema.labelled(frame)"
        )
    if part.task == "regression":
        return ((to_float(column, as_number(part)) - part.offset) / part.scale).astype(np.float32)
    known = _like(without(clean(column), part.nulls), part.classes[0])
    if known.dtype == pl.String:
        levels = tuple(str(value) for value in part.classes)
        coded = to_codes(known, Category(part.name, levels, ignore_case=part.ignore_case)) - 1
    else:
        codes = pl.Series(range(len(part.classes)), dtype=pl.Int32)
        classes = pl.Series(part.classes, dtype=known.dtype)
        coded = (
            known.replace_strict(classes, codes, default=-1, return_dtype=pl.Int32).fill_null(-1).to_numpy()
        )
    if (coded < 0).any():
        row = int((coded < 0).argmax())
        some = ", ".join(repr(value) for value in part.classes[:8]) + (", …" if len(part.classes) > 8 else "")
        raise DataError(
            f"target column {column.name!r}, row {row + 1}: found {column[row]!r}, "
            f"which is not one of the classes {some}"
        )
    return coded


def _missing(column: pl.Series, part: Target) -> NDArray[np.bool_]:
    if part.task == "regression":
        return ~np.isfinite(to_float(column, as_number(part)))
    values = without(clean(column), part.nulls) if column.dtype == pl.String else clean(column)
    there = values.is_not_null()
    return ~(there & values.is_finite().fill_null(False) if values.dtype.is_float() else there).to_numpy()


def _like(column: pl.Series, value: Value) -> pl.Series:
    """Read the target as the type of its classes."""
    if isinstance(value, str):
        return as_text(column)
    if isinstance(value, bool) and column.dtype == pl.String:
        values = truth.parse(column, (), ())
        require_read(column, values, "true or false")
        return values
    return column.cast(pl.Boolean if isinstance(value, bool) else pl.Float64, strict=False)


def _decoded_classes(part: Target, outputs: NDArray) -> pl.DataFrame:
    if outputs.ndim != 2 or outputs.shape[1] != len(part.classes):
        raise DataError(f"probabilities: have shape {outputs.shape}, need (rows, {len(part.classes)})")
    best = pl.Series("prediction", part.classes).gather(outputs.argmax(axis=1))
    names = (f"probability_{shown(value)}" for value in part.classes)
    return pl.DataFrame([best, *(pl.Series(name, outputs[:, i]) for i, name in enumerate(names))])
