"""Tables in: files, folders of them, and frames of any library, as one polars frame."""

import glob
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from jdl.data.errors import DataError
from jdl.data.files import TEXT, ending, read_file
from jdl.data.frames import ENDINGS, from_frame
from jdl.data.nulls import clean


def read_table(source: Any, text: Collection[str] = ()) -> pl.DataFrame:
    """Read a table: a path, a polars, pandas, pyarrow, numpy or other frame, or a dict of columns.

    A file is read by its ending: ``.csv`` (separated by comma, semicolon, tab or bar, told from the header),
    ``.tsv``, ``.parquet`` or ``.pq``, ``.arrow``, ``.feather`` or ``.ipc``, ``.jsonl`` or ``.ndjson``. Of a
    folder all such files directly in it are read, of a pattern (``data/2024-*.csv``) all that fit, and their
    rows put one behind the other in the order of the names; they need the same columns. The columns of a
    numpy array are called ``x0``, ``x1``, … where it has no names.

    The types of a text file are inferred from all of its rows; the columns named in ``text`` stay text
    whatever they look like, and so do numbers with zeros in front. Blanks around text are cut; the spellings
    in ``NULLS`` and NaN become null. Rows are counted from 1, the header apart.

    Raises ``DataError`` for a file that is missing, empty, truncated, ragged or of an unknown ending, for
    files whose columns differ, for column names that occur twice, and for a table without rows.

    >>> read_table({"age": [39, 50], "work": ["Private ", "?"]})["work"].to_list()
    ['Private', None]
    """
    if isinstance(source, str | os.PathLike):
        place = str(Path(source))
        table = _read_path(Path(source), text)
    else:
        place = "the table"
        table = from_frame(source)
        table = table.select(clean(column) for column in table)
    if not table.width:
        raise DataError(f"{place}: has no columns; a table needs at least one")
    if not table.height:
        raise DataError(f"{place}: has {table.width} columns and no rows; a table needs at least one row")
    return table


def files_of(path: Path) -> list[Path]:
    """List the files that a path means: of a folder and of a pattern those that are tables, else itself."""
    if path.is_dir():
        files = sorted(part for part in path.iterdir() if part.is_file() and _is_table(part))
        if not files:
            raise DataError(f"{path}: the folder holds no table; needs files ending in {ENDINGS}")
        return files
    if not path.exists() and glob.has_magic(str(path)):
        files = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())
        if not files:
            raise DataError(f"{path}: no file has such a name; check the pattern from {Path.cwd()}")
        return files
    return [path]


def _read_path(path: Path, text: Collection[str]) -> pl.DataFrame:
    files = files_of(path)
    return read_file(path, text) if files == [path] else _read_all(files, text)


def _is_table(path: Path) -> bool:
    """Tell whether a file of a folder is a part of its table; programs leave notes of their own there."""
    return ending(path) is not None and not path.name.startswith((".", "_"))


def _read_all(files: Sequence[Path], text: Collection[str]) -> pl.DataFrame:
    frames = [read_file(path, text) for path in files]
    require_same_columns(files, frames)
    frames = [frame.select(frames[0].columns) for frame in frames]
    mixed = of_several_types(frames)
    if mixed:  # one file holds text where another holds what looks like numbers
        frames = [_with_text(path, frame, mixed, text) for path, frame in zip(files, frames, strict=True)]
    require_same_types(files, frames)
    return pl.concat(frames, how="vertical_relaxed")


def require_same_types(files: Sequence[Path], frames: Sequence[pl.DataFrame]) -> None:
    """Raise ``DataError`` where a column cannot be put behind that of the first file."""
    for path, frame in zip(files, frames, strict=True):
        for name in frame.columns:
            if _differ([frames[0][name].dtype, frame[name].dtype]):
                raise DataError(
                    f"{path}: column {name!r} holds {frame[name].dtype}, in {files[0]} "
                    f"{frames[0][name].dtype}; the files of a table need columns of one type"
                )


def _with_text(path: Path, frame: pl.DataFrame, mixed: set[str], text: Collection[str]) -> pl.DataFrame:
    if ending(path) not in TEXT:
        return frame
    again = read_file(path, {*text, *mixed}).select(frame.columns)
    return frame.with_columns(again[name] for name in mixed)


def require_same_columns(files: Sequence[Path], frames: Sequence[pl.DataFrame]) -> None:
    """Raise ``DataError`` where a file lacks a column of the first, or has a further one."""
    first = set(frames[0].columns)
    for path, frame in zip(files, frames, strict=True):
        lacking, further = sorted(first - set(frame.columns)), sorted(set(frame.columns) - first)
        if lacking or further:
            found = [f"lacks the column {name!r}" for name in lacking[:1]]
            found += [f"has the further column {name!r}" for name in further[:1]]
            raise DataError(
                f"{path}: {' and '.join(found)}, compared with {files[0]}; "
                "the files of a table need the same columns"
            )


def of_several_types(frames: Sequence[pl.DataFrame]) -> set[str]:
    """Name the columns that cannot be put one behind the other as they are."""
    return {name for name in frames[0].columns if _differ([frame[name].dtype for frame in frames])}


def _differ(types: Sequence[pl.DataType]) -> bool:
    """Tell whether columns of these types cannot be put one behind the other as they are."""
    kinds = {_group(dtype) for dtype in types if dtype != pl.Null}
    return len(kinds) > 1


def _group(dtype: pl.DataType) -> str:
    return "number" if dtype.is_numeric() else "datetime" if dtype == pl.Datetime else str(dtype)
