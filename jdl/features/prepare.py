"""Preparation as a pair of pure functions, and what they are made of."""

import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Summary(NamedTuple):
    """How a preparation is fitted on a table that comes in parts.

    ``part(key, rows, target, weight, first=0) -> parts`` sums up some rows, of which ``first`` is the number
    of the first one in the whole table; ``merge(left, right) -> parts`` joins neighbouring parts in the order
    of the table; ``finish(parts) -> stats`` gives what ``Prepare.apply`` needs. All are pure and run under
    ``jit`` and ``vmap``; ``key`` is the same for every part. What is drawn for a row depends on the key and
    on the row's number alone, so it does not matter how the table is cut. Parts of different tables differ
    in shape, since a sample of few rows holds few.
    """

    part: Callable[..., Any]
    merge: Callable[[Any, Any], Any]
    finish: Callable[[Any], Any]


class Prepare(NamedTuple):
    """Preprocessing that lives inside a training run.

    ``fit(key, rows, target, weight) -> stats`` learns from the rows of weight above zero and from no other;
    ``apply(stats, row, fold=None, key=None) -> features`` prepares one row, without a batch axis.
    Both are pure, and work under ``jit`` and ``vmap``. ``summary`` is there where ``fit`` needs one pass over
    a table and no more. With ``folds`` above 0, a row of the training rows is given its inner fold as
    ``fold`` (see ``inner_folds``), so that nothing it is prepared by was learned from itself.
    """

    fit: Callable[..., Any]
    apply: Callable[..., Any]
    summary: Summary | None = None
    folds: int = 0


def from_summary(summary: Summary, apply: Callable[..., Any], folds: int = 0) -> Prepare:
    """Make a preparation whose ``fit`` is ``finish`` of the one part that holds all rows.

    >>> total = lambda key, rows, target, weight, first=0: rows.sum(0)
    >>> shares = Summary(total, jnp.add, lambda parts: parts)
    >>> prepare = from_summary(shares, lambda stats, row, fold=None, key=None: row / stats)
    >>> prepare.apply(prepare.fit(None, jnp.array([[1.0], [3.0]]), None, None), jnp.ones(1)).tolist()
    [0.25]
    """

    def fit(key: Any, rows: Any, target: Any, weight: Any) -> Any:
        return summary.finish(summary.part(key, rows, target, weight))

    return Prepare(fit, apply, summary, folds)


_NOTHING = Summary(lambda key, rows, target, weight, first=0: (), lambda left, right: (), lambda parts: ())


def stateless(function: Callable[[Any], Any]) -> Prepare:
    """Make a preparation of a function of one row, which learns nothing.

    >>> logs = stateless(jnp.log1p)
    >>> logs.apply(logs.fit(None, jnp.ones((2, 1)), None, None), jnp.zeros(1)).tolist()
    [0.0]
    """
    return from_summary(_NOTHING, lambda stats, row, fold=None, key=None: function(row))


def chain(*steps: Prepare) -> Prepare:
    """Prepare by one step after the other, each fitted on what the steps before it make of the rows.

    A step that learns needs the steps before it to be fitted first, so a chain has a ``summary`` only where
    the steps before the last one that learns are functions alone, such as ``impute_constant``; those after
    it do no harm. ``fit`` of any chain works on rows in memory.

    >>> from jdl import features
    >>> prepare = chain(features.standard(), features.impute_constant(0.0))
    >>> rows = jnp.array([[1.0], [3.0], [jnp.nan]])
    >>> jax.vmap(lambda row: prepare.apply(prepare.fit(None, rows, None, None), row))(rows)[:, 0].tolist()
    [-1.0, 1.0, 0.0]
    """
    folds = same_folds(*steps)

    def fit(key: Any, rows: Any, target: Any, weight: Any) -> tuple[Any, ...]:
        fitted = []
        own = inner_folds(key, _count(rows), folds) if folds else None
        for step in steps:
            stats = step.fit(key, rows, target, weight)
            rows = _mapped(step, stats, rows, own)
            fitted.append(stats)
        return tuple(fitted)

    def apply(stats: tuple[Any, ...], row: Any, fold: Any = None, key: Any = None) -> Any:
        for step, own in zip(steps, stats, strict=True):
            row = step.apply(own, row, fold, key)
        return row

    learning = [i for i, step in enumerate(steps) if step.summary is not _NOTHING]
    if not learning:
        return stateless(lambda row: apply(((),) * len(steps), row))
    return Prepare(fit, apply, _summary_of(steps, learning[0]) if len(learning) == 1 else None, folds)


