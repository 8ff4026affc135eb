"""A CSV of any size as a Parquet file, converted once, a block at a time."""

import json
import os
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from jdl.data.errors import DataError
from jdl.data.files import TEXT, separator
from jdl.data.read import clean
from jdl.data.stream_files import require_columns

BLOCK = 2**24  # bytes of text read at once
GROUP_ROWS, GROUP_BYTES = 2**17, 2**25  # a row group is written at either
_VERSION = 1
_CODE = r"^(?:0\d+|\d{20,})$"  # no number: zeros in front, or too many digits for one
_FINGERPRINT = b"jdl csv"

# The types that are tried, as by the reader of whole files: a column has the first that fits all its values.
_TYPES = (
    pa.int64(),
    pa.bool_(),
    pa.date32(),
    pa.time32("s"),
    *(pa.timestamp(unit, zone) for zone in (None, "UTC") for unit in ("s", "ns")),
    pa.float64(),
)


def to_parquet(source: str | os.PathLike, folder: str | os.PathLike, text: Collection[str] = ()) -> Path:
    """Convert a CSV or TSV file into a Parquet file in ``folder``, and give its path.

    The file is read twice, a block at a time: for the types of its columns, which come from all of its rows
    as in ``read_table``, and for its rows. The columns named in ``text`` stay text (``Schema.text_columns``).
    Called again, it finds the conversion and reads nothing, until the size or time of the CSV, or ``text``,
    is another. A conversion that is broken off leaves none.

    Raises ``DataError`` for a file that is missing, empty or ragged, as ``read_table``.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "t.csv").write_text("age,work\\n39, Private\\n?,Local\\n")
    >>> pl.read_parquet(to_parquet(folder / "t.csv", folder)).rows()
    [(39, 'Private'), (None, 'Local')]
    """
    path = Path(source)
    if path.suffix.lower() not in TEXT:
        raise DataError(f"{path}: ending {path.suffix!r}; needs a file ending in .csv or .tsv")
    try:
        about = path.stat()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path from {Path.cwd()}") from None
    if about.st_size == 0:
        raise DataError(f"{path}: the file is empty; a table needs a header and rows")
    place = f"{zlib.crc32(str(path.resolve()).encode()):08x}"  # files of one name in several folders
    into = Path(folder) / f"{path.stem}-{place}.parquet"
    mark = json.dumps([_VERSION, about.st_size, about.st_mtime_ns, sorted(text)]).encode()
    if _mark_of(into) != mark:
        into.parent.mkdir(parents=True, exist_ok=True)
        begun = into.with_suffix(f".{os.getpid()}.unfinished")
        try:
            _convert(path, begun, set(text), mark)
            os.replace(begun, into)
        finally:
            begun.unlink(missing_ok=True)
    return into


def _mark_of(path: Path) -> bytes | None:
    """Read what a conversion says of the file it was made from; None where there is no whole one."""
    try:
        return (pa_parquet.read_schema(path).metadata or {}).get(_FINGERPRINT)
    except (pa.ArrowInvalid, OSError):
        return None


def _convert(path: Path, into: Path, text: set[str], mark: bytes) -> None:
    types = _types(path, text)
    schema = pa.schema(types.items(), metadata={_FINGERPRINT: mark})
    texts = [name for name, kind in types.items() if pa.types.is_string(kind)]
    # A dictionary of numbers saves little and takes twice as long to read.
    with pa_parquet.ParquetWriter(into, schema, use_dictionary=texts) as writer:
        held: list[pa.Table] = []
        for block in _blocks(path):
            held.append(pa.table([_as(block[name], type) for name, type in types.items()], schema=schema))
            if sum(map(len, held)) >= GROUP_ROWS or sum(part.nbytes for part in held) >= GROUP_BYTES:
                whole = pa.concat_tables(held)
                full = len(whole) // GROUP_ROWS * GROUP_ROWS or len(whole)
                writer.write_table(whole[:full], row_group_size=GROUP_ROWS)
                held = [whole[full:]]
        if any(map(len, held)):
            writer.write_table(pa.concat_tables(held))


def _types(path: Path, text: set[str]) -> dict[str, pa.DataType]:
    """Find for each column the first type that all of its values can be read as."""
    left: dict[str, list[pa.DataType]] = {}
    rows = 0
    for block in _blocks(path):
        for name in block.columns:
            kinds = left.setdefault(name, [] if name in text else list(_TYPES))
            left[name] = [kind for kind in kinds if _as(block[name], kind) is not None]
        rows += block.height
    if not rows:
        raise DataError(f"{path}: has no rows; a table needs at least one row")
    return {name: next(iter(kinds), pa.string()) for name, kinds in left.items()}


def _as(column: pl.Series, kind: pa.DataType) -> pa.Array | None:
    """Read text as ``kind``; None where a value is not of it."""
    if kind == pa.int64() or kind == pa.float64():
        if column.str.contains(_CODE).any():
            return None
        values = column.cast(pl.Int64 if kind == pa.int64() else pl.Float64, strict=False)
    elif pa.types.is_time(kind):
        values = column.str.to_time("%H:%M:%S", strict=False)
        values = values.fill_null(column.str.to_time("%H:%M", strict=False))
    else:
        try:
            return column.to_arrow().cast(kind)
        except pa.ArrowInvalid:
            return None
    return values.to_arrow().cast(kind) if values.null_count() == column.null_count() else None


def _blocks(path: Path) -> Iterator[pl.DataFrame]:
    """Read a file as blocks of text, blanks cut and missing values null."""
    ragged: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    parse = pa_csv.ParseOptions(
        delimiter="\t" if path.suffix.lower() == ".tsv" else separator(path),
        newlines_in_values=True,
        invalid_row_handler=note,
    )
    options = pa_csv.ReadOptions(use_threads=False, block_size=BLOCK)
    try:
        with pa_csv.open_csv(path, options, parse) as reader:
            names = reader.schema.names
        require_columns(path, names)
        as_text = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), check_utf8=True)
        with pa_csv.open_csv(path, options, parse, as_text) as reader:
            for block in reader:
                frame = pl.from_arrow(pa.Table.from_batches([block]))
                assert isinstance(frame, pl.DataFrame)
                yield frame.select(clean(column) for column in frame)
    except pa.ArrowInvalid as error:
        if ragged:
            row = ragged[0]
            raise DataError(
                f"{path}: row {row.number - 1} has {row.actual_columns} fields, the header has "
                f"{row.expected_columns}; every row needs as many (quote a field that holds the separator)"
            ) from None
        hint = "; save the file as UTF-8" if "UTF8" in str(error) else ""
        raise DataError(f"{path}: cannot be read: {str(error).strip().splitlines()[0]}{hint}") from error
