"""Rows to arrays and back, as a schema says."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data.errors import DataError, unknown_column
from jdl.data.read import clean

if TYPE_CHECKING:
    from jdl.data.schema import Number, Schema, Value

_LARGEST = float(np.finfo(np.float32).max)

_NEEDS = {
    "number": "a number",
    "boolean": "true or false",
    "date": "a date such as 2024-12-31",
    "datetime": "a date and time such as 2024-12-31 23:59:59",
    "time": "a time of day such as 23:59:59",
    "duration": "a duration",
}


def rows(schema: "Schema", frame: pl.DataFrame) -> dict[str, NDArray]:
    """See ``Schema.encode``."""
    numbers = np.empty((frame.height, len(schema.numbers)), np.float32)
    for i, number in enumerate(schema.numbers):
        values = to_float(_column(frame, number.name), number.kind)
        numbers[:, i] = _shifted(values, number)
    categories = np.empty((frame.height, len(schema.categories)), np.int32)
    for i, category in enumerate(schema.categories):
        codes = {level: code for code, level in enumerate(category.levels, start=1)}
        categories[:, i] = to_codes(_as_text(_column(frame, category.name)), codes)
    return {"numbers": numbers, "categories": categories}


def target(schema: "Schema", frame: pl.DataFrame) -> NDArray:
    """See ``Schema.encode_target``."""
    part = schema.target
    column = _column(frame, part.name, "target column")
    if schema.task == "regression":
        values = to_float(column, "number")
        missing = ~np.isfinite(values)
        coded: NDArray = ((values - part.offset) / part.scale).astype(np.float32)
    else:
        known = _like(clean(column), part.classes[0])
        missing = known.is_null().to_numpy()
        coded = to_codes(known, {value: code for code, value in enumerate(part.classes, start=1)}) - 1
        _require_known(column, coded, missing, part.classes)
    if missing.any():
        raise DataError(
            f"target column {part.name!r}: {missing.sum()} of {frame.height} rows have no usable value, "
            f"the first is row {missing.argmax() + 1}; leave them out with schema.labelled(frame)"
        )
    return coded


def labelled(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Keep the rows whose value in column ``name`` is neither missing nor infinite."""
    values = clean(_column(frame, name, "target column"))
    usable = values.is_not_null()
    return frame.filter(usable & values.is_finite() if values.dtype.is_float() else usable)


def decode(schema: "Schema", outputs: NDArray) -> pl.DataFrame:
    """See ``Schema.decode``."""
    part = schema.target
    if schema.task == "regression":
        if outputs.ndim != 1:
            raise DataError(f"predictions: have shape {outputs.shape}, need (rows,)")
        return pl.DataFrame({"prediction": outputs.astype(np.float64) * part.scale + part.offset})
    if outputs.ndim != 2 or outputs.shape[1] != len(part.classes):
        raise DataError(f"probabilities: have shape {outputs.shape}, need (rows, {len(part.classes)})")
    best = pl.Series("prediction", part.classes).gather(outputs.argmax(axis=1))
    names = (f"probability_{shown(value)}" for value in part.classes)
    return pl.DataFrame([best, *(pl.Series(name, outputs[:, i]) for i, name in enumerate(names))])


def shown(value: "Value") -> str:
    """Write a class as it stands in a table: ``true``, not ``True``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def to_float(column: pl.Series, kind: str) -> NDArray[np.float64]:
    """Read a column as float64, NaN where it is missing; raises ``DataError`` naming the first bad row."""
    column = clean(column)
    if column.dtype == pl.Null:
        return np.full(len(column), np.nan)
    values = _parsed(column, kind) if column.dtype == pl.String else column
    dtype = values.dtype
    if kind == "date" and dtype in (pl.Date, pl.Datetime):
        values = values.cast(pl.Date).to_physical()
    elif kind == "datetime" and dtype in (pl.Date, pl.Datetime):
        values = values.cast(pl.Datetime("us", getattr(dtype, "time_zone", None))).to_physical() / 1e6
    elif kind == "time" and dtype == pl.Time:
        values = values.to_physical() / 1e9
    elif kind == "duration" and dtype == pl.Duration:
        values = values.dt.total_microseconds() / 1e6
    elif not (kind in ("number", "boolean") and (dtype.is_numeric() or dtype == pl.Boolean)):
        raise DataError(f"column {column.name!r}: holds {dtype}; needs {_NEEDS[kind]} in every row")
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()


def to_codes(column: pl.Series, codes: dict) -> NDArray[np.int32]:
    """Look each value up in ``codes``; what is missing or not there is 0."""
    levels = pl.Series(list(codes), dtype=column.dtype, strict=False)
    coded = pl.Series(list(codes.values()), dtype=pl.Int32)
    return column.replace_strict(levels, coded, default=0, return_dtype=pl.Int32).fill_null(0).to_numpy()


def _shifted(values: NDArray[np.float64], number: "Number") -> NDArray[np.float64]:
    values = np.where(np.isfinite(values), values, np.nan)
    with np.errstate(over="ignore"):  # what overflows is cut
        return np.clip(values / number.scale - number.offset / number.scale, -_LARGEST, _LARGEST)


def _parsed(column: pl.Series, kind: str) -> pl.Series:
    """Read text as ``kind``."""
    match kind:
        case "number":
            values = column.cast(pl.Float64, strict=False)
        case "boolean":
            truth = pl.Series(["true", "false"]), pl.Series([True, False])
            lower = column.str.to_lowercase()
            values = lower.replace_strict(*truth, default=None, return_dtype=pl.Boolean)
        case "date":
            values = column.str.to_date("%Y-%m-%d", strict=False)
        case "datetime":
            iso = column.str.replace("T", " ", literal=True)
            values = iso.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False)
        case "time":
            values = column.str.to_time("%H:%M:%S%.f", strict=False)
        case _:
            return column
    bad = (values.is_null() & column.is_not_null()).arg_true()
    if len(bad):
        raise DataError(
            f"column {column.name!r}, row {bad[0] + 1}: found {column[bad[0]]!r}, needs {_NEEDS[kind]}; "
            "correct the value or leave it empty"
        )
    return values


def _as_text(column: pl.Series) -> pl.Series:
    column = clean(column)
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise DataError(f"column {column.name!r}: holds {column.dtype}; needs text in every row")
    if column.dtype.is_float() and (column == column.round()).all():
        column = column.cast(pl.Int64, strict=False)  # whole numbers with gaps come as floats
    return column.cast(pl.String)


def _like(column: pl.Series, value: "Value") -> pl.Series:
    """Read the target as the type of its classes."""
    if isinstance(value, str):
        return _as_text(column)
    if isinstance(value, bool) and column.dtype == pl.String:
        return _parsed(column, "boolean")
    return column.cast(pl.Boolean if isinstance(value, bool) else pl.Float64, strict=False)


def _require_known(column: pl.Series, coded: NDArray, missing: NDArray, classes: tuple) -> None:
    unknown = (coded < 0) & ~missing
    if unknown.any():
        row = int(unknown.argmax())
        known = ", ".join(repr(value) for value in classes[:8]) + (", …" if len(classes) > 8 else "")
        raise DataError(
            f"target column {column.name!r}, row {row + 1}: found {column[row]!r}, "
            f"which is not one of the classes {known}"
        )


def _column(frame: pl.DataFrame, name: str, role: str = "column") -> pl.Series:
    if name not in frame.columns:
        raise unknown_column(name, frame.columns, role)
    return frame[name]
