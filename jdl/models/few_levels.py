"""Categories of few levels as robustly scaled columns."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jdl.features import Prepare

LIMIT = 3.0  # no column leaves [-LIMIT, LIMIT]


def with_few_levels(prepare: Prepare, cardinalities: tuple[int, ...], most: int = 9) -> Prepare:
    r"""Move categories of at most ``most`` codes from ``categories`` to ``flat``, after ``prepare``.

    One column for each level, none for code 0 (missing, unseen); of two levels one column, 1 and -1, 0 where
    missing. A column of values :math:`v` becomes :math:`z / \sqrt{1 + z^2 / 9}` with :math:`z = (v - m) / s`,
    with :math:`m` the median of the training rows and :math:`s` the distance of their quartiles, or half that
    of the extremes where the quartiles meet; 0 where all are equal. A row counts by its weight.

    Source: the preprocessing of RealMLP, Holzmüller, Grinsztajn and Steinwart 2024,
    https://arxiv.org/abs/2407.04491.
    """
    sizes = np.array(cardinalities, int)
    few, many = np.flatnonzero(sizes <= most), np.flatnonzero(sizes > most)
    starts = np.cumsum(sizes[few]) - sizes[few]
    column, values = columns(sizes[few])

    def fit(key: Any, rows: Any, target: Any, weight: Any) -> dict[str, Any]:
        stats = prepare.fit(key, rows, target, weight)
        codes = jax.vmap(lambda row: prepare.apply(stats, row)["categories"])(rows)[:, few] + starts
        mass = jnp.ones(len(codes)) if weight is None else weight
        counts = jnp.zeros(int(sizes[few].sum())).at[codes].add(mass[:, None])
        padded = np.minimum(starts[column, None] + np.arange(values.shape[1]), len(counts) - 1)
        inside = np.arange(values.shape[1]) < sizes[few][column, None]
        centre, factor = robust(values, jnp.where(inside, counts[padded], 0.0))
        return {"rows": stats, "levels": {"centre": centre, "factor": factor}}

    def apply(stats: dict[str, Any], row: Any, fold: Any = None, key: Any = None) -> dict[str, Any]:
        made = prepare.apply(stats["rows"], row, fold, key)
        levels, codes = stats["levels"], made["categories"]
        value = jnp.asarray(values)[np.arange(len(column)), codes[few][column]]
        z = (value - levels["centre"]) * levels["factor"]
        z = z / jnp.sqrt(1 + (z / LIMIT) ** 2)
        return {**made, "categories": codes[many], "flat": jnp.concatenate([made["flat"], z])}

    return Prepare(fit, apply, folds=prepare.folds, each_step=prepare.each_step)


def columns(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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

    spread = quantile(0.75) - quantile(0.25)
    there = counts > 0
    high = jnp.max(jnp.asarray(values), 1, where=there, initial=-jnp.inf)
    low = jnp.min(jnp.asarray(values), 1, where=there, initial=jnp.inf)
    spread = jnp.where(spread > 0, spread, 0.5 * (high - low))
    return jnp.asarray(quantile(0.5)), jnp.where(spread > 0, 1.0 / jnp.where(spread > 0, spread, 1.0), 0.0)
