"""Scaling and imputing of numbers, column by column; NaN stays NaN until a step imputes it."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl.features import sample
from jdl.features.moments import in_chunks, mean_and_std, merge, moments_of
from jdl.features.prepare import Prepare, Summary, both, from_summary, stateless, weights

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

    def finish(parts: Any) -> Stats:
        mean, std = mean_and_std(parts)
        return {"center": mean, "scale": std}

    return from_summary(Summary(_moments, merge, finish), scaled)


def min_max() -> Prepare:
    r"""Scale each column to lie between 0 and 1: :math:`(x - \min) / (\max - \min)`.

    Numbers beyond the training rows' range go beyond; a column that is constant in them becomes 0.

    >>> rows = jnp.array([[1.0], [3.0], [9.0]])
    >>> prepare = min_max()
    >>> stats = prepare.fit(None, rows, None, jnp.array([1.0, 1.0, 0.0]))
    >>> jax.vmap(lambda row: prepare.apply(stats, row))(rows)[:, 0].tolist()
    [0.0, 1.0, 4.0]
    """
    return from_summary(Summary(_range_of, _wider, _from_low_to_high), scaled)


def robust() -> Prepare:
    r"""Scale each column by its median and quartiles, and bend what is far away smoothly to at most 3.

    With :math:`z = (x - q_{50}) / (q_{75} - q_{25})`, or over half the range where the quartiles are equal,
    :math:`z / \sqrt{1 + (z / 3)^2}`. A column that is constant in the training rows becomes 0, NaN stays NaN.
    Quantiles are those of a sample of at most ``sample.ROWS`` rows.

    Source: RealMLP, Holzmüller, Grinsztajn and Steinwart 2024, https://arxiv.org/abs/2407.04491.

    >>> rows = jnp.array([[1.0], [2.0], [3.0], [4.0], [1e9]])
    >>> prepare = robust()
    >>> found = jax.vmap(lambda row: prepare.apply(prepare.fit(None, rows, None, None), row))(rows)
    >>> print(found[:, 0].round(2))
    [-0.95 -0.49  0.    0.49  3.  ]
    """

    def apply(stats: Stats, row: jax.Array, fold: Any = None, key: Any = None) -> jax.Array:
        third = jnp.clip(scaled(stats, row) / 3, -1e6, 1e6)
        return 3 * third / jnp.sqrt(1 + third**2)

    return from_summary(median_and_span(), apply)


def winsorise(low: Any = 0.01, high: Any = 0.99) -> Prepare:
    """Cut each column at its quantiles ``low`` and ``high``, which may be traced.

    Quantiles are those of a sample of at most ``sample.ROWS`` rows. NaN and infinity become NaN.

    >>> rows = jnp.arange(101.0)[:, None]
    >>> prepare = winsorise(0.1, 0.9)
    >>> stats = prepare.fit(None, rows, None, None)
    >>> [prepare.apply(stats, jnp.array([x])).item() for x in (-5.0, 50.0, 99.0)]
    [10.0, 50.0, 90.0]
    """

    def finish(part: Any) -> Stats:
        cuts = sample.quantiles(sample.sort(part), jnp.stack([jnp.asarray(low), jnp.asarray(high)]))
        return {"low": cuts[:, 0], "high": cuts[:, 1]}

    def apply(stats: Stats, row: jax.Array, fold: Any = None, key: Any = None) -> jax.Array:
        return jnp.where(jnp.isfinite(row), jnp.clip(row, stats["low"], stats["high"]), jnp.nan)

    return from_summary(sample.summary(finish), apply)


def impute_mean() -> Prepare:
    """Put the mean of the training rows' finite values where a number is missing; 0 where there is none.

    >>> rows = jnp.array([[1.0], [3.0], [jnp.nan]])
    >>> prepare = impute_mean()
    >>> prepare.apply(prepare.fit(None, rows, None, None), rows[2]).tolist()
    [2.0]
    """

    def finish(parts: Any) -> jax.Array:
        return mean_and_std(parts)[0]

    return from_summary(Summary(_moments, merge, finish), _filled)


def impute_median() -> Prepare:
    """Put the median of a sample of the training rows' finite values where a number is missing; 0 for none.

    >>> rows = jnp.array([[1.0], [2.0], [9.0], [jnp.nan]])
    >>> prepare = impute_median()
    >>> prepare.apply(prepare.fit(None, rows, None, None), rows[3]).tolist()
    [2.0]
    """

    def finish(part: Any) -> jax.Array:
        return sample.quantiles(sample.sort(part), (0.5,))[:, 0]

    return from_summary(sample.summary(finish), _filled)


def impute_constant(value: Any = 0.0) -> Prepare:
    """Put ``value`` (a number, or one for each column) where a number is missing.

    After ``standard`` 0 is the mean, after ``robust`` and ``quantile_normal`` the median.

    >>> impute_constant(-1.0).apply((), jnp.array([jnp.nan, 2.0])).tolist()
    [-1.0, 2.0]
    """
    return stateless(lambda row: jnp.where(jnp.isfinite(row), row, jnp.asarray(value, row.dtype)))


def median_and_span() -> Summary:
    """Sum up columns as their ``center``, the median, and ``scale``, the span of the middle half.

    The scale is half the range where the middle half is of equal values, and 0 in a constant column.
    """
    rows = sample.summary(lambda part: sample.quantiles(sample.sort(part), (0.25, 0.5, 0.75)))

    def finish(parts: Any) -> Stats:
        low, middle, high = rows.finish(parts["sample"]).T
        least, most = parts["range"]
        scale = jnp.where(high > low, high - low, jnp.where(most > least, most / 2 - least / 2, 0.0))
        return {"center": middle, "scale": scale}

    return both({"sample": rows, "range": Summary(_range_of, _wider, _from_low_to_high)}, finish)


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


def _moments(key: Any, rows: jax.Array, target: Any, weight: Any, first: Any = 0) -> Any:
    return moments_of(rows, weights(len(rows), weight, rows.dtype))


def _filled(center: jax.Array, row: jax.Array, fold: Any = None, key: Any = None) -> jax.Array:
    return jnp.where(jnp.isfinite(row), row, center)


def _range_of(key: Any, rows: jax.Array, target: Any, weight: Any, first: Any = 0) -> Any:
    return in_chunks(_range_of_chunk, _wider, rows, weights(len(rows), weight, rows.dtype))


def _range_of_chunk(rows: jax.Array, weight: jax.Array) -> Any:
    there = (weight[:, None] > 0) & jnp.isfinite(rows)
    low = jnp.min(rows, 0, where=there, initial=jnp.inf)
    return low, jnp.max(rows, 0, where=there, initial=-jnp.inf)


def _wider(left: Any, right: Any) -> Any:
    return jnp.minimum(left[0], right[0]), jnp.maximum(left[1], right[1])


def _from_low_to_high(ends: Any) -> Stats:
    low, high = ends
    varies = low < high
    return {"center": jnp.where(low <= high, low, 0.0), "scale": jnp.where(varies, high - low, 0.0)}
