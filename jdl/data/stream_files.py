"""Parquet files as a list of row groups, the pieces in which a large table is read."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from jdl.data.errors import DataError, unknown_column
from jdl.data.frames import from_arrow
from jdl.data.schema import Schema

Files = str | os.PathLike | Iterable[str | os.PathLike]
Rows = dict[str, Any]

ENDINGS = (".parquet", ".pq")
OPEN = 64  # files whose descriptions are kept by a process that reads their groups
_PLACE = "row in its group"  # the name of a column beside those of the table


class Group(NamedTuple):
    """One row group: its file, its number there, its rows, and the number of the first in the whole table."""

    path: str
    number: int
    rows: int
    first: int

    def __str__(self) -> str:
        return f"{self.path}, row group {self.number}"


def find(files: Files) -> list[Path]:
    """List the Parquet files that a path, a folder, a glob pattern, or several of them mean.

    A folder stands for all Parquet files in and below it, in alphabetical order, but those whose path has a
    part that begins with a dot or an underscore. Files listed one by one keep the order given.

    Raises ``DataError`` for what is not there, is no Parquet file by its ending, or occurs twice.
    """
    several = [files] if isinstance(files, str | os.PathLike) else list(files)
    paths = [path for given in several for path in _meant(Path(given))]
    if not paths:
        raise DataError("files: found an empty list, needs at least one Parquet file")
    path, count = Counter(map(os.path.abspath, paths)).most_common(1)[0]
    if count > 1:
        raise DataError(f"{path}: is listed {count} times; every row is read once an epoch, list it once")
    return paths


def _meant(given: Path) -> Iterator[Path]:
    kinds = " or ".join(ENDINGS)
    if given.is_dir():
        found = [path for ending in ENDINGS for path in given.rglob(f"*{ending}")]
        found = [path for path in found if not _hidden(path.relative_to(given)) and path.is_file()]
        if not found:
            raise DataError(f"{given}: the folder holds no file ending in {kinds}")
        yield from sorted(found)
    elif given.exists():
        if given.suffix.lower() not in ENDINGS:
            raise DataError(
                f"{given}: ending {given.suffix!r}; a stream reads files ending in {kinds}: "
                "convert a CSV once with jdl.data.to_parquet"
            )
        yield given
    elif glob.has_magic(str(given)):
        matching = sorted(glob.glob(str(given), recursive=True))
        if not matching:
            raise DataError(f"{given}: no file matches; check the pattern from {Path.cwd()}")
        for path in matching:
            yield from _meant(Path(path))
    else:
        raise DataError(f"{given}: no such file or folder; check the path from {Path.cwd()}")


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def groups(paths: Sequence[Path], columns: Sequence[str] = ()) -> list[Group]:
    """List the row groups of files that each have ``columns``; only the files' descriptions are read.

    Raises ``DataError`` naming a file that is truncated or lacks a column, or where there are no rows.
    """
    found: list[Group] = []
    for path in paths:
        require_columns(path, describe(str(path)).schema.to_arrow_schema().names, columns)
        found += groups_of(path, found[-1].first + found[-1].rows if found else 0)
    if not found:
        shown = ", ".join(map(str, paths[:3]))
        raise DataError(f"{shown}: no rows in {len(paths)} file(s); a table needs at least one row")
    return found


def groups_of(path: Path, first: int = 0) -> list[Group]:
    """List the row groups of one file, of which the table has ``first`` rows before it."""
    description = describe(str(path))
    found = []
    for i in range(description.num_row_groups):
        if rows := description.row_group(i).num_rows:
            found.append(Group(str(path), i, rows, first))
            first += rows
    return found


def describe(path: str) -> Any:
    """Read a file's own description (its footer); it is kept until the file changes."""
    try:
        about = os.stat(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; it was there when the table was opened") from None
    return _described(path, about.st_size, about.st_mtime_ns)


@lru_cache(OPEN)
def _described(path: str, size: int, changed: int) -> Any:
    del changed  # part of the cache's key only
    try:
        return pa_parquet.read_metadata(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{path}: not a whole Parquet file ({size} bytes: {_first_line(error)}); "
            "it may be truncated: copy or write it again"
        ) from error


def read(group: Group, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read the named columns of a row group, all by default."""
    try:
        with pa_parquet.ParquetFile(group.path, metadata=describe(group.path)) as file:
            if group.number >= file.num_row_groups:
                raise DataError(f"{group}: is gone; the file was changed meanwhile")
            table = file.read_row_group(group.number, columns=None if columns is None else list(columns))
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{group}: cannot be read ({_first_line(error)}); "
            "the file may be truncated or damaged: copy or write it again"
        ) from error
    if table.num_rows != group.rows:
        raise DataError(
            f"{group}: has {table.num_rows} rows, had {group.rows}; the file was changed meanwhile"
        )
    return from_arrow(table, group.path)


def encoded(group: Group, schema: Schema, weight: str | None = None) -> Rows:
    """Read a row group as arrays ``{"x": schema.encode, "y": schema.encode_target, "weight": float32 (n,)}``.

    A row without a target has weight 0, and so has no influence; ``weight`` names a column of weights.

    Raises ``DataError`` naming the file, the row group, the column and the row within the group.
    """
    frame = read(group, columns_of(schema, weight))
    with _named(group):
        mass = np.ones(frame.height, np.float32) if weight is None else _weights(frame[weight])
        target, labelled = _targets(schema, frame)
        if labelled is not None:
            mass = np.where(labelled, mass, np.float32(0))
        return {"x": schema.encode(frame), "y": target, "weight": mass}


def columns_of(schema: Schema, weight: str | None = None) -> list[str]:
    """Name the columns that a schema reads, without those it drops."""
    names = [column.name for column in (*schema.columns, *schema.targets)]
    return names if weight is None else [*dict.fromkeys((*names, weight))]


def sample(files: Files, rows: int = 100_000, seed: int = 0, most_groups: int = 16) -> pl.DataFrame:
    """Read some rows of a table of any size, from which its schema can be inferred.

    They are the first rows of up to ``most_groups`` row groups, drawn by ``seed`` and spread over the table;
    of a table of at most ``rows`` all. What a schema inferred from them did not see is treated as at
    prediction: a category's level is unseen (slot 0), a class is an error.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> pl.DataFrame({"x": range(100)}).write_parquet(f"{folder}/t.parquet", row_group_size=10)
    >>> sample(folder, rows=6, most_groups=3).height
    6
    """
    if rows < 1 or most_groups < 1:
        raise DataError(f"sample: {rows} rows of {most_groups} row groups; needs at least 1 of each")
    there = groups(find(files))
    chosen, each = there, rows
    if sum(group.rows for group in there) > rows:
        count = min(len(there), most_groups, rows)
        edges = np.linspace(0, len(there), count + 1).astype(int)
        draw = np.random.default_rng(seed)
        chosen = [there[draw.integers(low, high)] for low, high in zip(edges, edges[1:], strict=False)]
        each = -(-rows // count)
    parts = [read(group).head(each) for group in chosen]
    return pl.concat(parts, how="vertical_relaxed").head(rows)


def require_columns(path: Path, there: Sequence[str], needed: Sequence[str] = ()) -> None:
    """Raise ``DataError`` for a column that is not there, or twice."""
    name, count = Counter(there).most_common(1)[0] if there else ("", 1)
    if count > 1:
        raise DataError(f"{path}: column {name!r} occurs {count} times; every column needs its own name")
    for name in needed:
        if name not in there:
            raise DataError(f"{path}: {unknown_column(name, there)}")


@contextmanager
def _named(group: Group) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"{group}: {error}") from error


def _targets(schema: Schema, frame: pl.DataFrame) -> tuple[NDArray, NDArray[np.bool_] | None]:
    """Code the targets; say which rows have one, or None where all do."""
    goals = frame.select(target.name for target in schema.targets)
    kept = schema.labelled(goals.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(_PLACE)))
    if kept.height == frame.height:
        return schema.encode_target(goals), None
    there = schema.encode_target(kept.drop(_PLACE))
    whole = np.zeros((frame.height, *there.shape[1:]), there.dtype)
    labelled = np.zeros(frame.height, bool)
    whole[kept[_PLACE]], labelled[kept[_PLACE]] = there, True
    return whole, labelled


def _weights(column: pl.Series) -> NDArray[np.float32]:
    if not column.dtype.is_numeric():
        raise DataError(f"weight column {column.name!r}: holds {column.dtype}; needs numbers")
    weights = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"weight column {column.name!r}, row {row + 1}: found {column[row]}; "
            "needs finite weights of at least 0"
        )
    return weights.astype(np.float32)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
