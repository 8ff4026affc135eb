"""A table of any size as parts of it, read one after the other."""

import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from jdl.data.errors import DataError
from jdl.data.files import TEXT, ending
from jdl.data.part_files import PartFile, opened
from jdl.data.read import (
    files_of,
    of_several_types,
    read_table,
    require_same_columns,
    require_same_types,
)
from jdl.data.stream_files import ENDINGS

ROWS = 2**17  # of a part at most


def read_parts(
    source: Any, text: Collection[str] = (), columns: Collection[str] = (), rows: int = ROWS
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Read what ``read_table`` reads, in parts of at most ``rows`` rows, each with the number of its first.

    Parquet files are read by row groups, and where there are no others the named ``columns`` alone; Arrow by
    record batches, and JSON lines some at a time. Text is first brought into temporary Parquet files, a block
    at a time; tables in memory are cut.

    Raises:
        DataError: as ``read_table``; of a Parquet file, a column that is not there.

    >>> [(first, part.height) for first, part in read_parts({"x": range(5)}, rows=2)]
    [(0, 2), (2, 2), (4, 1)]
    """
    if not isinstance(source, str | os.PathLike):
        yield from cut(0, read_table(source, text), rows)
        return
    paths = files_of(Path(source))
    only = columns if all(ending(path) in ENDINGS for path in paths) else ()
    first = 0
    with tempfile.TemporaryDirectory() as folder:
        files = _opened(paths, folder, text, only)
        names = files[0].head.columns
        if not names:
            raise DataError(f"{source}: has no columns; a table needs at least one")
        for block in (block for file in files for block in file.blocks):
            yield from cut(first, block.select(names), rows)
            first += block.height
    if not first:
        raise DataError(f"{source}: has {len(names)} columns and no rows; a table needs at least one row")


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


def _opened(
    paths: list[Path], folder: str, text: Collection[str], columns: Collection[str]
) -> list[PartFile]:
    """Open all files of a table: what is text in one of them is text in every CSV, as of ``read_table``."""
    files = [opened(path, folder, text, columns) for path in paths]
    require_same_columns(paths, [file.head for file in files])
    if mixed := of_several_types([file.head for file in files]):
        again = {*text, *mixed}
        files = [
            opened(path, folder, again) if ending(path) in TEXT else file
            for path, file in zip(paths, files, strict=True)
        ]
        require_same_types(paths, [file.head for file in files])
    return files


def cut(first: int, frame: pl.DataFrame, rows: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Cut a table of which ``first`` rows came before; give each part with the rows before it."""
    for begin in range(0, frame.height, rows):
        yield first + begin, frame[begin : begin + rows]
