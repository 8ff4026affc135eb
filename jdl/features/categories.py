"""Steps for categories: codes renumbered by how often training rows hold them, and what replaces codes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jdl.features.prepare import Prepare, Summary, from_summary, weights
from jdl.metrics.sums import Sum, add, rounded, value

Row = dict[str, jax.Array]


class Columns(NamedTuple):
    """What a step for categories needs to know: the number of codes of each column, and of classes.

    ``classes`` is 0 where the target is no class.
    """

    sizes: tuple[int, ...]
    classes: int = 0


class Coding(NamedTuple):
    """A preparation of codes ``(q,)``, and the numbers of codes that come out of it.

    ``prepare.apply`` gives ``{"categories": (len(sizes),) int32, "flat": (f,) float32}``.
    """

    prepare: Prepare
    sizes: tuple[int, ...]


CategoryStep = Callable[[Columns], Coding]


def ordinal(most: int | None = None, rare: Any = None) -> CategoryStep:
    """Number the levels of each column by how often the training rows hold them, the commonest first.

    Slot 0 is what is missing, and every level that no training row holds; ties go by code. Levels beyond the
    first ``most`` of a column, and those in rows of a total weight below ``rare``, share the last slot.
    ``rare`` may be traced.

    >>> coding = ordinal(most=1)(Columns((4,)))
    >>> coding.sizes  # slot 0, the commonest level, all others
    (3,)
    >>> codes = jnp.array([[1], [2], [2], [3], [0]])
    >>> stats = coding.prepare.fit(None, codes, None, jnp.array([1.0, 1.0, 1.0, 0.0, 1.0]))
    >>> jax.vmap(lambda row: coding.prepare.apply(stats, row)["categories"])(codes)[:, 0].tolist()
    [2, 1, 1, 0, 0]
    """

    def step(columns: Columns) -> Coding:
        starts = starts_of(columns.sizes)
        kept = [min(size - 1, size if most is None else most) for size in columns.sizes]
        sizes = tuple(1 + few + (few < size - 1) for few, size in zip(kept, columns.sizes, strict=True))
        limits = np.repeat(np.array(kept, int), columns.sizes)
        last = np.repeat(np.array(sizes, int) - 1, columns.sizes)

        def finish(parts: Sum) -> jax.Array:
            counts = value(parts)
            rank = _ranks(counts, columns.sizes)
            pooled = rank >= limits
            if rare is not None:
                pooled |= counts < rare
            here = (counts > 0) & (rank >= 0)
            return jnp.where(here, jnp.where(pooled, last, rank + 1), 0).astype(jnp.int32)

        def apply(slots: jax.Array, row: jax.Array, fold: Any = None, key: Any = None) -> Row:
            return {"categories": slots[row + starts], "flat": jnp.zeros(0)}

        return Coding(from_summary(counts_of(columns.sizes, finish), apply), sizes)

    return step


def starts_of(sizes: tuple[int, ...]) -> np.ndarray:
    """Give where the codes of each column begin in one table of all columns."""
    return np.cumsum((0, *sizes))[:-1].astype(np.int32)


def counts_of(sizes: tuple[int, ...], finish: Callable[[Sum], Any]) -> Summary:
    """Make the summary that holds the weight of the rows of each code, columns one after the other."""
    starts, total = starts_of(sizes), int(sum(sizes))

    def part(key: Any, rows: jax.Array, target: Any, weight: Any, first: Any = 0) -> Sum:
        mass = weights(len(rows), weight)[:, None]
        places = jnp.where(mass > 0, rows + starts, total)  # rows without weight fall beyond the table
        mass = jnp.broadcast_to(mass, rows.shape)
        return rounded(jnp.zeros(total, mass.dtype).at[places].add(mass, mode="drop"))

    return Summary(part, add, finish)


def _ranks(counts: jax.Array, sizes: tuple[int, ...]) -> jax.Array:
    """Rank the codes of each column by falling count, then by code; slot 0 of a column gets -1."""
    total = int(sum(sizes))
    column = jnp.asarray(np.repeat(np.arange(len(sizes)), sizes), jnp.int32)
    starts = starts_of(sizes)
    falling = (-counts).at[starts].set(-jnp.inf)  # slot 0 first
    _, _, order = jax.lax.sort((column, falling, jnp.arange(total)), num_keys=2, is_stable=True)
    place = jnp.zeros(total, jnp.int32).at[order].set(jnp.arange(total, dtype=jnp.int32))
    return place - starts[np.repeat(np.arange(len(sizes)), sizes)] - 1
