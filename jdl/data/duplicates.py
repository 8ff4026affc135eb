"""Columns that hold what another one holds."""

import zlib
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data.columns import Category, Column, Date, Dropped, Number, Target
from jdl.data.encode import to_codes, to_days, to_float
from jdl.data.judge import judge
from jdl.data.nulls import clean


def without_duplicates(
    rows: pl.DataFrame, columns: Sequence[Column | Dropped], targets: Sequence[Target]
) -> tuple[list[Column | Dropped], list[str]]:
    """Drop each column that equals an earlier one or a target; also give notes on the copies of targets.

    >>> frame = pl.DataFrame({"a": [1, 2, 2], "b": [1.0, 2.0, 2.0]})
    >>> without_duplicates(frame, [judge(column) for column in frame], ())[0][1]
    Dropped(name='b', reason="duplicate of 'a'")
    """
    goals = [judge(rows[target.name]) for target in targets]
    groups: dict[object, list[Column]] = {}
    for part in (*goals, *columns):
        if not isinstance(part, Dropped):
            groups.setdefault(_likeness(part), []).append(part)
    names = {target.name for target in targets}
    copies: dict[str, str] = {}
    for group in groups.values():
        if len(group) > 1:
            copies |= _copies(rows, group)
    copies = {copy: name for copy, name in copies.items() if copy not in names}
    notes = [
        f"column {copy!r} equals the target {name!r}: left out"
        for copy, name in copies.items()
        if name in names
    ]
    return [_replaced(part, copies) for part in columns], notes


def _replaced(part: Column | Dropped, copies: dict[str, str]) -> Column | Dropped:
    return Dropped(part.name, f"duplicate of {copies[part.name]!r}") if part.name in copies else part


def _copies(rows: pl.DataFrame, group: list[Column]) -> dict[str, str]:
    """Name the column that each copy in a group is of."""
    found: dict[str, str] = {}
    first: dict[int, list[tuple[str, NDArray]]] = {}
    for part in group:
        values = _values(rows[part.name], part)
        alike = first.setdefault(zlib.crc32(values.tobytes()), [])
        same = [
            name for name, other in alike if np.array_equal(values, other, equal_nan=values.dtype.kind == "f")
        ]
        if same:
            found[part.name] = same[0]
        else:
            alike.append((part.name, values))
    return found


def _likeness(part: Column) -> object:
    """Give what copies surely have in common."""
    if isinstance(part, Number):
        return "number", part.kind, part.low, part.high, part.missing
    if isinstance(part, Category):
        return "category", part.levels, part.missing
    if isinstance(part, Date):
        return "date", part.kind, part.low, part.high, part.missing
    return "text", part.missing


def _values(column: pl.Series, part: Column) -> NDArray:
    if isinstance(part, Number):
        return to_float(column, part)
    if isinstance(part, Category):
        return to_codes(column, part)
    if isinstance(part, Date):
        return to_days(column, part)
    return clean(column).hash(seed=0).to_numpy()
