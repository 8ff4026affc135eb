"""Where a model is weak: parts of the rows that are predicted worse than the others, and the worst rows."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data import Schema
from jdl.features.dates import MISSING_DAY

FEWEST = 30  # rows of a part that says something
SURE = 3.0  # standard errors
QUARTERS = (0, 0.25, 0.5, 0.75, 1)


class Slice(NamedTuple):
    """Rows that have something in common: how many, their mean, and that of the others."""

    name: str
    rows: int
    inside: float
    outside: float
    errors: float  # the difference in standard errors


def weak(
    schema: Schema,
    frame: pl.DataFrame,
    rows: dict[str, NDArray],
    values: NDArray,
    *,
    greater: bool,
    most: int = 8,
) -> list[Slice]:
    """Find parts of the rows that are worse than the others, the surest first.

    Parts are the levels of categories, quarters of numbers and dates, quarters of texts by their length, and
    the rows without a value.

    ``rows`` is the frame as the schema encodes it, ``values`` a score of each row; ``greater`` says whether
    more is better.
    """
    found = []
    for name, inside in _parts(schema, frame, rows):
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


def _parts(schema: Schema, frame: pl.DataFrame, rows: dict[str, NDArray]) -> Iterator[tuple[str, NDArray]]:
    for i, category in enumerate(schema.categories):
        codes = rows["categories"][:, i]
        for code in np.unique(codes):
            level = "missing or unseen" if code == 0 else category.levels[code - 1]
            yield f"{category.name} = {level}", codes == code
    for name, values, shown in _ordered(schema, frame, rows):
        there = np.isfinite(values)
        yield f"{name} is missing", ~there
        ends = np.unique(np.quantile(values[there], QUARTERS)) if there.any() else values[:0]
        for low, high in zip(ends[:-1], ends[1:], strict=True):
            inside = there & (values >= low) & ((values < high) | (high == ends[-1]))
            yield f"{name} from {shown(low)} to {shown(high)}", inside


def _ordered(
    schema: Schema, frame: pl.DataFrame, rows: dict[str, NDArray]
) -> Iterator[tuple[str, NDArray, Callable[[float], str]]]:
    """Give what has an order, NaN where it is missing, and how a value is written."""
    for i, number in enumerate(schema.numbers):
        values = rows["numbers"][:, i].astype(np.float64) * number.scale + number.offset
        yield number.name, values, lambda value: f"{value:.4g}"
    for i, date in enumerate(schema.dates):
        yield date.name, days(rows, i), lambda day: str(np.datetime64(int(day), "D"))
    for part in schema.texts:
        yield f"length of {part.name}", lengths(frame, part.name), lambda count: f"{count:.0f} characters"


def days(rows: dict[str, NDArray], i: int) -> NDArray:
    """Give a column of dates as days since 1970, NaN where they are missing."""
    found = rows["dates"][:, i, 0]
    return np.where(found == MISSING_DAY, np.nan, found)


def lengths(frame: pl.DataFrame, name: str) -> NDArray:
    """Give the characters of each text, NaN where there is none."""
    return frame[name].cast(pl.String).str.len_chars().cast(pl.Float64).to_numpy()
