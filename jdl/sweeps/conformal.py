r"""Conformal intervals and sets: predictions with coverage that holds for any distribution and any model.

A score says how badly a row's target fits its prediction; the prediction of a new row is all targets whose
score is not among the worst. ``level`` is the coverage asked for, such as 0.9. From ``n`` rows that no model
was fitted on, the split rule covers with probability at least ``level``. The rules from folds (CV+) use every
row; they cover with probability about ``level``, and never less than ``2 level - 1`` less about
:math:`\sqrt{2 / n}`. Rows are taken to be exchangeable: of a time series nothing of this holds.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

CHUNK = 2**24  # numbers in memory at once


def interval_scores(lower: ArrayLike, upper: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    r"""Give how far each target lies outside its band: :math:`\max(l - y, y - u)`, ``(n,)``.

    With the prediction as both edges it is the absolute residual; with two quantiles it is the score of
    conformalized quantile regression (Romano, Patterson and Candès, 2019), negative inside.

    >>> interval_scores([0.0, 0.0], [1.0, 1.0], [3.0, 0.5]).tolist()
    [2.0, -0.5]
    """
    low, high, target = (np.asarray(values, np.float64) for values in (lower, upper, target))
    if not low.shape == high.shape == target.shape or target.ndim != 1:
        raise ValueError(
            f"lower, upper, target: have shapes {low.shape}, {high.shape}, {target.shape}; need (n,) of all"
        )
    return np.maximum(low - target, target - high)


def quantile(scores: ArrayLike, level: float) -> float:
    r"""Give the :math:`\lceil (n + 1)\,\mathrm{level} \rceil`-th smallest score, infinite beyond the last.

    Raises:
        ValueError: scores that are not numbers ``(n,)``, or a ``level`` outside (0, 1).

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.8), quantile([1.0, 2.0, 3.0, 4.0], 0.9)
    (4.0, inf)
    """
    scores = _checked(scores, level)
    rank = _rank(len(scores), level)
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank <= len(scores) else float("inf")


def split_intervals(
    lower: ArrayLike, upper: ArrayLike, scores: ArrayLike, level: float
) -> NDArray[np.float64]:
    """Widen the bands of new rows by the quantile of the scores of held-out rows, ``(m, 2)``.

    Raises:
        ValueError: bands of two shapes, scores that are not numbers ``(n,)``, a ``level`` outside (0, 1).

    >>> split_intervals([0.0], [0.0], [1.0, 2.0, 3.0, 4.0], 0.6).tolist()
    [[-3.0, 3.0]]
    """
    low, high = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
    if low.shape != high.shape:
        raise ValueError(f"lower and upper: have shapes {low.shape} and {high.shape}, need one")
    wider = quantile(scores, level)
    return _ordered(low - wider, high + wider)


def cv_plus_intervals(
    lower: ArrayLike, upper: ArrayLike, scores: ArrayLike, fold: ArrayLike, level: float
) -> NDArray[np.float64]:
    r"""Give the CV+ intervals of new rows, ``(m, 2)`` (Barber, Candès, Ramdas and Tibshirani, 2021).

    With :math:`k(i)` the fold that held out row :math:`i`, from the
    :math:`\lfloor (n + 1)(1 - \mathrm{level}) \rfloor`-th smallest :math:`l_{k(i)}(x) - s_i` to the
    :math:`\lceil (n + 1)\,\mathrm{level} \rceil`-th smallest :math:`u_{k(i)}(x) + s_i`.

    Args:
        lower: of new rows by each fold's model, ``(folds, m)``: the prediction, or a lower quantile.
        upper: the same prediction, or an upper quantile, ``(folds, m)``.
        scores: of the rows held out, ``(n,)``, as ``interval_scores`` gives them.
        fold: the fold that held out each row, ``(n,)``.
        level: the coverage asked for.

    Raises:
        ValueError: arrays that do not fit, a fold without predictions, a ``level`` outside (0, 1).

    >>> cv_plus_intervals([[0.0], [1.0]], [[0.0], [1.0]], [1.0, 1.0, 2.0], [0, 0, 1], 0.5).tolist()
    [[-1.0, 1.0]]
    """
    low, high = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
    scores, fold = _checked(scores, level), np.asarray(fold)
    if low.shape != high.shape or low.ndim != 2:
        raise ValueError(f"lower and upper: have shapes {low.shape} and {high.shape}, need one (folds, rows)")
    _check_fold(fold, len(scores), len(low))
    rows = range(0, low.shape[1], max(1, CHUNK // len(scores)))
    parts = [slice(first, first + rows.step) for first in rows]
    below = [-_smallest(scores[:, None] - low[fold, part], level) for part in parts]
    above = [_smallest(scores[:, None] + high[fold, part], level) for part in parts]
    return _ordered(np.concatenate(below), np.concatenate(above))


def set_scores(
    probabilities: ArrayLike, uniform: ArrayLike | None = None, penalty: float = 0.0, free: int = 0
) -> NDArray[np.float64]:
    r"""Give the score of every class of every row, ``(n, classes)``: adaptive prediction sets.

    Romano, Sesia and Candès (2020): the probability of all likelier classes, and of this one :math:`u` times,
    less 1, which is exact where a model is sure: the less likely classes' probability, negative. With a
    ``penalty`` :math:`\lambda` they are regularised (Angelopoulos et al., 2021): classes ranked :math:`r`
    beyond the ``free`` first ones score :math:`\lambda (r - \mathrm{free})` more.

    Args:
        probabilities: ``(n, classes)``.
        uniform: random numbers in [0, 1), ``(n,)``, for coverage that is exact; 1 unless given, which is as
            valid, and larger sets.
        penalty: of each rank, 0 for the plain sets.
        free: ranks without penalty.

    Raises:
        ValueError: probabilities that are not ``(n, classes)``, numbers outside [0, 1] or of another length.

    >>> set_scores([[0.5, 0.375, 0.125]], penalty=1.0, free=2).tolist()
    [[-0.5, -0.125, 1.0]]
    """
    values = np.asarray(probabilities, np.float64)
    if values.ndim != 2 or not (values >= 0).all():
        raise ValueError(f"probabilities: have shape {values.shape}, need (rows, classes), none below 0")
    if not 0 <= penalty < np.inf or free < 0:
        raise ValueError(f"penalty and free: found {penalty} and {free}, need at least 0")
    part = np.ones(len(values)) if uniform is None else np.asarray(uniform, np.float64)
    if part.shape != values.shape[:1] or not ((part >= 0) & (part <= 1)).all():
        raise ValueError(f"uniform: has shape {part.shape}, needs {values.shape[:1]} numbers in [0, 1]")
    order = np.argsort(-values, 1, kind="stable")
    ranked = np.take_along_axis(values, order, 1)
    below = np.cumsum(ranked[:, :0:-1], 1)[:, ::-1]
    below = np.concatenate([below, np.zeros((len(values), 1))], 1)
    rank = np.arange(1, values.shape[1] + 1)
    found = -below - (1 - part[:, None]) * ranked + penalty * np.maximum(rank - free, 0)
    scores = np.empty_like(found)
    np.put_along_axis(scores, order, found, 1)
    return scores


def never_empty(scores: ArrayLike) -> NDArray[np.float64]:
    """Make the best class of each row score less than anything, ``(n, classes)``: it is in every set.

    Where the scores of held-out rows are changed alike, coverage is as asked for, or that of the best class
    alone where it is more; filling empty sets afterwards would exceed it.

    >>> never_empty([[-0.5, -0.125, 1.0]]).tolist()
    [[-inf, -0.125, 1.0]]
    """
    values = np.array(scores, np.float64)
    values[np.arange(len(values)), values.argmin(-1)] = -np.inf
    return values


def of_target(scores: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """Give the score of each row's own class, ``(n,)``."""
    values = np.asarray(scores)
    return values[np.arange(len(values)), np.asarray(target, np.int64)]


