"""What is fitted on out-of-fold predictions is applied to the fold it was not fitted on."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jdl.sweeps.splits import Fold

SMALLEST = 1e-12  # probabilities below it are taken for it: its logarithm is finite


class Rule(NamedTuple):
    """A pair of pure functions: ``fit(values, target, weight) -> stats``, ``apply(stats, values) -> found``.

    Values are predictions of rows, ``(n, …)``; what is found of a row depends on it and ``stats`` alone.
    """

    name: str
    fit: Callable[[Any, Any, Any], Any]
    apply: Callable[[Any, Any], Any]


def cross_fitted(
    rule: Rule, values: ArrayLike, target: ArrayLike, fold: ArrayLike, weight: ArrayLike | None = None
) -> NDArray:
    """Apply a rule to the rows of each fold as it was fitted on the rows of all others, ``(n, …)``.

    Scoring what this gives is honest; scoring a rule on the rows it was fitted on is not.

    Args:
        rule: such as ``calibrate.temperature()``.
        values: predictions of rows that were held out, ``(n, …)``.
        target: ``(n, …)``.
        fold: the number of the fold that each row was held out by, ``(n,)``.
        weight: ``(n,)``, all alike unless given.

    Raises:
        ValueError: arrays of different lengths, fewer than two folds, values that are not finite.

    >>> fit, apply = lambda values, target, weight: target.mean(), lambda stats, values: values + stats
    >>> cross_fitted(Rule("mean", fit, apply), [0.0, 0.0, 0.0], [1.0, 2.0, 6.0], [0, 0, 1]).tolist()
    [6.0, 6.0, 1.5]
    """
    values, target, fold = np.asarray(values), np.asarray(target), np.asarray(fold)
    counted, weight = checked(values, target, weight)
    found = None
    for own in parts(fold, len(values)):
        others = ~own & counted
        if not others.any():
            raise ValueError("weight: the rows of all folds but one weigh nothing; give rows that count")
        stats = rule.fit(values[others], target[others], weight[others])
        applied = np.asarray(rule.apply(stats, values[own]))
        found = np.zeros((len(values), *applied.shape[1:]), applied.dtype) if found is None else found
        found[own] = applied
    assert found is not None
    return found


def parts(fold: ArrayLike, rows: int) -> list[NDArray[np.bool_]]:
    """Give the mask of each fold's rows.

    Raises:
        ValueError: not one number a row, or fewer than two folds.
    """
    fold = np.asarray(fold)
    if fold.shape != (rows,):
        raise ValueError(f"fold: has shape {fold.shape}, needs ({rows},): the fold of each row")
    numbers = np.unique(fold)
    if len(numbers) < 2:
        raise ValueError(f"fold: found {len(numbers)}, needs at least two: one is scored by the others")
    return [fold == number for number in numbers]


def checked(
    values: NDArray, target: NDArray, weight: ArrayLike | None
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Give which rows count and what each weighs, or say what is wrong with them.

    Raises:
        ValueError: different lengths, no rows, values of a row that counts that are not finite, weights below
            zero or all zero.
    """
    rows = len(values)
    if len(target) != rows or not rows:
        raise ValueError(f"target: has {len(target)} rows, values have {rows}; needs as many, at least one")
    weight = np.ones(rows) if weight is None else np.asarray(weight, np.float64)
    if weight.shape != (rows,) or not (weight >= 0).all() or not weight.sum() > 0:
        raise ValueError(f"weight: needs {rows} numbers of at least 0, not all 0; has shape {weight.shape}")
    counted = weight > 0
    sound = np.isfinite(values).reshape(rows, -1).all(1)
    if not sound[counted].all():
        row = int(np.flatnonzero(counted & ~sound)[0])
        raise ValueError(f"values: row {row} is not finite; leave out the rows that no fold holds out")
    return counted, weight


def checked_rows(
    values: ArrayLike, target: ArrayLike, weight: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Give those rows of classes that count: values ``(n, classes)``, classes and weights.

    Raises:
        ValueError: as ``checked``; values that are not ``(n, classes)``, or a class that is none of theirs.
    """
    values, target = np.asarray(values, np.float64), np.asarray(target)
    counted, weight = checked(values, target, weight)
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(f"values: have shape {values.shape}, need (rows, classes) with two classes at least")
    classes = values.shape[1]
    if target.shape != values.shape[:1] or target.dtype.kind not in "biu":
        raise ValueError(f"target: is {target.dtype} of shape {target.shape}, needs one integer class a row")
    target = target[counted].astype(np.int64)
    if target.min() < 0 or target.max() >= classes:
        found = target.min() if target.min() < 0 else target.max()
        raise ValueError(f"target: found class {found}, needs 0 to {classes - 1}, as the values have columns")
    return values[counted], target, weight[counted]


def fold_of(folds: Sequence[Fold], rows: int) -> NDArray[np.int64]:
    """Give the number of the first fold that holds out each row, -1 where none does.

    >>> import numpy as np
    >>> fold_of([Fold(np.array([1, 2]), np.array([]), np.array([0]))], 3).tolist()
    [0, -1, -1]
    """
    found = np.full(rows, -1)
    for number in reversed(range(len(folds))):
        found[folds[number].held] = number
    return found


def logits_of(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Give logits whose softmax the probabilities are: their logarithms."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), SMALLEST))


def log_loss(probabilities: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Give the mean of the negative logarithms of the true classes' probabilities."""
    values = np.asarray(probabilities)
    found = values[np.arange(len(values)), np.asarray(target, int)]
    mass = None if weight is None else np.asarray(weight)
    return float(np.average(-np.log(np.maximum(found, SMALLEST)), weights=mass))
