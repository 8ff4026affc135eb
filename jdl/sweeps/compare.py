"""Whether two configurations differ: paired tests of their scores on the same folds."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from jdl.sweeps.runs import Runs


class Comparison(NamedTuple):
    """How a first configuration's scores differ from a second's."""

    difference: float  # of the means, first less second
    error: float  # its standard error, corrected for training rows that folds share
    interval: tuple[float, float]  # of the difference, at the level asked for
    p_value: float  # of no difference: corrected resampled t-test
    wilcoxon: float  # of no difference: signed-rank test, for which folds are independent
    effect: float  # the difference over the standard deviation of the folds' differences


def paired(first: ArrayLike, second: ArrayLike, ratio: float, level: float = 0.95) -> Comparison:
    r"""Compare scores of the same folds, ``(folds,)`` each, by the corrected resampled t-test.

    Nadeau and Bengio, *Inference for the Generalization Error*, 2003: folds share training rows, so that the
    variance of the mean difference is :math:`(1/k + \mathrm{ratio})\,s^2` rather than :math:`s^2/k`, with
    :math:`k - 1` degrees of freedom. A choice of the two best-looking of many is not corrected for.

    Args:
        first: the first one's score of each fold.
        second: the second one's.
        ratio: rows held out over rows trained on: 1/4 with five folds.
        level: of the interval.

    Raises:
        ValueError: scores of different or other shapes or not finite, fewer than two folds, a ``ratio`` that
            is not positive, a ``level`` outside (0, 1).

    >>> found = paired([0.9, 0.8, 0.9, 0.9], [0.8, 0.8, 0.7, 0.8], 1 / 3)
    >>> round(found.difference, 3), round(found.p_value, 3)
    (0.1, 0.207)
    """
    from scipy import stats  # takes a while to import

    left, right = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if left.shape != right.shape or left.ndim != 1 or len(left) < 2:
        raise ValueError(
            f"scores: have shapes {left.shape} and {right.shape}; need one of two folds at least"
        )
    if not (np.isfinite(left) & np.isfinite(right)).all():
        raise ValueError("scores: not all finite; compare configurations that were trained on all folds")
    if not ratio > 0 or not 0 < level < 1:
        raise ValueError(f"ratio and level: found {ratio} and {level}, need above 0 and in (0, 1)")
    gap = left - right
    count, mean, spread = len(gap), float(gap.mean()), float(gap.std(ddof=1))
    if np.ptp(gap) == 0:
        spread = 0.0
    error = spread * np.sqrt(1 / count + ratio)
    wide = error * stats.t.ppf((1 + level) / 2, count - 1)
    if error == 0:
        p_value, effect = (1.0, 0.0) if mean == 0 else (0.0, float(np.copysign(np.inf, mean)))
    else:
        p_value, effect = float(2 * stats.t.sf(abs(mean) / error, count - 1)), mean / spread
    signed = float(stats.wilcoxon(gap).pvalue) if gap.any() else 1.0
    return Comparison(mean, float(error), (float(mean - wide), float(mean + wide)), p_value, signed, effect)


def compare(
    runs: "Runs", first: int, second: int, name: str | None = None, level: float = 0.95
) -> Comparison:
    """Compare two configurations' held-out scores, ``monitor`` unless named, averaged over seeds.

    Raises:
        RecipeError: there is no such score.
        ValueError: fewer than two folds, or a configuration that was not wholly trained.
    """
    by_fold = runs.scores(name).mean(2)
    held = sum(len(fold.held) for fold in runs.folds)
    trained = sum(len(fold.train) + len(fold.stop) for fold in runs.folds)
    return paired(by_fold[first], by_fold[second], held / trained, level)
