"""Numbers by their rank: the quantile transform, and linear pieces between quantiles."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jdl.features import sample
from jdl.features.moments import capped, mean_and_std, moments_of
from jdl.features.prepare import Prepare, from_summary, weights

Stats = dict[str, jax.Array]

OUTERMOST = 5.199337582605575
"""What the ends of the training rows' range are mapped to: the normal quantile of 1 - 1e-7."""

FARTHEST = 1e6
"""Open bins end here, so that no number can overflow the network."""


def quantile_normal(quantiles: int = 1000, noise: Any = 1e-3) -> Prepare:
    r"""Map each column to a normal distribution: :math:`\Phi^{-1}(F(x))`, with F between quantiles a line.

    F passes through ``quantiles`` quantiles of a sample of at most ``sample.ROWS`` training rows, to whose
    columns normal noise of ``noise`` standard deviations is added first: it spreads the ranks of equal values
    about their middle. Without noise, equal values get the middle of their ranks, the least and the greatest
    ``±OUTERMOST``. A column that is constant in the training rows becomes 0; NaN and infinity become NaN.

    Sources: ``sklearn.preprocessing.QuantileTransformer(output_distribution="normal")``; with noise,
    Gorishniy et al. 2021, https://arxiv.org/abs/2106.11959.

    >>> rows = jnp.arange(1000.0)[:, None] ** 2
    >>> prepare = quantile_normal()
    >>> stats = prepare.fit(jax.random.key(0), rows, None, None)
    >>> print(jnp.stack([prepare.apply(stats, rows[i]) for i in (159, 500, 841)])[:, 0].round(1))
    [-1.  0.  1.]
    """
    shares = np.linspace(0, 1, quantiles)

    def finish(part: sample.Sample) -> Stats:
        count = min(quantiles, max(len(part.draw), 2))
        noisy = part if _is_zero(noise) else part._replace(rows=part.rows + noise * _noise(part))
        places = shares if count == quantiles else np.linspace(0, 1, count)
        values = sample.quantiles(sample.sort(noisy), places)
        return {"values": _padded(values), "middle": _middle(values)}

    def apply(stats: Stats, row: jax.Array, fold: Any = None, key: Any = None) -> jax.Array:
        up, down = _from_ends(stats["values"], stats["middle"], capped(row))
        tail = jnp.maximum(_quantile(jnp.minimum(up, down)), -OUTERMOST)
        normal = jnp.where(up < down, tail, -tail)
        return jnp.where(jnp.isfinite(row), normal, jnp.nan)

    return from_summary(sample.summary(finish), apply)


def piecewise(bins: int = 48) -> Prepare:
    r"""Encode each number by how far it has come through each of ``bins`` bins: ``(p,) -> (p, bins)``.

    Bin t between the edges :math:`b_{t-1} < b_t` gets :math:`(x - b_{t-1}) / (b_t - b_{t-1})`, cut to 0 and
    1, but open below in a column's first bin and above in its last. Edges are the quantiles of a sample of at
    most ``sample.ROWS`` training rows; a bin between equal ones is 0. A missing number counts as the median.

    Source: piecewise-linear encoding, Gorishniy, Rubachev and Babenko 2022, https://arxiv.org/abs/2203.05556.

    >>> rows = jnp.arange(9.0)[:, None]
    >>> prepare = piecewise(4)
    >>> stats = prepare.fit(None, rows, None, None)
    >>> prepare.apply(stats, jnp.array([3.0])).tolist(), prepare.apply(stats, jnp.array([10.0])).tolist()
    ([[1.0, 0.5, 0.0, 0.0]], [[1.0, 1.0, 1.0, 2.0]])
    """
    shares = np.linspace(0, 1, bins + 1)

    def finish(part: sample.Sample) -> Stats:
        columns = sample.sort(part)
        found = sample.quantiles(columns, np.append(shares, 0.5))
        return {"edges": found[:, :-1], "middle": found[:, -1]}

    def apply(stats: Stats, row: jax.Array, fold: Any = None, key: Any = None) -> jax.Array:
        low, high = stats["edges"][:, :-1], stats["edges"][:, 1:]
        wide = high > low
        x = jnp.where(jnp.isfinite(row), capped(row), stats["middle"])[:, None]
        ratio = (x - low) / jnp.where(wide, high - low, 1.0)
        first = jnp.cumsum(wide, 1) == 1
        last = jnp.cumsum(wide[:, ::-1], 1)[:, ::-1] == 1
        found = jnp.clip(ratio, jnp.where(first, -FARTHEST, 0.0), jnp.where(last, FARTHEST, 1.0))
        return jnp.where(wide, found, 0.0)

    return from_summary(sample.summary(finish), apply)