def _summary_of(steps: tuple[Prepare, ...], at: int) -> Summary | None:
    """Give the summary of a chain of which only step ``at`` learns."""
    inner = steps[at].summary
    if inner is None:
        return None

    def part(key: Any, rows: Any, target: Any, weight: Any, first: Any = 0) -> Any:
        for step in steps[:at]:
            rows = _mapped(step, (), rows, None)
        return inner.part(key, rows, target, weight, first)

    def finish(parts: Any) -> tuple[Any, ...]:
        return tuple(inner.finish(parts) if i == at else () for i in range(len(steps)))

    return Summary(part, inner.merge, finish)


def _mapped(step: Prepare, stats: Any, rows: Any, folds: Any) -> Any:
    if step.folds:
        return jax.vmap(lambda row, fold: step.apply(stats, row, fold))(rows, folds)
    return jax.vmap(lambda row: step.apply(stats, row))(rows)


def both(summaries: Mapping[str, Summary], finish: Callable[[dict[str, Any]], Any]) -> Summary:
    """Sum up the same rows in several ways by name; ``finish`` takes all their parts."""

    def part(key: Any, rows: Any, target: Any, weight: Any, first: Any = 0) -> dict[str, Any]:
        return {name: one.part(key, rows, target, weight, first) for name, one in summaries.items()}

    def merge(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
        return {name: one.merge(left[name], right[name]) for name, one in summaries.items()}

    return Summary(part, merge, finish)


def same_folds(*steps: Prepare) -> int:
    """Give the number of inner folds of all steps that need some.

    Raises:
        ValueError: steps that need different numbers of them.
    """
    found = sorted({step.folds for step in steps} - {0})
    if len(found) > 1:
        raise ValueError(f"features: steps with {found} inner folds; needs one number for all of them")
    return found[0] if found else 0


def inner_folds(key: Any, rows: Any, folds: int) -> jax.Array:
    """Give the inner fold of each row, ``(n,) int32`` in ``0 … folds - 1``.

    ``key`` is the one that ``Prepare.fit`` gets; ``rows`` counts the rows, or holds their numbers in the
    whole table where it comes in parts. Each row draws its fold on its own.

    >>> inner_folds(jax.random.key(0), 6, 2).shape
    (6,)
    >>> whole = inner_folds(jax.random.key(0), 6, 2)
    >>> bool((inner_folds(jax.random.key(0), jnp.arange(4, 6), 2) == whole[4:]).all())
    True
    """
    return (draws(key, "inner folds", rows) % jnp.uint32(folds)).astype(jnp.int32)


def draws(key: Any, name: str, rows: Any, first: Any = 0) -> jax.Array:
    """Draw 32 random bits for each row, ``(n,) uint32``, from the key, a name and the row's number alone.

    ``rows`` counts rows from number ``first`` on, or holds their numbers. The key None stands
    for ``jax.random.key(0)``.
    """
    key = jax.random.key(0) if key is None else key
    key = jax.random.fold_in(key, zlib.crc32(name.encode()))
    numbers = first + jnp.arange(rows) if isinstance(rows, int) else jnp.asarray(rows)
    return jax.vmap(lambda i: jax.random.bits(jax.random.fold_in(key, i)))(numbers)


def weights(rows: int, weight: Any, dtype: Any = jnp.float32) -> jax.Array:
    """Give the weights of rows, ones where there are none."""
    return jnp.ones(rows, dtype) if weight is None else jnp.asarray(weight, dtype)


def _count(rows: Any) -> int:
    return jax.tree.leaves(rows)[0].shape[0]
