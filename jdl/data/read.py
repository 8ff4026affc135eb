"""Tables in: CSV, TSV and Parquet files, and frames of any library, as one polars frame."""

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from jdl.data.errors import DataError
from jdl.data.nulls import NULLS, clean

_ENDINGS = ".csv, .tsv or .parquet"


def read_table(source: Any, text: Collection[str] = ()) -> pl.DataFrame:
    """Read a table: a path, a polars, pandas, pyarrow or other frame, or a dict of columns.

    A file is read by its ending: ``.csv`` (separated by comma, semicolon, tab or bar, told from the
    header), ``.tsv``, ``.parquet`` or ``.pq``. The types of a text file are inferred from all of its
    rows; the columns named in ``text`` stay text whatever they look like. Blanks around text are cut;
    the spellings in ``NULLS`` and NaN become null. Rows are counted from 1, the header apart.

    Raises ``DataError`` for a file that is missing, empty, truncated, ragged or of an unknown ending,
    for column names that occur twice, and for a table without rows.

    >>> read_table({"age": [39, 50], "work": ["Private ", "?"]})["work"].to_list()
    ['Private', None]
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        place = str(path)
        table = _read_file(path, text)
    else:
        place = "the table"
        table = _cleaned(_from_frame(source))
    if not table.width:
        raise DataError(f"{place}: has no columns; a table needs at least one")
    if not table.height:
        raise DataError(f"{place}: has {table.width} columns and no rows; a table needs at least one row")
    return table


def _read_file(path: Path, text: Collection[str]) -> pl.DataFrame:
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".parquet": _read_parquet, ".pq": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: ending {path.suffix!r} is unknown; a table is a file ending in {_ENDINGS}")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty; a table needs a header and rows")
        return reader(path, text)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path from {Path.cwd()}") from None
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: cannot be read: {_first_line(error)}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or _first_line(error)}") from error


def _read_parquet(path: Path, text: Collection[str]) -> pl.DataFrame:
    del text  # Parquet has its own types
    try:
        with pa_parquet.ParquetFile(path) as file:
            return _cleaned(_from_arrow(file.read(), str(path)))
    except (pa.ArrowInvalid, OSError) as error:
        size = path.stat().st_size
        raise DataError(
            f"{path}: not a whole Parquet file ({size} bytes: {_first_line(error)}); "
            "it may be truncated: copy or write it again"
        ) from error


def _read_csv(path: Path, text: Collection[str]) -> pl.DataFrame:
    separator = "\t" if path.suffix.lower() == ".tsv" else _separator(path)
    ragged: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    def read(threads: bool) -> pa.Table:
        return pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(use_threads=threads),
            parse_options=pa_csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, invalid_row_handler=None if threads else note
            ),
            convert_options=pa_csv.ConvertOptions(
                null_values=NULLS, column_types=dict.fromkeys(text, pa.string())
            ),
        )

    try:
        table = _from_arrow(read(threads=True), str(path))
    except pa.ArrowInvalid:
        # Only the single-threaded reader knows the row's number.
        table = _from_arrow(_explained(path, read, ragged), str(path))
    undecoded = [column.name for column in table if column.dtype == pl.Binary]
    if undecoded:
        raise DataError(f"{path}: column {undecoded[0]!r} is not UTF-8 text; save the file as UTF-8")
    table = _cleaned(table)
    return table.select(column if column.name in text else _narrow(column) for column in table)


def _explained(path: Path, read: Any, ragged: list[Any]) -> pa.Table:
    try:
        return read(threads=False)
    except pa.ArrowInvalid:
        if not ragged:
            raise
        row = ragged[0]
        raise DataError(
            f"{path}: row {row.number - 1} has {row.actual_columns} fields, the header has "
            f"{row.expected_columns}; every row needs as many (quote a field that holds the separator)"
        ) from None


def _separator(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = re.sub(r'"[^"]*"', "", file.readline())
    return max(",;\t|", key=header.count)


def _narrow(column: pl.Series) -> pl.Series:
    """Read text as numbers where every value is one, now that blanks and nulls are out of the way."""
    if column.dtype != pl.String:
        return column
    for dtype in (pl.Int64, pl.Float64):
        numbers = column.cast(dtype, strict=False)
        if numbers.null_count() == column.null_count():
            return numbers
    return column


def _cleaned(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(clean(column) for column in frame)


def _from_arrow(table: pa.Table, place: str) -> pl.DataFrame:
    _require_distinct(table.column_names, place)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _from_frame(source: Any) -> pl.DataFrame:
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    if not isinstance(source, Mapping):
        return _from_foreign(source)
    try:
        return pl.DataFrame(dict(source), strict=False)
    except pl.exceptions.ShapeError:
        lengths = ", ".join(f"{name!r} {len(values)}" for name, values in source.items())
        raise DataError(f"the table's columns need one length; found {lengths}") from None


def _from_foreign(source: Any) -> pl.DataFrame:
    import narwhals as nw

    try:
        names = getattr(source, "column_names", getattr(source, "columns", ()))
        _require_distinct([str(name) for name in names], "the table")
        return nw.from_native(source, eager_only=True).to_polars()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"the table: a column cannot be read: {_first_line(error)}; give each column one type"
        ) from error
    except TypeError:
        raise DataError(
            f"found {type(source).__name__}; a table is a path ending in {_ENDINGS}, a data frame "
            "or a dict of columns"
        ) from None


def _require_distinct(names: list[str], place: str) -> None:
    name, count = Counter(names).most_common(1)[0] if names else ("", 1)
    if count > 1:
        raise DataError(f"{place}: column {name!r} occurs {count} times; every column needs its own name")


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
