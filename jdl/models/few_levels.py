"""Categories of few levels as robustly scaled columns."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jdl.features import CategoryStep, Coding, Columns, from_summary
from jdl.features.categories import counts_of, starts_of
from jdl.metrics.sums import Sum, value

LIMIT = 3.0  # no column leaves [-LIMIT, LIMIT]


def robust_levels() -> CategoryStep:
    r"""Lay each category out in ``flat`` as columns scaled like numbers.

    One column for each level, none for code 0 (missing, unseen); of two levels one column, 1 and -1, 0 where
    missing. A column of values :math:`v` becomes :math:`z / \sqrt{1 + (z / 3)^2}`, :math:`z = (v - m) / s`,
    where :math:`m` is the median of the training rows and :math:`s` the distance of their quartiles, or half
    that of the extremes where the quartiles meet; 0 where all are equal. A row counts by its weight.

    Source: the preprocessing of RealMLP, Holzmüller, Grinsztajn and Steinwart 2024,
    https://arxiv.org/abs/2407.04491.

    >>> coding = robust_levels()(Columns((3,)))
    >>> stats = coding.prepare.fit(None, jnp.array([[1], [1], [2], [2], [2]]), None, None)
    >>> [coding.prepare.apply(stats, jnp.array([code]))["flat"].round(2).tolist() for code in (0, 1, 2)]
    [[0.49], [0.95], [0.0]]
    """

    def step(columns: Columns) -> Coding:
        sizes = np.array(columns.sizes, int)
        column, values = columns_of(sizes)
        places = np.minimum(
            starts_of(columns.sizes)[column, None] + np.arange(values.shape[1]), sizes.sum() - 1
        )
        inside = np.arange(values.shape[1]) < sizes[column, None]

        def finish(parts: Sum) -> dict[str, jax.Array]:
            centre, factor = robust(values, jnp.where(inside, value(parts)[places], 0.0))
            return {"centre": centre, "factor": factor}

        def apply(stats: Any, row: jax.Array, fold: Any = None, key: Any = None) -> dict[str, jax.Array]:
            found = jnp.asarray(values)[np.arange(len(column)), row[column]]
            z = (found - stats["centre"]) * stats["factor"]
            return {"categories": jnp.zeros(0, jnp.int32), "flat": z / jnp.sqrt(1 + (z / LIMIT) ** 2)}

        return Coding(from_summary(counts_of(columns.sizes, finish), apply), ())

    return step


def columns_of(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give for each column the category it is of, and its value for each of that category's codes."""
    made: list[tuple[int, np.ndarray]] = []
    for i, size in enumerate(sizes):
        if size in (2, 3):
            made.append((i, np.array([0.0, 1.0, -1.0] if size == 3 else [-1.0, 1.0])))
        else:
            made += [(i, row) for row in np.eye(size)[1:]]
    longest = max((len(values) for _, values in made), default=1)
    # What pads a row is its greatest value, which no row of a table has there.
    padded = [np.pad(values, (0, longest - len(values)), constant_values=values.max()) for _, values in made]
    return np.array([i for i, _ in made], int), np.array(padded, np.float32).reshape(len(made), longest)


def robust(values: np.ndarray, counts: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Give the median and one over the spread of columns whose ``values`` (c, k) occur ``counts`` times."""
    order = np.argsort(values, 1, kind="stable")
    values = np.take_along_axis(values, order, 1)
    counts = jnp.take_along_axis(counts, order, 1)
    steps, below = np.diff(values, axis=1), jnp.cumsum(counts, 1)[:, :-1]
    last = jnp.sum(counts, 1, keepdims=True) - 1.0

    def quantile(q: float) -> jax.Array:  # with a straight line between two rows, as NumPy's
        return jnp.asarray(values[:, 0]) + jnp.sum(steps * jnp.clip(q * last - below + 1.0, 0.0, 1.0), 1)

    there, spread = counts > 0, quantile(0.75) - quantile(0.25)
    high = jnp.max(jnp.asarray(values), 1, where=there, initial=-jnp.inf)
    low = jnp.min(jnp.asarray(values), 1, where=there, initial=jnp.inf)
    spread = jnp.where(spread > 0, spread, 0.5 * (high - low))
    return quantile(0.5), jnp.where(spread > 0, 1.0 / jnp.where(spread > 0, spread, 1.0), 0.0)
