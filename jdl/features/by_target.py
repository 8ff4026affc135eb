"""Categories by the mean of the target among the training rows that share their level, but not their fold."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jdl.features.categories import CategoryStep, Coding, Columns, starts_of
from jdl.features.prepare import Summary, from_summary, inner_folds, weights
from jdl.metrics.sums import ratio


class Groups(NamedTuple):
    """Weight, mean and spread (sum of squared deviations) of the target in groups of rows."""

    weight: jax.Array
    mean: jax.Array
    spread: jax.Array


class Tables(NamedTuple):
    """Groups by inner fold and level, and by inner fold alone."""

    levels: Groups  # (folds, levels, k)
    every: Groups  # (folds, 1, k)


def target_encoding(folds: int = 5, smoothing: Any = "auto") -> CategoryStep:
    r"""Put in ``flat`` the mean target of each level, drawn towards the mean :math:`m` of all rows.

    With :math:`n_l` rows of level l, of mean :math:`m_l`, the encoding is
    :math:`\lambda m_l + (1 - \lambda) m`, where :math:`\lambda = n_l / (n_l + s)` for a number
    ``smoothing`` s, which may be traced, and for ``"auto"`` the empirical Bayes estimate
    :math:`s = v_l / v` of the target's variances within the level and of all rows. A class target gives a
    column for each class, of two classes one, of the second; a number, or several, one for each.

    Each of ``folds`` inner folds of the training rows has a table made of the rows outside it: the trainer
    hands a training row its fold (``inner_folds`` of the key of ``fit``), so that it is encoded without its
    own target. Any other row gets the table made of all. Missing is a level like others.

    Sources: Micci-Barreca 2001, https://doi.org/10.1145/507533.507538;
    ``sklearn.preprocessing.TargetEncoder``.

    >>> coding = target_encoding(smoothing=0.0)(Columns((3,)))
    >>> codes, target = jnp.array([[1], [1], [2]]), jnp.array([1.0, 3.0, 5.0])
    >>> stats = coding.prepare.fit(jax.random.key(0), codes, target, None)
    >>> coding.prepare.apply(stats, codes[0])["flat"].tolist()
    [2.0]
    """
    if folds < 2:
        raise ValueError(f"target_encoding: found {folds} inner folds, needs at least 2")
    if isinstance(smoothing, str) and smoothing != "auto":
        raise ValueError(f'target_encoding: smoothing: found {smoothing!r}, needs "auto" or a number')

    def step(columns: Columns) -> Coding:
        starts, total, count = starts_of(columns.sizes), int(sum(columns.sizes)), len(columns.sizes)

        def part(key: Any, rows: jax.Array, target: Any, weight: Any, first: Any = 0) -> Tables:
            mass = weights(len(rows), weight, jnp.result_type(float))
            own = inner_folds(key, first + jnp.arange(len(rows)), folds)
            places = jnp.where(mass[:, None] > 0, own[:, None] * total + rows + starts, folds * total)
            every = jnp.where(mass > 0, own, folds)[:, None]
            groups = partial(_of_classes, columns.classes) if columns.classes else _of_numbers
            return Tables(
                groups(target, mass, places, (folds, total)), groups(target, mass, every, (folds, 1))
            )

        def finish(tables: Tables) -> jax.Array:
            kept = jnp.concatenate([1.0 - jnp.eye(folds), jnp.ones((1, folds))])
            return jax.vmap(lambda kept: _encoded(tables, kept, smoothing))(kept)

        def apply(
            stats: jax.Array, row: jax.Array, fold: Any = None, key: Any = None
        ) -> dict[str, jax.Array]:
            table = folds if fold is None else fold
            found = stats[table, row + starts].reshape(-1)
            return {"categories": jnp.zeros(0, jnp.int32), "flat": found.astype(jnp.float32)}

        return Coding(from_summary(Summary(part, _merge, finish), apply, folds if count else 0), ())

    return step


def _of_classes(classes: int, target: Any, mass: Any, places: Any, shape: tuple[int, int]) -> Groups:
    """Sum up the classes (n,) of each group; ``places`` (n, q) has the groups of each row.

    The spread of ones and zeros follows from their share.
    """
    counts = jnp.zeros((shape[0] * shape[1], classes), mass.dtype)
    each = jnp.broadcast_to(mass[:, None], places.shape)
    counts = counts.at[places, target[:, None]].add(each, mode="drop").reshape(*shape, classes)
    weight = counts.sum(-1, keepdims=True)
    mean = ratio(counts[..., 1:] if classes == 2 else counts, weight)
    return Groups(weight, mean, weight * mean * (1 - mean))


def _of_numbers(target: Any, mass: Any, places: Any, shape: tuple[int, int]) -> Groups:
    """Sum up the numbers (n,) or (n, k) of each group."""
    folds, levels = shape
    numbers = target.reshape(len(target), -1).astype(mass.dtype)
    k = numbers.shape[1]
    numbers = jnp.where((mass > 0)[:, None], numbers, 0.0)[:, None]
    mass = jnp.where(mass > 0, mass, 0.0)[:, None, None]

    def total(terms: jax.Array) -> jax.Array:  # (n, q, 1 or k) by group
        zeros = jnp.zeros((folds * levels, terms.shape[-1]), terms.dtype)
        return zeros.at[places].add(terms, mode="drop")

    weight = total(jnp.broadcast_to(mass, (*places.shape, 1)))
    mean = ratio(total(jnp.broadcast_to(mass * numbers, (*places.shape, k))), weight)
    spread = total(mass * (numbers - mean.at[places].get(mode="fill", fill_value=0.0)) ** 2)
    return Groups(*(x.reshape(folds, levels, -1) for x in (weight, mean, spread)))


def _merge(left: Any, right: Any) -> Any:
    return Tables(_join(left.levels, right.levels), _join(left.every, right.every))


def _join(a: Groups, b: Groups) -> Groups:
    """Join groups of different rows, as Chan, Golub and LeVeque 1979 do."""
    weight = a.weight + b.weight
    share = ratio(b.weight, weight)
    shift = jnp.where(b.weight > 0, b.mean - a.mean, 0.0)
    return Groups(weight, a.mean + shift * share, a.spread + b.spread + shift**2 * a.weight * share)


def _encoded(tables: Tables, kept: jax.Array, smoothing: Any) -> jax.Array:
    """Encode each level (levels, k) by the groups of the folds that are kept (1) and not left out (0)."""
    level, every = (_over_folds(groups, kept) for groups in tables)
    if isinstance(smoothing, str):
        variance = ratio(every.spread, every.weight)
        within = ratio(level.spread, level.weight)
        share = ratio(variance * level.weight, variance * level.weight + within)
    else:
        share = ratio(level.weight, level.weight + smoothing)
    return every.mean + share * (level.mean - every.mean)


def _over_folds(groups: Groups, kept: jax.Array) -> Groups:
    """Join the groups of several folds at once."""
    kept = kept[:, None, None].astype(groups.weight.dtype)
    share = kept * groups.weight
    weight = share.sum(0)
    mean = ratio((share * groups.mean).sum(0), weight)
    spread = (kept * groups.spread + share * (groups.mean - mean) ** 2).sum(0)
    return Groups(weight, mean, spread)
