"""Scaling and imputing of numbers, column by column; NaN stays NaN until a step imputes it."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl.features.moments import mean_and_std, merge, moments_of
from jdl.features.prepare import Prepare, Summary, from_summary, stateless, weights

Stats = dict[str, jax.Array]


def standard() -> Prepare:
    r"""Scale each column to mean 0 and standard deviation 1: :math:`(x - \\mu) / \\sigma`.

    Of rows ``(n, p)``, by the weighted moments of finite values. A column that is constant in the training
    rows becomes 0; NaN and infinity become NaN.

    >>> rows = jnp.array([[1.0], [3.0], [jnp.nan]])
    >>> prepare = standard()
    >>> jax.vmap(lambda row: prepare.apply(prepare.fit(None, rows, None, None), row))(rows)[:, 0].tolist()
    [-1.0, 1.0, nan]
    """

    def part(key: Any, rows: Any, target: Any, weight: Any, first: Any = 0) -> Any:
        return moments_of(rows, weights(len(rows), weight, rows.dtype))

    def finish(parts: Any) -> Stats:
        mean, std = mean_and_std(parts)
        return {"center": mean, "scale": std}

    return from_summary(Summary(part, merge, finish), scaled)


def impute_constant(value: Any = 0.0) -> Prepare:
    """Put ``value`` (a number, or one for each column) where a number is missing.

    After ``standard`` 0 is the mean, after ``robust`` and ``quantile_normal`` the median.

    >>> impute_constant(-1.0).apply((), jnp.array([jnp.nan, 2.0])).tolist()
    [-1.0, 2.0]
    """
    return stateless(lambda row: jnp.where(jnp.isfinite(row), row, jnp.asarray(value, row.dtype)))


def scaled(stats: Stats, row: jax.Array, fold: Any = None, key: Any = None) -> jax.Array:
    """Give ``(row - center) / scale``: 0 where the scale is 0, NaN where the row is not finite."""
    del fold, key
    scale = stats["scale"]
    whole = jnp.where(jnp.isfinite(row), row, stats["center"])
    # Halves, so that the difference of two large numbers is finite.
    ratio = (whole / 2 - stats["center"] / 2) / jnp.where(scale > 0, scale, 1.0) * 2
    limit = jnp.finfo(ratio.dtype).max
    found = jnp.where(scale > 0, jnp.clip(ratio, -limit, limit), 0.0)
    return jnp.where(jnp.isfinite(row), found, jnp.nan)