def split_sets(new: ArrayLike, scores: ArrayLike, level: float) -> NDArray[np.bool_]:
    """Give which classes are in the set of each new row, ``(m, classes)``: those of no worse a score.

    A set may be empty where no class conforms, unless both scores are ``never_empty``.

    Args:
        new: the scores of new rows' classes, ``(m, classes)``, as ``set_scores`` gives them.
        scores: of held-out rows' own classes, ``(n,)``, as ``of_target`` gives them.
        level: the coverage asked for.

    Raises:
        ValueError: scores that are not numbers ``(n,)``, a ``level`` outside (0, 1).

    >>> split_sets([[-0.5, -0.1, 0.0], [-0.05, -0.01, 0.0]], [-0.5, -0.3, -0.1], 0.75).tolist()
    [[True, True, False], [False, False, False]]
    """
    return np.asarray(new, np.float64) <= quantile(scores, level)


def cv_plus_sets(new: ArrayLike, scores: ArrayLike, fold: ArrayLike, level: float) -> NDArray[np.bool_]:
    r"""Give the CV+ sets of new rows, ``(m, classes)`` (Romano, Sesia and Candès, 2020).

    A class is in the set unless its score exceeds those of :math:`(n + 1)\,\mathrm{level}` rows or more, each
    compared by the model of the fold that held it out. It may be empty, unless both scores are
    ``never_empty``.

    Args:
        new: the scores of new rows' classes by each fold's model, ``(folds, m, classes)``.
        scores: of held-out rows' own classes, ``(n,)``.
        fold: the fold that held out each row, ``(n,)``.
        level: the coverage asked for.

    Raises:
        ValueError: arrays that do not fit, a fold without scores, a ``level`` outside (0, 1).
    """
    values, fold = np.asarray(new, np.float64), np.asarray(fold)
    scores = _checked(scores, level)
    if values.ndim != 3:
        raise ValueError(f"new: has shape {values.shape}, needs (folds, rows, classes)")
    _check_fold(fold, len(scores), len(values))
    below = np.zeros(values.shape[1:], np.int64)
    for number in range(len(values)):
        below += np.searchsorted(np.sort(scores[fold == number]), values[number], side="left")
    return below < _rank(len(scores), level)


