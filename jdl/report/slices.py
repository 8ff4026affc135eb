"""Where a model is weak: parts of the rows that are predicted worse than the others, and the worst rows."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data import Schema

FEWEST = 30  # rows of a part that says something
SURE = 3.0  # standard errors


class Slice(NamedTuple):
    """Rows that have something in common: how many, their mean, and that of the others."""

    name: str
    rows: int
    inside: float
    outside: float
    errors: float  # the difference in standard errors


def weak(
    schema: Schema, rows: dict[str, NDArray], values: NDArray, *, greater: bool, most: int = 8
) -> list[Slice]:
    """Find levels of categories and quarters of numbers that are worse than the other rows, the surest first.

    ``values`` is a score of each row; ``greater`` says whether more is better.
    """
    found = []
    for name, inside in _parts(schema, rows):
        count = int(inside.sum())
        if not FEWEST <= count <= len(values) - FEWEST:
            continue
        one, other = values[inside], values[~inside]
        error = np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))
        worse = (other.mean() - one.mean()) * (1 if greater else -1)
        if error > 0 and worse > SURE * error:
            found.append(Slice(name, count, float(one.mean()), float(other.mean()), float(worse / error)))
    return sorted(found, key=lambda each: -each.errors)[:most]


def worst(frame: pl.DataFrame, loss: NDArray, said: pl.Series, most: int = 10) -> pl.DataFrame:
    """Give the rows of the greatest losses, what was predicted of them beside."""
    at = np.argsort(-loss, kind="stable")[:most]
    kept = frame[at.tolist()]
    return kept.insert_column(0, said[at.tolist()].alias("predicted")).insert_column(
        0, pl.Series("row", at + 1)
    )


def _parts(schema: Schema, rows: dict[str, NDArray]) -> Iterator[tuple[str, NDArray]]:
    for i, category in enumerate(schema.categories):
        codes = rows["categories"][:, i]
        for code in np.unique(codes):
            level = "missing or unseen" if code == 0 else category.levels[code - 1]
            yield f"{category.name} = {level}", codes == code
    for i, number in enumerate(schema.numbers):
        values = rows["numbers"][:, i].astype(np.float64) * number.scale + number.offset
        there = np.isfinite(values)
        yield f"{number.name} is missing", ~there
        ends = np.unique(np.quantile(values[there], [0, 0.25, 0.5, 0.75, 1])) if there.any() else values[:0]
        for low, high in zip(ends[:-1], ends[1:], strict=True):
            inside = there & (values >= low) & ((values < high) | (high == ends[-1]))
            yield f"{number.name} from {low:.4g} to {high:.4g}", inside
