"""Numbers that are stored as numbers, coded many columns at a time: what ``schema.encode`` gives, sooner."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data.schema import Schema

_EXACT = (pl.Float32, pl.Int8, pl.Int16, pl.UInt8, pl.UInt16, pl.Boolean)  # float32 holds every value


def encode(schema: Schema, frame: pl.DataFrame) -> dict[str, NDArray[Any]]:
    """Give what ``schema.encode(frame)`` gives, to the last bit.

    Columns of a type whose values float32 holds, of which the schema takes nothing away, are taken into the
    matrix together, as polars lays it out, ten times sooner than one after the other; the others go the
    usual way.
    """
    types = frame.schema
    plain = [i for i, number in enumerate(schema.numbers) if _is_plain(number, types.get(number.name))]
    if not plain:
        return schema.encode(frame)
    names = [schema.numbers[i].name for i in plain]
    matrix = frame.select(pl.col(names).cast(pl.Float32).fill_null(np.nan)).to_numpy(order="c")
    infinite = np.isinf(matrix)
    if infinite.any():
        matrix = np.where(infinite, np.float32(np.nan), matrix)
    others = [i for i in range(len(schema.numbers)) if i not in set(plain)]
    rest = replace(schema, numbers=tuple(schema.numbers[i] for i in others)).encode(frame)
    if others:
        numbers = np.empty((frame.height, len(schema.numbers)), np.float32)
        numbers[:, plain], numbers[:, others] = matrix, rest["numbers"]
        return rest | {"numbers": numbers}
    return rest | {"numbers": matrix}


def _is_plain(number: Any, dtype: Any) -> bool:
    kept = number.offset == 0 and number.scale == 1
    kinds = ("number", "boolean") if dtype == pl.Boolean else ("number",)
    return kept and number.kind in kinds and dtype in _EXACT
