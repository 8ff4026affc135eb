"""Training rows that are kept with a model, for networks that look among them for rows like a new one."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl.features import Prepare
from jdl.models.row import Row


def with_candidates(prepare: Prepare, most: int) -> Prepare:
    """Keep up to ``most`` training rows, drawn at random, beside what ``prepare`` makes of a row.

    ``apply`` adds ``candidates``: their prepared ``rows``, ``target``, ``weight`` (0 where there are fewer
    than ``most``) and ``mark``; and the row's own ``mark`` ``(2,)``, by which it is told from the candidates:
    rows whose columns are all the same have the same mark, others but for a chance of one in 2⁶⁴ have not.
    As statistics they are fitted inside each fold, and kept with the model.

    >>> standing = Prepare(lambda key, rows, target, weight: (), lambda stats, row, fold=None, key=None: row)
    >>> kept = with_candidates(standing, 2)
    >>> rows = {"numbers": jnp.arange(3.0)[:, None]}
    >>> stats = kept.fit(jax.random.key(0), rows, jnp.arange(3.0), jnp.array([1.0, 0.0, 1.0]))
    >>> sorted(stats["candidates"]["target"].tolist()), stats["candidates"]["mark"].shape
    ([0.0, 2.0], (2, 2))
    """

    def fit(key: Any, rows: Row, target: Any, weight: Any) -> dict[str, Any]:
        own, drawn = jax.random.split(key)
        stats = prepare.fit(own, rows, target, weight)
        mass = jnp.ones(len(target)) if weight is None else weight
        lot = jnp.where(mass > 0, jax.random.uniform(drawn, mass.shape), 2.0)
        chosen = jnp.argsort(lot)[:most]
        counts = mass[chosen] > 0

        few = jax.tree.map(lambda leaf: leaf[chosen], rows)
        made = {
            "rows": jax.vmap(lambda row: prepare.apply(stats, row))(few),
            "mark": jax.vmap(mark)(few),
            "target": target[chosen],
            "weight": mass[chosen],
        }

        def kept(leaf: Any) -> Any:  # a row of weight zero leaves no trace
            return jnp.where(counts.reshape(-1, *[1] * (leaf.ndim - 1)), leaf, jnp.zeros_like(leaf))

        return {"rows": stats, "candidates": jax.tree.map(kept, made)}

    def apply(stats: dict[str, Any], row: Row, fold: Any = None, key: Any = None) -> Row:
        made = prepare.apply(stats["rows"], row, fold, key)
        return made | {"candidates": stats["candidates"], "mark": mark(row)}

    # Each row with all candidates would not fit anywhere: they come at every step.
    return Prepare(fit, apply, folds=prepare.folds, each_step=True)


def mark(row: Any) -> Any:
    """Make two 32-bit integers of a row's bits, that hardly any other row has.

    >>> marks = [mark({"a": jnp.array([1.0, x])}) for x in (2.0, 2.0, 2.5)]
    >>> bool((marks[0] == marks[1]).all()), bool((marks[0] == marks[2]).any())
    (True, False)
    """
    words = jnp.concatenate([_words(leaf) for leaf in jax.tree.leaves(row)])
    places = jnp.arange(words.size, dtype=jnp.uint32)
    seeds = jnp.array([0x9E3779B9, 0x85EBCA6B], jnp.uint32)
    return jax.vmap(lambda seed: _scatter(jnp.sum(_scatter(words ^ _scatter(places + seed)))))(seeds)


def _words(leaf: Any) -> Any:
    leaf = jnp.asarray(leaf).reshape(-1)
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        leaf = jnp.where(jnp.isnan(leaf), jnp.nan, leaf.astype(jnp.float32))  # one NaN for all
        return jax.lax.bitcast_convert_type(leaf, jnp.uint32)
    return leaf.astype(jnp.uint32)


def _scatter(word: Any) -> Any:
    """Let every bit depend on all: the last step of MurmurHash3 (Appleby, public domain)."""
    word = (word ^ (word >> 16)) * jnp.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * jnp.uint32(0xC2B2AE35)
    return word ^ (word >> 16)
