"""Tables in memory: frames of any library, arrays and dicts, as polars frames."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from jdl.data.errors import DataError

ENDINGS = ".csv, .tsv, .parquet, .arrow, .feather or .jsonl"
"""The endings of files that can be read, for messages (``.pq``, ``.ipc`` and ``.ndjson`` are, too)."""


def from_frame(source: Any) -> pl.DataFrame:
    """Give a polars frame of what holds a table in memory; raises ``DataError`` where it cannot be read.

    >>> from_frame(np.array([[1.0, 2.0]])).columns
    ['x0', 'x1']
    """
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Mapping):
        return _from_columns(dict(source))
    return _from_foreign(source)


def from_arrow(table: pa.Table, place: str) -> pl.DataFrame:
    """Give a polars frame of an Arrow table; raises ``DataError`` for a name that occurs twice."""
    require_distinct(table.column_names, place)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    frame.columns = table.column_names  # an empty name, as of an index that pandas has written, is kept
    return frame


def require_distinct(names: Iterable[str], place: str) -> None:
    """Raise ``DataError`` for a column name that occurs twice."""
    counts = Counter(names).most_common(1)
    if counts and counts[0][1] > 1:
        name, count = counts[0]
        raise DataError(f"{place}: column {name!r} occurs {count} times; every column needs its own name")


def _from_array(source: np.ndarray) -> pl.DataFrame:
    if source.dtype.names and source.ndim == 1:
        return _from_columns({name: source[name] for name in source.dtype.names})
    if source.ndim != 2:
        raise DataError(
            f"the table: an array of shape {source.shape}; needs (rows, columns), or names for its columns"
        )
    return _from_columns({f"x{i}": source[:, i] for i in range(source.shape[1])})


def _from_columns(columns: dict[Any, Any]) -> pl.DataFrame:
    columns = {str(name): _native(values) for name, values in columns.items()}
    try:
        return pl.DataFrame(columns, strict=False)
    except pl.exceptions.ShapeError:
        lengths = ", ".join(f"{name!r} {len(values)}" for name, values in columns.items())
        raise DataError(f"the table's columns need one length; found {lengths}") from None
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(f"the table: a column cannot be read: {_first_line(error)}") from error


def _native(values: Any) -> Any:
    """Read arrays of Python objects by what the objects are; mixed ones are text."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "O":
        return values.tolist()
    return (
        np.char.decode(values, "utf-8")
        if isinstance(values, np.ndarray) and values.dtype.kind == "S"
        else values
    )


def _from_foreign(source: Any) -> pl.DataFrame:
    import narwhals as nw

    try:
        names = getattr(source, "column_names", getattr(source, "columns", ()))
        require_distinct([str(name) for name in names], "the table")
        source = _with_mixed_as_text(source)
        frame = nw.from_native(source, eager_only=True).to_polars()
        return frame.rename(str)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"the table: a column cannot be read: {_first_line(error)}; give each column one type"
        ) from error
    except TypeError:
        raise DataError(
            f"found {type(source).__name__}; a table is a path ending in {ENDINGS}, a data frame, "
            "an array of rows and columns, or a dict of columns"
        ) from None


def _with_mixed_as_text(source: Any) -> Any:
    """Write the columns of a pandas frame that mix numbers and text as text."""
    import narwhals as nw

    if not nw.dependencies.is_pandas_dataframe(source):
        return source
    mixed = {name: column for name, column in source.items() if column.dtype == object and _is_mixed(column)}
    if not mixed:
        return source
    return source.assign(**{str(name): column.map(str, na_action="ignore") for name, column in mixed.items()})


def _is_mixed(column: Any) -> bool:
    kinds = {type(value) for value in column[column.notna()]}
    return len(kinds) > 1 and kinds <= {str, int, float, bool, np.int64, np.float64, np.bool_}


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
