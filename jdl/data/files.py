"""Tables in files: CSV, TSV, Parquet, Arrow and JSON lines."""

import json
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather as pa_feather
import pyarrow.parquet as pa_parquet

from jdl.data.errors import DataError
from jdl.data.frames import ENDINGS, from_arrow
from jdl.data.nulls import NULLS, clean

TEXT = (".csv", ".tsv")
"""The endings of tables in text, whose types are inferred."""


def ending(path: Path) -> str | None:
    """Give a file's ending in lower case where it is one that can be read."""
    suffix = path.suffix.lower()
    return suffix if suffix in _READERS else None


def read_file(path: Path, text: Collection[str]) -> pl.DataFrame:
    """Read one file, cleaned; see ``read_table``."""
    suffix = ending(path)
    if suffix is None:
        raise DataError(f"{path}: ending {path.suffix!r} is unknown; a table is a file ending in {ENDINGS}")
    with reading(path):
        return _READERS[suffix](path, text)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file in what goes wrong, which may be that it is missing or empty."""
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty; a table needs a header and rows")
        yield
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
            return cleaned(from_arrow(file.read(), str(path)))
    except (pa.ArrowInvalid, OSError) as error:
        raise _not_whole(path, "Parquet", error) from error


def _read_arrow(path: Path, text: Collection[str]) -> pl.DataFrame:
    """Read Arrow's file format, which Feather is, and its stream format."""
    del text  # Arrow has its own types
    if is_old_feather(path):
        try:
            return cleaned(from_arrow(pa_feather.read_table(path, memory_map=False), str(path)))
        except (pa.ArrowInvalid, OSError) as error:
            raise _not_whole(path, "Arrow", error) from error
    return cleaned(from_arrow(pa.Table.from_batches(record_batches(path)), str(path)))


def is_old_feather(path: Path) -> bool:
    """Tell whether a file is Feather of before it was Arrow's file format, which has no batches."""
    with path.open("rb") as file:
        return file.read(4) == b"FEA1"


def record_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Read Arrow's file or stream format: a batch without rows, then all that are there, one by one."""
    try:
        with pa.OSFile(str(path)) as file:
            if file.read(6) == b"ARROW1":
                with pa.ipc.open_file(file) as whole:
                    yield from _empty(whole.schema)
                    yield from map(whole.get_batch, range(whole.num_record_batches))
            else:
                file.seek(0)
                with pa.ipc.open_stream(file) as stream:
                    yield from _empty(stream.schema)
                    yield from stream
    except (pa.ArrowInvalid, OSError) as error:
        raise _not_whole(path, "Arrow", error) from error


def _empty(schema: pa.Schema) -> list[pa.RecordBatch]:
    return [pa.RecordBatch.from_arrays([pa.nulls(0, kind) for kind in schema.types], schema=schema)]


def _not_whole(path: Path, kind: str, error: BaseException) -> DataError:
    return DataError(
        f"{path}: not a whole {kind} file ({path.stat().st_size} bytes: {_first_line(error)}); "
        "it may be truncated: copy or write it again"
    )


def _read_json_lines(path: Path, text: Collection[str]) -> pl.DataFrame:
    return read_json_lines(escape(str(path)), path, text)  # polars takes a path for a pattern


def read_json_lines(
    source: str | bytes, path: Path, text: Collection[str], schema: pl.Schema | None = None
) -> pl.DataFrame:
    """Read JSON lines of a file, or some of them by the ``schema`` of all."""
    with _explained_json_lines(path):
        table = cleaned(pl.read_ndjson(source, schema=schema, infer_schema_length=None))
    kept = [name for name in text if name in table.columns and not table[name].dtype.is_nested()]
    return table.with_columns(pl.col(name).cast(pl.String) for name in kept)


def json_lines_schema(path: Path) -> pl.Schema:
    """Infer the types of all lines."""
    with _explained_json_lines(path):
        return pl.scan_ndjson(escape(str(path)), infer_schema_length=None).collect_schema()


