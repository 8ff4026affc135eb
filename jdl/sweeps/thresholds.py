r"""Decisions tuned for a metric: a class is chosen by :math:`\arg\max_k f_k p_k`.

The factors :math:`f` are what is tuned. Of two classes, :math:`f = (1, f_1)` is the threshold
:math:`1 / (1 + f_1)` on the probability of the second.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jdl.sweeps.crossfit import SMALLEST, Rule, checked_rows
from jdl.sweeps.held import Fitted, check_classes, fitted

if TYPE_CHECKING:
    from jdl.sweeps.runs import Runs

ROUNDS = 5  # over the classes at most
CELLS = 2**23  # of the confusion matrices of one class's candidates, of which there is else one a row

Score = Callable[[NDArray], NDArray]


def tuned(metric: str | ArrayLike) -> Rule:
    """Give the rule that decides for the best value of a metric on the rows it is fitted on.

    ``fit(probabilities, target, weight)`` gives the factors, ``(classes,)``, of which the first is 1: one
    after the other is set to its best value, until none gets better; of two classes the best threshold is
    found. ``apply(factors, probabilities)`` gives the classes chosen, ``(n,)``. Among factors of the same
    value the one nearest to 1 is taken.

    Args:
        metric: ``"accuracy"``, ``"balanced_accuracy"``, ``"f1"`` (of the second of two classes, else the
            mean of all), or what it costs to choose a class: an array ``(classes, classes)`` of
            ``[true, chosen]``.

    Raises:
        ValueError: an unknown metric, costs of another shape than the classes need, probabilities that are
            not ``(n, classes)`` or not finite, a class that does not exist.

    >>> rule = tuned([[0, 1], [10, 0]])
    >>> probabilities = [[0.9, 0.1], [0.7, 0.3], [0.6, 0.4], [0.2, 0.8]]
    >>> rule.apply(rule.fit(probabilities, [0, 1, 0, 1], None), probabilities).tolist()
    [0, 1, 1, 1]
    """
    name = metric if isinstance(metric, str) else "cost"
    return Rule(f"tuned for {name}", partial(_fit, metric), decided)


def decided(factors: ArrayLike, probabilities: ArrayLike) -> NDArray[np.int64]:
    """Give the class of the greatest factor times probability, ``(n,)``."""
    return np.argmax(np.asarray(probabilities) * np.asarray(factors), -1)


def of_confusion(metric: str | ArrayLike, classes: int) -> Score:
    """Give a metric as a function of confusion matrices ``(…, true, chosen)``, of which more is better.

    Raises:
        ValueError: an unknown metric, or costs of another shape than ``(classes, classes)``.
    """
    if isinstance(metric, str):
        if metric not in _METRICS:
            needed = f"one of {sorted(_METRICS)} or an array of costs"
            raise ValueError(f"metric: found {metric!r}, needs {needed}")
        return _METRICS[metric]
    costs = np.asarray(metric, np.float64)
    if costs.shape != (classes, classes) or not np.isfinite(costs).all():
        raise ValueError(f"metric: costs have shape {costs.shape}, need ({classes}, {classes}), all finite")
    return lambda counts: -(counts * costs).sum((-2, -1)) / counts.sum((-2, -1))


def confusion(
    chosen: ArrayLike, target: ArrayLike, classes: int, weight: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Count rows by true and chosen class, ``(classes, classes)``.

    >>> confusion([0, 1, 1], [0, 0, 1], 2).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    cell = np.asarray(target, np.int64) * classes + np.asarray(chosen)
    return np.bincount(cell, weight, classes**2).reshape(classes, classes).astype(np.float64)


def _accuracy(counts: NDArray) -> NDArray:
    return np.trace(counts, axis1=-2, axis2=-1) / counts.sum((-2, -1))


def _balanced_accuracy(counts: NDArray) -> NDArray:
    there = counts.sum(-1)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    return (hits / np.where(there > 0, there, 1)).sum(-1) / (there > 0).sum(-1)


def _f1(counts: NDArray) -> NDArray:
    both = counts.sum(-1) + counts.sum(-2)
    each = 2 * np.diagonal(counts, axis1=-2, axis2=-1) / np.where(both > 0, both, 1)
    return each[..., 1] if each.shape[-1] == 2 else each.sum(-1) / (both > 0).sum(-1)


_METRICS: dict[str, Score] = {"accuracy": _accuracy, "balanced_accuracy": _balanced_accuracy, "f1": _f1}


def _fit(metric: Any, probabilities: ArrayLike, target: ArrayLike, weight: ArrayLike | None) -> NDArray:
    values, number, mass = checked_rows(probabilities, target, weight)
    classes, values = values.shape[1], np.maximum(values, SMALLEST)
    score = of_confusion(metric, classes)
    factors = np.ones(classes)
    best = float(score(confusion(decided(factors, values), number, classes, mass)))
    for _ in range(ROUNDS if classes > 2 else 1):
        before = best
        for own in range(classes) if classes > 2 else (1,):
            found, value = _best_factor(score, values, number, mass, factors, own)
            if value > best + 1e-12:
                factors[own], best = found, value
        if best == before:
            break
    return factors / factors[0]


def _best_factor(
    score: Score, values: NDArray, target: NDArray, weight: NDArray, factors: NDArray, own: int
) -> tuple[float, float]:
    """Find the best factor of one class, given the others: a row is of it where it exceeds the row's edge."""
    classes = len(factors)
    rest = values * factors
    rest[:, own] = -1
    other = rest.argmax(1)
    edge = rest.max(1) / values[:, own]
    order = np.argsort(edge)
    edge, other, target, weight = edge[order], other[order], target[order], weight[order]
    ends = _candidates(edge, classes)  # how many rows may be of this class
    block = np.searchsorted(ends, np.arange(len(edge)), side="right")
    cell = (block * classes + target) * classes
    shape = len(ends), classes, classes
    gained, lost = (
        np.bincount(cell + chosen, weight, len(ends) * classes**2).reshape(shape) for chosen in (own, other)
    )
    value = score(confusion(other, target, classes, weight) + (gained - lost).cumsum(0))
    around = np.concatenate([[edge[0] / 4], edge, [edge[-1] * 4]])
    middle = np.sqrt(around[ends] * around[ends + 1])
    best = np.flatnonzero(value >= value.max() - 1e-12)
    chosen = best[np.argmin(np.abs(np.log(middle[best])))]
    return float(middle[chosen]), float(value[chosen])


def _candidates(edge: NDArray, classes: int) -> NDArray[np.int64]:
    """Give numbers of first rows that a factor can part from the others, thinned where there are many."""
    parted = np.flatnonzero(np.diff(edge) > 0) + 1
    ends = np.concatenate([[0], parted, [len(edge)]])
    most = max(CELLS // classes**2, 2)
    return ends if len(ends) <= most else ends[np.linspace(0, len(ends) - 1, most).astype(int)]


def decisions(runs: "Runs", metric: str | ArrayLike, config: int | None = None) -> Fitted:
    """Tune the decisions of the best (or another) configuration for a metric, without another fit.

    ``out_of_fold`` holds classes ``(n,)``, those of a fold chosen by factors tuned on the others, and -1
    where no fold holds out the row; ``apply(probabilities)`` decides on new rows.

    Raises:
        RecipeError: the target holds no classes, or the configuration was not wholly trained.
        ValueError: an unknown metric, costs of a wrong shape, fewer than two folds.
    """
    check_classes(runs, "decisions")
    return fitted(runs, tuned(metric), runs.out_of_fold(config))
