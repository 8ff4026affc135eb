"""Files that are read in parts: what columns each has, and its rows, a block of them after the other."""

from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from jdl.data import stream_files
from jdl.data.files import (
    TEXT,
    cleaned,
    ending,
    is_old_feather,
    json_lines_schema,
    read_file,
    read_json_lines,
    reading,
    record_batches,
)
from jdl.data.frames import from_arrow
from jdl.data.stream_csv import GROUP_ROWS, to_parquet


class PartFile(NamedTuple):
    """A file of a table: its columns, as a frame without rows, and its rows in blocks, both cleaned."""

    head: pl.DataFrame
    blocks: Iterator[pl.DataFrame]


def opened(path: Path, folder: str, text: Collection[str], columns: Collection[str] = ()) -> PartFile:
    """Open a file of any kind; of Parquet the named ``columns`` alone are read.

    Text files are first brought into Parquet files in ``folder``; of Feather as it was before Arrow's file
    format there is one block.

    Raises ``DataError`` as ``read_table`` does.
    """
    kind = ending(path)
    if kind in stream_files.ENDINGS:
        return _parquet(path, columns)
    if kind in TEXT:
        return _parquet(to_parquet(path, folder, text))
    if kind is None:
        read_file(path, text)  # says what is wrong
    with reading(path):
        if kind in (".jsonl", ".ndjson"):
            types = json_lines_schema(path)
            read = partial(read_json_lines, path=path, text=text, schema=types)
            return PartFile(read(b""), _json_lines(path, read))
        if is_old_feather(path):
            whole = read_file(path, text)
            return PartFile(whole.clear(), iter([whole]))
        batches = (from_arrow(pa.Table.from_batches([batch]), str(path)) for batch in record_batches(path))
        return PartFile(cleaned(next(batches)), map(cleaned, batches))


def _parquet(path: Path, columns: Collection[str] = ()) -> PartFile:
    schema = stream_files.describe(str(path)).schema.to_arrow_schema()
    stream_files.require_columns(path, schema.names, list(columns))
    head = from_arrow(schema.empty_table(), str(path))
    named = list(columns) or None
    groups = stream_files.groups_of(path)
    blocks = (stream_files.read(group, named) for group in groups)
    return PartFile(cleaned(head.select(named or head.columns)), map(cleaned, blocks))


def _json_lines(path: Path, read: partial[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    with path.open("rb") as file:
        while lines := list(islice(file, GROUP_ROWS)):
            yield read(b"".join(lines))