@contextmanager
def _explained_json_lines(path: Path) -> Iterator[None]:
    try:
        yield
    except pl.exceptions.PolarsError as error:
        _explain_json_lines(path)
        raise DataError(f"{path}: cannot be read: {_first_line(error)}") from error


def _explain_json_lines(path: Path) -> None:
    """Raise ``DataError`` naming the first line that is not an object."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for i, line in enumerate(file, start=1):
            try:
                whole = not line.strip() or isinstance(json.loads(line), dict)
            except json.JSONDecodeError as error:
                raise DataError(
                    f"{path}: line {i} is not JSON ({error.msg}); every line needs one object"
                ) from None
            if not whole:
                raise DataError(f"{path}: line {i} is no object of named values; every line needs one")


def _read_csv(path: Path, text: Collection[str]) -> pl.DataFrame:
    between = "\t" if path.suffix.lower() == ".tsv" else separator(path)
    ragged: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    def read(threads: bool, kept: Collection[str] = text, only: list[str] | None = None) -> pa.Table:
        return pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(use_threads=threads),
            parse_options=pa_csv.ParseOptions(
                delimiter=between, newlines_in_values=True, invalid_row_handler=None if threads else note
            ),
            convert_options=pa_csv.ConvertOptions(
                null_values=NULLS, column_types=dict.fromkeys(kept, pa.string()), include_columns=only
            ),
        )

    try:
        table = from_arrow(read(threads=True), str(path))
    except pa.ArrowInvalid:
        # Only the single-threaded reader knows the row's number.
        table = from_arrow(_explained(path, read, ragged), str(path))
    undecoded = [column.name for column in table if column.dtype == pl.Binary]
    if undecoded:
        raise DataError(f"{path}: column {undecoded[0]!r} is not UTF-8 text; save the file as UTF-8")
    table = _with_zeros(cleaned(table), text, lambda names: read(True, names, names))
    return table.select(column if column.name in text else _narrow(column) for column in table)


def _with_zeros(
    table: pl.DataFrame, text: Collection[str], read: Callable[[list[str]], pa.Table]
) -> pl.DataFrame:
    """Read once more, as text, whole numbers that are codes: with zeros or a plus in front, or very long."""
    whole = [column.name for column in table if column.name not in text and _may_be_code(column)]
    if not whole:
        return table
    written = from_arrow(read(whole), "")
    zeros = [
        column for column in written if column.str.contains(r"^\s*(?:0\d|\d{20})").any() or _has_plus(column)
    ]
    return table.with_columns(clean(column) for column in zeros)


def _has_plus(column: pl.Series) -> bool:
    """Tell whether all are whole numbers with a plus in front, as dial codes are."""
    return column.count() > 0 and column.str.contains(r"^\s*\+\d+\s*$").all()


def _may_be_code(column: pl.Series) -> bool:
    if not column.dtype.is_float():
        return column.dtype.is_integer()
    least = column.min()  # what has a plus in front is read as floats
    if not isinstance(least, float) or least < 0:
        return False
    return least >= 1e15 or bool((column == column.round()).all())


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


def separator(path: Path) -> str:
    """Tell the separator of a CSV file from its header."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = re.sub(r'"[^"]*"', "", file.readline())
    return max(",;\t|", key=header.count)


def _narrow(column: pl.Series) -> pl.Series:
    """Read text as numbers where every value is one, now that blanks and nulls are out of the way."""
    if column.dtype != pl.String or column.str.contains(r"^(?:0\d+|\d{20,})$").any() or _has_plus(column):
        return column
    for dtype in (pl.Int64, pl.Float64):
        numbers = column.cast(dtype, strict=False)
        if numbers.null_count() == column.null_count():
            return numbers
    return column


def cleaned(frame: pl.DataFrame) -> pl.DataFrame:
    """Clean every column, see ``nulls.clean``."""
    return frame.select(clean(column) for column in frame)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")


_READERS = {
    ".csv": _read_csv, ".tsv": _read_csv, ".parquet": _read_parquet, ".pq": _read_parquet,
    ".arrow": _read_arrow, ".feather": _read_arrow, ".ipc": _read_arrow,
    ".jsonl": _read_json_lines, ".ndjson": _read_json_lines,
}  # fmt: skip
