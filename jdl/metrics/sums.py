"""Sums kept in pairs of float32, and moments merged without cancellation."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Sum(NamedTuple):
    """A sum in two float32: the rounded sum, and what rounding lost."""

    high: jax.Array
    low: jax.Array


def zero(shape: tuple[int, ...]) -> Sum:
    """Give sums of nothing."""
    return rounded(jnp.zeros(shape, jnp.float32))


def value(a: Sum) -> jax.Array:
    """Give a sum as one float32."""
    return a.high + a.low


def rounded(a: jax.Array) -> Sum:
    """Take a float32 for the whole sum."""
    return Sum(a, jnp.zeros_like(a))


def two_sum(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Give the rounded sum and its exact rounding error (Knuth, TAOCP 2, section 4.2.2)."""
    high = a + b
    part = high - a
    return high, (a - (high - part)) + (b - part)


def add(a: Sum, b: Sum) -> Sum:
    """Add two sums."""
    high, low = two_sum(a.high, b.high)
    return Sum(*two_sum(high, low + (a.low + b.low)))


def total(terms: jax.Array) -> Sum:
    """Sum over the leading axis."""
    nothing = jnp.float32(0.0)
    return Sum(*jax.lax.reduce(rounded(terms), rounded(nothing), lambda a, b: add(a, b), (0,)))


def weighted(terms: jax.Array, weight: jax.Array) -> jax.Array:
    """Multiply rows of terms by their weights; one of weight zero is zero, whatever it holds."""
    return jnp.where(weight[:, None] == 0, 0.0, terms * weight[:, None])


def nonzero(x: jax.Array) -> jax.Array:
    """Put one in place of zeros, to divide by."""
    return jnp.where(x == 0, 1.0, x)


def ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    """Divide; nothing of nothing is 0."""
    return jnp.where(whole == 0, 0.0, part / nonzero(whole))


class Moments(NamedTuple):
    """The weight of rows, the means of their columns, and sums of products about the means."""

    weight: Sum
    mean: Sum
    spread: Sum


Pairs = tuple[tuple[int, ...], tuple[int, ...]]


def no_moments(columns: int, pairs: Pairs) -> Moments:
    """Give the moments of no rows; ``pairs`` are the columns, left and right, of each product."""
    return Moments(zero(()), zero((columns,)), zero((len(pairs[0]),)))


def moments(rows: jax.Array, weight: jax.Array, pairs: Pairs) -> Moments:
    """Take the moments of one batch, about a centre within the data: a constant column spreads exactly 0."""
    mass, weights = total(weight), weight[:, None]
    whole = nonzero(value(mass))
    low = jnp.min(rows, axis=0, where=weights > 0, initial=jnp.inf)
    high = jnp.max(rows, axis=0, where=weights > 0, initial=-jnp.inf)
    centre = jnp.where(low <= high, jnp.clip(jnp.sum(weights * rows, axis=0) / whole, low, high), 0.0)
    about = rows - centre
    offset = value(total(weights * about)) / whole
    left, right = (jnp.array(side) for side in pairs)
    excess = rounded(-value(mass) * offset[left] * offset[right])
    spread = add(total(weights * about[:, left] * about[:, right]), excess)
    return Moments(mass, Sum(*two_sum(centre, offset)), spread)


def merge_moments(a: Moments, b: Moments, pairs: Pairs) -> Moments:
    """Merge the moments of two sets of rows.

    Reference: Chan, Golub and LeVeque, 1979, https://doi.org/10.1080/00031305.1983.10483115.
    """
    weight = add(a.weight, b.weight)
    share = value(b.weight) / nonzero(value(weight))
    shift = add(b.mean, jax.tree.map(jnp.negative, a.mean))
    mean = add(a.mean, jax.tree.map(lambda x: x * share, shift))
    left, right = (value(shift)[jnp.array(side)] for side in pairs)
    between = left * right * value(a.weight) * share
    return Moments(weight, mean, add(add(a.spread, b.spread), rounded(between)))
