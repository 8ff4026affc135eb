"""Texts by their words: hashed n-grams counted in a few buckets."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl.features.prepare import Prepare, Summary, from_summary, weights
from jdl.metrics.sums import Sum, add, rounded, value


def ngrams(width: int = 64) -> Prepare:
    r"""Count each text's n-grams in ``width`` buckets with signs: ``(t, 32)`` ids to ``(t * width,)``.

    An id, hashed already, adds 1 or -1 to its bucket; a count c becomes
    :math:`\mathrm{sign}(c) \log(1 + |c|)`, times :math:`\log((1 + n) / (1 + n_b)) + 1` for a bucket that
    :math:`n_b` of the n training rows (by weight) touch, and each text's vector has length 1. Id 0 is
    padding; a text without ids is 0.

    Sources: Weinberger et al. 2009, https://arxiv.org/abs/0902.2206; the inverse document frequency of
    ``sklearn.feature_extraction.text.TfidfTransformer``.

    >>> prepare = ngrams(width=4)
    >>> texts = jnp.array([[[5, 6, 0]], [[5, 0, 0]]])
    >>> stats = prepare.fit(None, texts, None, None)
    >>> print(prepare.apply(stats, texts[0]).round(2))  # the rarer one weighs more
    [0.   0.58 0.81 0.  ]
    """

    def touched(row: jax.Array) -> jax.Array:
        found = jnp.zeros((len(row), width), bool)
        return found.at[jnp.arange(len(row))[:, None], _buckets(row)].set(True, mode="drop")

    def _buckets(row: jax.Array) -> jax.Array:
        return jnp.where(row > 0, row % width, width)

    def part(key: Any, rows: jax.Array, target: Any, weight: Any, first: Any = 0) -> dict[str, Sum]:
        mass = weights(len(rows), weight)
        mass = jnp.where(mass > 0, mass, 0.0)
        seen = jax.vmap(touched)(rows)
        count = jnp.where(mass[:, None, None] > 0, mass[:, None, None] * seen, 0.0).sum(0)
        return {"rows": rounded(mass.sum()), "with": rounded(count)}

    def merge(left: dict[str, Sum], right: dict[str, Sum]) -> dict[str, Sum]:
        return {name: add(left[name], right[name]) for name in left}

    def finish(parts: dict[str, Sum]) -> jax.Array:
        return jnp.log((1 + value(parts["rows"])) / (1 + value(parts["with"]))) + 1

    def apply(rarity: jax.Array, row: jax.Array, fold: Any = None, key: Any = None) -> jax.Array:
        sign = jnp.where((row >> 30) & 1 == 1, -1.0, 1.0)
        count = (
            jnp.zeros(rarity.shape).at[jnp.arange(len(row))[:, None], _buckets(row)].add(sign, mode="drop")
        )
        scored = jnp.sign(count) * jnp.log1p(jnp.abs(count)) * rarity
        length = jnp.sqrt((scored**2).sum(1, keepdims=True))
        return (scored / jnp.where(length > 0, length, 1.0)).reshape(-1)

    return from_summary(Summary(part, merge, finish), apply)
