"""The power transform of Yeo and Johnson, its power found by maximum likelihood."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jdl.features import sample
from jdl.features.moments import mean_and_std, moments_of
from jdl.features.numbers import scaled
from jdl.features.prepare import Prepare, from_summary, weights

Stats = dict[str, jax.Array]

HALVINGS = 50


def power() -> Prepare:
    r"""Bring each column near a normal distribution by a power, then to mean 0 and standard deviation 1.

    :math:`((1 + x)^\lambda - 1) / \lambda` for :math:`x \ge 0` and
    :math:`-((1 - x)^{2 - \lambda} - 1) / (2 - \lambda)` below, with the :math:`\lambda` of greatest
    likelihood in a sample of at most ``sample.ROWS`` training rows, where the derivative of its logarithm
    changes its sign. A column that is constant in the training rows becomes 0; NaN and infinity become NaN.

    Sources: Yeo and Johnson 2000, https://doi.org/10.1093/biomet/87.4.954;
    ``sklearn.preprocessing.PowerTransformer``.

    >>> rows = jnp.expm1(jnp.linspace(0.0, 3.0, 31))[:, None]
    >>> prepare = power()
    >>> stats = prepare.fit(None, rows, None, None)
    >>> print(jnp.stack([prepare.apply(stats, rows[i]) for i in (0, 15, 30)])[:, 0].round(1))
    [-1.7  0.   1.7]
    """

    def finish(part: sample.Sample) -> Stats:
        there = ~jnp.isnan(part.rows)
        mass = weights(len(part.rows), part.weight, part.rows.dtype)
        rows = jnp.where(there, part.rows, 0.0)
        weight = jnp.where(there, mass[:, None], 0.0)
        powers = jax.vmap(_most_likely, in_axes=1)(rows, weight)
        bent = jnp.where(there, jax.vmap(_bent, in_axes=(0, None))(rows, powers), jnp.nan)
        mean, std = mean_and_std(moments_of(bent, mass))
        low = jnp.min(part.rows, 0, where=there, initial=jnp.inf)
        high = jnp.max(part.rows, 0, where=there, initial=-jnp.inf)
        return {"power": powers, "center": mean, "scale": jnp.where(low < high, std, 0.0)}

    def apply(stats: Stats, row: jax.Array, fold: Any = None, key: Any = None) -> jax.Array:
        whole = jnp.where(jnp.isfinite(row), row, 0.0)
        bent = _bent(whole, stats["power"])
        return scaled(stats, jnp.where(jnp.isfinite(row), bent, jnp.nan))

    return from_summary(sample.summary(finish), apply)


def _bent(x: jax.Array, power: jax.Array) -> jax.Array:
    """Transform numbers of any size into finite ones."""
    log = jnp.log1p(jnp.abs(x))
    most = _largest_exponent(x.dtype)
    above = log * _growth(jnp.clip(power * log, -jnp.inf, most))
    below = -log * _growth(jnp.clip((2 - power) * log, -jnp.inf, most))
    return jnp.where(x >= 0, above, below)


def _most_likely(x: jax.Array, weight: jax.Array) -> jax.Array:
    """Give the power of greatest likelihood of one column (n,), between bounds at which nothing overflows."""
    log, positive = jnp.log1p(jnp.abs(x)), x >= 0
    share = weight / jnp.maximum(weight.sum(), jnp.finfo(x.dtype).tiny)
    signed = (share * jnp.where(positive, log, -log)).sum()
    most = _largest_exponent(x.dtype)
    reach = lambda side: most / jnp.maximum(jnp.max(log, where=side & (weight > 0), initial=0.0), 1e-6)
    up, down = reach(positive), reach(~positive)

    def slope(power: jax.Array) -> jax.Array:  # of the log-likelihood of a row, in the power
        y, dy = jax.jvp(lambda power: _bent(x, power), (power,), (jnp.ones_like(power),))
        y, dy = y - (share * y).sum(), dy - (share * dy).sum()
        scale = jnp.max(jnp.abs(y), where=weight > 0, initial=0.0)
        scale = jnp.where(scale > 0, scale, 1.0)
        y, dy = y / scale, dy / scale
        variance = (share * y**2).sum()
        return signed - (share * y * dy).sum() / jnp.where(variance > 0, variance, 1.0)

    def halve(i: Any, ends: Any) -> Any:
        low, high = ends
        middle = (low + high) / 2
        rising = slope(middle) > 0
        return jnp.where(rising, middle, low), jnp.where(rising, high, middle)

    ends = jnp.maximum(-up, 2 - down), jnp.minimum(up, 2 + down)
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, ends)
    varies = jnp.min(x, where=weight > 0, initial=jnp.inf) < jnp.max(x, where=weight > 0, initial=-jnp.inf)
    return jnp.where(varies, (low + high) / 2, 1.0)


def _growth(u: jax.Array) -> jax.Array:
    """Give ``(exp(u) - 1) / u``, by its series about 0, where the derivative of the quotient loses digits."""
    near = jnp.abs(u) < 0.02
    far = jnp.where(near, 1.0, u)
    series = jnp.ones_like(u)
    for i in (7, 6, 5, 4, 3, 2):
        series = 1 + u / i * series
    return jnp.where(near, series, jnp.expm1(far) / far)


def _largest_exponent(dtype: Any) -> float:
    """Give an exponent whose power is far from overflow: 77 in float32."""
    return 0.87 * math.log(jnp.finfo(dtype).max)
