"""Columns of numbers as one matrix: those stored as float32 holds them together, the others one by one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data.columns import Number

if TYPE_CHECKING:
    from jdl.data.schema import Schema

_EXACT = (pl.Float32, pl.Int8, pl.Int16, pl.UInt8, pl.UInt16, pl.Boolean)  # float32 holds every value


def numbers(
    schema: "Schema", frame: pl.DataFrame, read: Callable[[pl.DataFrame, Number], NDArray]
) -> NDArray[np.float32]:
    """Give the columns of numbers as float32 (n, p), NaN where missing or infinite.

    Columns of a type whose values float32 holds, of which the schema takes nothing away, come into the
    matrix as polars lays them out, eight times sooner than by ``read(frame, number)``, which reads others.
    """
    types = frame.schema
    plain = [_is_plain(number, types.get(number.name)) for number in schema.numbers]
    names = [number.name for number, quick in zip(schema.numbers, plain, strict=True) if quick]
    matrix = np.empty((frame.height, len(plain)), np.float32)
    if names:
        together = frame.select(pl.col(names).cast(pl.Float32).fill_null(np.nan)).to_numpy(order="c")
        if all(plain) and together.flags.writeable:
            matrix = together
        else:
            matrix[:, plain] = together
        matrix[np.isinf(matrix)] = np.nan
    for i, number in enumerate(schema.numbers):
        if not plain[i]:
            matrix[:, i] = read(frame, number)
    return matrix


def _is_plain(number: Number, dtype: Any) -> bool:
    kept = number.offset == 0 and number.scale == 1
    kinds = ("number", "boolean") if dtype == pl.Boolean else ("number",)
    return kept and number.kind in kinds and dtype in _EXACT
