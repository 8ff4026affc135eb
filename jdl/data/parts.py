"""A table of any size as parts of it, read one after the other."""

import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from jdl.data import stream_files
from jdl.data.errors import DataError
from jdl.data.nulls import clean
from jdl.data.read import (
    files_of,
    of_several_types,
    read_table,
    require_same_columns,
    require_same_types,
)
from jdl.data.stream_convert import as_parquet
from jdl.data.stream_csv import to_parquet
from jdl.data.stream_files import ENDINGS

ROWS = 2**17  # of a part at most


def read_parts(
    source: Any, text: Collection[str] = (), columns: Collection[str] = (), rows: int = ROWS
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Read what ``read_table`` reads, in parts of at most ``rows`` rows, each with the number of its first.

    Parquet files are read by row groups, and of them the named ``columns`` alone; other files are first
    brought into temporary Parquet files, a block at a time. Tables in memory are cut.

    Raises:
        DataError: as ``read_table``; of a Parquet file, a column that is not there.

    >>> [(first, part.height) for first, part in read_parts({"x": range(5)}, rows=2)]
    [(0, 2), (2, 2), (4, 1)]
    """
    if not isinstance(source, str | os.PathLike):
        yield from cut(0, read_table(source, text), rows)
        return
    paths = files_of(Path(source))
    if all(path.suffix.lower() in ENDINGS for path in paths):
        yield from _groups(paths, columns, rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield from _groups(_converted(paths, folder, set(text)), (), rows)


@contextmanager
def counted_from(first: int) -> Iterator[None]:
    """Let an error of a part name the row of the whole table."""
    try:
        yield
    except DataError as error:
        if not (first and error.row):
            raise
        row = error.row + first
        message = f", row {row}:".join(str(error).rsplit(f", row {error.row}:", 1))
        raise DataError(message, column=error.column, row=row) from None


def _converted(paths: list[Path], folder: str, text: set[str]) -> list[Path]:
    """Bring files into Parquet: what is text in one CSV is text in all, as ``read_table`` has it."""
    made = [as_parquet(path, folder, text) for path in paths]
    heads = [pl.read_parquet(path, n_rows=0) for path in made]
    require_same_columns(paths, heads)
    if mixed := of_several_types(heads):
        again = [path.suffix.lower() in (".csv", ".tsv") for path in paths]
        made = [
            to_parquet(path, folder, text | mixed) if csv else old
            for path, old, csv in zip(paths, made, again, strict=True)
        ]
        require_same_types(paths, [pl.read_parquet(path, n_rows=0) for path in made])
    return made


def _groups(paths: list[Path], columns: Collection[str], rows: int) -> Iterator[tuple[int, pl.DataFrame]]:
    for group in stream_files.groups(paths, tuple(columns)):
        frame = stream_files.read(group, tuple(columns) or None)
        yield from cut(group.first, frame.select(clean(column) for column in frame), rows)


def cut(first: int, frame: pl.DataFrame, rows: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Cut a table of which ``first`` rows came before; give each part with the rows before it."""
    for begin in range(0, frame.height, rows):
        yield first + begin, frame[begin : begin + rows]