def coverage(found: ArrayLike, target: ArrayLike) -> float:
    """Give the part of rows whose target is in its interval ``(n, 2)`` or its set ``(n, classes)``."""
    found, target = np.asarray(found), np.asarray(target)
    if found.dtype == bool:
        return float(of_target(found, target).mean())
    return float(((found[:, 0] <= target) & (target <= found[:, 1])).mean())


def _rank(rows: int, level: float) -> int:
    return int(np.ceil(round((rows + 1) * level, 9)))  # 0.9 × 10 is no more than 9


def _smallest(values: NDArray, level: float) -> NDArray[np.float64]:
    rank = _rank(len(values), level)
    if rank > len(values):
        return np.full(values.shape[1], np.inf)
    return np.partition(values, rank - 1, axis=0)[rank - 1]


def _ordered(low: NDArray, high: NDArray) -> NDArray[np.float64]:
    """Stack edges; where a band narrower than nothing crosses, its middle is all of it."""
    edges = np.stack([low, high], -1)
    crossed = low > high
    edges[crossed] = edges[crossed].mean(-1, keepdims=True)
    return edges


def _checked(scores: ArrayLike, level: float) -> NDArray[np.float64]:
    if not 0 < level < 1:
        raise ValueError(f"level: found {level!r}, needs a coverage in (0, 1), such as 0.9")
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or not len(values) or np.isnan(values).any():
        raise ValueError(f"scores: have shape {values.shape}, need one number a row, none missing")
    return values


def _check_fold(fold: NDArray, rows: int, folds: int) -> None:
    if fold.shape != (rows,) or fold.dtype.kind not in "iu" or fold.min() < 0 or fold.max() >= folds:
        found = f"{fold.dtype} of shape {fold.shape}"
        raise ValueError(f"fold: is {found}, needs {rows} numbers from 0 to {folds - 1}")
