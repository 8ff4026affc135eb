"""Mergeable moments of columns, in which a row of weight zero has no part."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jdl.metrics.sums import Sum, add, ratio, rounded, two_sum, value

CHUNK = 4096  # rows summed plainly; sums of chunks are kept in pairs


class Moments(NamedTuple):
    """Weight, mean and spread of each column: what is needed to join them with other rows' moments.

    The spread is the weighted sum of squared deviations from the mean, in units of ``unit(low, high)``, so
    that squares neither overflow nor vanish.
    """

    weight: Sum
    mean: Sum
    spread: Sum
    low: jax.Array
    high: jax.Array


def moments_of(rows: jax.Array, weight: jax.Array) -> Moments:
    """Take the moments of the columns of ``rows`` (n, p), of finite values in rows of weight above zero."""
    return in_chunks(_of_chunk, merge, rows, weight)


def in_chunks(
    of_chunk: Callable[..., Any], merge: Callable[..., Any], rows: jax.Array, weight: jax.Array
) -> Any:
    """Join ``of_chunk(rows, weight)`` of some rows at a time, which a processor keeps at hand."""
    n = len(rows)
    if n <= CHUNK:
        return of_chunk(rows, weight)
    whole = n // CHUNK * CHUNK
    parts = rows[:whole].reshape(-1, CHUNK, rows.shape[1]), weight[:whole].reshape(-1, CHUNK)
    joined, _ = jax.lax.scan(
        lambda seen, part: (merge(seen, of_chunk(*part)), None),
        of_chunk(rows[whole:], weight[whole:]),
        parts,
    )
    return joined


def merge(a: Moments, b: Moments) -> Moments:
    """Join the moments of two sets of rows.

    Source: Chan, Golub and LeVeque 1979, https://doi.org/10.1080/00031305.1983.10483115.
    """
    low, high = jnp.minimum(a.low, b.low), jnp.maximum(a.high, b.high)
    scale = unit(low, high)
    weight = add(a.weight, b.weight)
    share = ratio(value(b.weight), value(weight))
    shift = add(b.mean, Sum(-a.mean.high, -a.mean.low))
    mean = add(a.mean, Sum(shift.high * share, shift.low * share))
    between = rounded((value(shift) / scale) ** 2 * value(a.weight) * share)
    spread = add(add(_in_units(a, scale), _in_units(b, scale)), between)
    return Moments(weight, mean, spread, low, high)


def mean_and_std(moments: Moments) -> tuple[jax.Array, jax.Array]:
    """Give the mean and standard deviation of each column: exactly 0 for equal values, 0 and 0 for none."""
    there, varies = moments.low <= moments.high, moments.low < moments.high
    variance = ratio(value(moments.spread), value(moments.weight))
    std = unit(moments.low, moments.high) * jnp.sqrt(jnp.maximum(variance, 0.0))
    mean = jnp.where(varies, value(moments.mean), jnp.where(there, moments.low, 0.0))
    return mean, jnp.where(varies, std, 0.0)


def unit(low: jax.Array, high: jax.Array) -> jax.Array:
    """Give a power of two about as large as the range; 1 for equal values."""
    _, exponent = jnp.frexp(jnp.where(low < high, high - low, 1.0))
    return jnp.ldexp(jnp.ones_like(low), exponent - 1)


def capped(rows: jax.Array) -> jax.Array:
    """Cut numbers at a quarter of the largest one, so that differences are finite; infinite ones are NaN."""
    most = jnp.finfo(rows.dtype).max / 4
    return jnp.where(jnp.isfinite(rows), jnp.clip(rows, -most, most), jnp.nan)


def _of_chunk(rows: jax.Array, weight: jax.Array) -> Moments:
    rows = capped(rows)
    there = (weight[:, None] > 0) & ~jnp.isnan(rows)
    share = jnp.where(there, weight[:, None], 0.0)
    low = jnp.min(rows, 0, where=there, initial=jnp.inf)
    high = jnp.max(rows, 0, where=there, initial=-jnp.inf)
    scale = unit(low, high)
    mass = share.sum(0)
    # Deviations from a value inside the data keep the digits that a large offset would cost.
    centre = jnp.where(low <= high, low + (high - low) / 2, 0.0)
    about = jnp.where(there, (rows - centre) / scale, 0.0)
    step = ratio((share * about).sum(0), mass)
    about = jnp.where(there, about - step, 0.0)
    rest = ratio((share * about).sum(0), mass)
    spread = (share * (about - rest) ** 2).sum(0)
    return Moments(rounded(mass), Sum(*two_sum(centre, (step + rest) * scale)), rounded(spread), low, high)


def _in_units(moments: Moments, scale: Any) -> Sum:
    """Give a spread in other units; powers of two lose no digit."""
    varies = moments.low < moments.high
    factor = jnp.where(varies, unit(moments.low, moments.high) / scale, 0.0) ** 2
    return Sum(moments.spread.high * factor, moments.spread.low * factor)