def _is_zero(noise: Any) -> bool:
    return isinstance(noise, int | float) and noise == 0


def _noise(part: sample.Sample) -> jax.Array:
    """Give normal noise of each column's standard deviation, which depends on the rows' draws alone."""
    _, std = mean_and_std(moments_of(part.rows, weights(len(part.rows), part.weight, part.rows.dtype)))
    key = jax.random.key(1)
    normal = lambda draw: jax.random.normal(jax.random.fold_in(key, draw), std.shape, std.dtype)
    return std * jax.vmap(normal)(part.draw)


def _padded(values: jax.Array) -> jax.Array:
    """Pad sorted columns (p, m) to one less than a power of two, for the search by halves."""
    count = values.shape[1]
    more = 2 ** count.bit_length() - 1 - count
    return jnp.pad(values, ((0, 0), (0, more)), constant_values=jnp.inf)


def _middle(values: jax.Array) -> jax.Array:
    """Give for each of the sorted values (p, m) the middle of the ranks, in 0 … 1, of those equal to it."""
    count = values.shape[1]
    first = jax.vmap(lambda column: jnp.searchsorted(column, column))(values)
    last = jax.vmap(lambda column: jnp.searchsorted(column, column, side="right"))(values) - 1
    middle = (first + last) / (2 * (count - 1))
    least, most = values[:, :1], values[:, -1:]
    ends = jnp.where(values == least, 0.0, jnp.where(values == most, 1.0, middle))
    return jnp.where(least == most, 0.5, ends).astype(values.dtype)


def _from_ends(values: jax.Array, middle: jax.Array, row: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Give each number's rank among the sorted values of its column, in 0 … 1, from below and from above.

    Both, because one less a rank near 1 has few digits left, and the normal quantile shows them all.
    """
    columns, padded = values.shape
    count = middle.shape[1]
    flat = values.reshape(-1)
    base = jnp.arange(columns) * padded
    take = lambda at: _taken(flat, at + base)
    below = _at_most(values, row)
    at = jnp.clip(below - 1, 0, count - 2)
    low, high = take(at), take(at + 1)
    share = lambda length: jnp.clip(length / jnp.where(high > low, high - low, 1.0), 0.0, 1.0)
    gap = 1 / (count - 1)
    up = (at + share(row - low)) * gap
    down = (count - 2 - at + share(high - row)) * gap
    equal = _taken(middle.reshape(-1), at + jnp.arange(columns) * count)
    up, down = jnp.where(row == low, equal, up), jnp.where(row == low, 1 - equal, down)
    beyond = below >= count
    up, down = jnp.where(beyond, 1.0, up), jnp.where(beyond, 0.0, down)
    constant = values[:, 0] == values[:, count - 1]
    halved = lambda rank: jnp.where(constant, 0.5, rank).astype(row.dtype)
    return halved(up), halved(down)


# Called by their names, so that an export can put something else in their place.


@jax.jit
def _quantile(share: jax.Array) -> jax.Array:
    return jax.scipy.special.ndtri(share)


@jax.jit
def _at_most(values: jax.Array, row: jax.Array) -> jax.Array:
    """Count the sorted values of each column that are at most x, by halves."""
    columns, padded = values.shape
    flat, begin = values.reshape(-1), jnp.arange(columns) * padded
    at = begin
    for step in (2**i for i in reversed(range(padded.bit_length()))):
        at = jnp.where(_taken(flat, at + (step - 1)) <= row, at + step, at)
    return at - begin


def _taken(values: jax.Array, at: jax.Array) -> jax.Array:
    return values.at[at].get(mode="promise_in_bounds", wrap_negative_indices=False)
