"""Steps for categories that put numbers in the place of codes, and steps made of steps."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jdl.features.categories import CategoryStep, Coding, Columns, counts_of, ordinal, starts_of
from jdl.features.prepare import Prepare, Summary, from_summary, same_folds
from jdl.metrics.sums import Sum, value

Row = dict[str, jax.Array]


def one_hot(most: int | None = None, rare: Any = None) -> CategoryStep:
    """Lay each category out in ``flat``: 1 in the slot that ``ordinal(most, rare)`` gives, 0 in the others.

    >>> coding = one_hot()(Columns((3,)))
    >>> stats = coding.prepare.fit(None, jnp.array([[1], [2], [2]]), None, None)
    >>> coding.prepare.apply(stats, jnp.array([1]))["flat"].tolist()
    [0.0, 0.0, 1.0]
    """

    def step(columns: Columns) -> Coding:
        inner = ordinal(most, rare)(columns)
        column = np.repeat(np.arange(len(inner.sizes)), inner.sizes)
        slot = np.concatenate([np.arange(size) for size in inner.sizes] or [np.zeros(0, int)])

        def apply(stats: Any, row: jax.Array, fold: Any = None, key: Any = None) -> Row:
            codes = inner.prepare.apply(stats, row)["categories"]
            return _flat((codes[column] == slot).astype(jnp.float32))

        return Coding(inner.prepare._replace(apply=apply), ())

    return step


def hashed(buckets: int) -> CategoryStep:
    """Spread the levels of each column over ``buckets`` slots by a hash of their codes.

    Slot 0 is what is missing and every level that no training row holds; the others are shared by the levels
    that happen to fall together.

    >>> hashed(16)(Columns((10_001, 5))).sizes
    (17, 17)
    """

    def step(columns: Columns) -> Coding:
        starts = starts_of(columns.sizes)

        def apply(seen: jax.Array, row: jax.Array, fold: Any = None, key: Any = None) -> Row:
            bucket = 1 + (mixed(row.astype(jnp.uint32)) % jnp.uint32(buckets)).astype(jnp.int32)
            codes = jnp.where(seen[row + starts] & (row > 0), bucket, 0)
            return {"categories": codes, "flat": jnp.zeros(0)}

        summary = counts_of(columns.sizes, lambda counts: value(counts) > 0)
        return Coding(from_summary(summary, apply), (1 + buckets,) * len(columns.sizes))

    return step


def frequency() -> CategoryStep:
    r"""Put in ``flat`` how common each level is: :math:`\log(1 + n_l) / \log(1 + n)`, between 0 and 1.

    ``n_l`` is the weight of the training rows that hold level l (or miss it, for slot 0), ``n`` that of all.

    >>> coding = frequency()(Columns((3,)))
    >>> stats = coding.prepare.fit(None, jnp.array([[1], [1], [1]]), None, None)
    >>> [coding.prepare.apply(stats, jnp.array([code]))["flat"].item() for code in (1, 2)]
    [1.0, 0.0]
    """

    def step(columns: Columns) -> Coding:
        starts, count = starts_of(columns.sizes), len(columns.sizes)

        def finish(parts: Sum) -> jax.Array:
            counts = value(parts)
            column = np.repeat(np.arange(count), columns.sizes)
            whole = jnp.zeros(count, counts.dtype).at[column].add(counts)
            return jnp.log1p(counts) / jnp.log1p(jnp.maximum(whole, 1e-6))[column]

        def apply(shares: jax.Array, row: jax.Array, fold: Any = None, key: Any = None) -> Row:
            return _flat(shares[row + starts])

        return Coding(from_summary(counts_of(columns.sizes, finish), apply), ())

    return step


def together(*steps: CategoryStep) -> CategoryStep:
    """Give what each of several steps makes of the same categories, one after the other.

    >>> together(ordinal(), frequency())(Columns((3, 4))).sizes
    (3, 4)
    """
    return lambda columns: _joined([(step, np.arange(len(columns.sizes))) for step in steps], columns)


def by_cardinality(few: CategoryStep, many: CategoryStep, threshold: int) -> CategoryStep:
    """Treat columns of more than ``threshold`` levels by the step ``many``, the others by ``few``.

    Categories and ``flat`` hold what ``few`` makes first. Levels are those of the schema.

    >>> by_cardinality(ordinal(), hashed(16), threshold=100)(Columns((1000, 3))).sizes
    (3, 17)
    """

    def step(columns: Columns) -> Coding:
        sizes = np.array(columns.sizes, int)
        high = sizes - 1 > threshold
        return _joined([(few, np.flatnonzero(~high)), (many, np.flatnonzero(high))], columns)

    return step


def mixed(bits: jax.Array) -> jax.Array:
    """Mix 32 bits so that each depends on all: the finaliser of MurmurHash3, of public domain."""
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)


def _flat(numbers: jax.Array) -> Row:
    return {"categories": jnp.zeros(0, jnp.int32), "flat": numbers}


def _joined(parts: list[tuple[CategoryStep, np.ndarray]], columns: Columns) -> Coding:
    """Let each step see its own columns, and put what they make in a row."""
    chosen = [at for _, at in parts]
    codings = [step(Columns(tuple(columns.sizes[i] for i in at), columns.classes)) for step, at in parts]
    steps = [coding.prepare for coding in codings]

    def fit(key: Any, rows: jax.Array, target: Any, weight: Any) -> tuple[Any, ...]:
        return tuple(
            step.fit(key, rows[:, at], target, weight) for step, at in zip(steps, chosen, strict=True)
        )

    def apply(stats: tuple[Any, ...], row: jax.Array, fold: Any = None, key: Any = None) -> Row:
        made = [
            step.apply(own, row[at], fold, key) for step, own, at in zip(steps, stats, chosen, strict=True)
        ]
        return {name: jnp.concatenate([part[name] for part in made]) for name in ("categories", "flat")}

    sizes = tuple(size for coding in codings for size in coding.sizes)
    each_step = any(step.each_step for step in steps)
    return Coding(Prepare(fit, apply, _summary(steps, chosen), same_folds(*steps), each_step), sizes)


def _summary(steps: list[Prepare], chosen: list[np.ndarray]) -> Summary | None:
    summaries = [step.summary for step in steps if step.summary is not None]
    if len(summaries) < len(steps):
        return None

    def part(key: Any, rows: jax.Array, target: Any, weight: Any, first: Any = 0) -> tuple[Any, ...]:
        pairs = zip(summaries, chosen, strict=True)
        return tuple(one.part(key, rows[:, at], target, weight, first) for one, at in pairs)

    def merge(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(one.merge(a, b) for one, a, b in zip(summaries, left, right, strict=True))

    def finish(parts: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(one.finish(own) for one, own in zip(summaries, parts, strict=True))

    return Summary(part, merge, finish)
