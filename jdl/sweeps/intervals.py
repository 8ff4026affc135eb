"""Intervals and sets of new rows from a sweep's folds, without another fit."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jdl.sweeps import conformal
from jdl.sweeps.held import by_first_fold, check_classes, check_numbers
from jdl.sweeps.predict import fold_predictions
from jdl.train.recipe import RecipeError

if TYPE_CHECKING:
    from jdl.sweeps.runs import Runs


def intervals(runs: "Runs", x: Any, level: float = 0.9, config: int | None = None) -> NDArray[np.float64]:
    """Give CV+ intervals of new rows, ``(m, 2)``, by the best (or another) configuration.

    Around predictions ``(n,)`` or ``(n, 1)``; where the recipe predicts two numbers, a lower and an upper
    quantile, by conformalized quantile regression. A row's weight does not count here, except that one of
    weight 0 is left out.

    Raises:
        RecipeError: the target holds no numbers, one a row; predictions of other shapes; a configuration that
            was not wholly trained.
        ValueError: a ``level`` outside (0, 1).
    """
    check_numbers(runs, "intervals")
    config = runs.best() if config is None else config
    held, own = by_first_fold(runs, config)
    if held.target.size != len(held.target):
        raise RecipeError(f"intervals: y has shape {runs.data['y'].shape}; needs one number a row")
    scores = conformal.interval_scores(*_band(own, 1), held.target.reshape(-1))
    return conformal.cv_plus_intervals(*_band(fold_predictions(runs, config, x), 2), scores, held.fold, level)


def prediction_sets(
    runs: "Runs",
    x: Any,
    level: float = 0.9,
    config: int | None = None,
    *,
    uniform: tuple[ArrayLike, ArrayLike] | None = None,
    penalty: float = 0.0,
    free: int = 0,
) -> NDArray[np.bool_]:
    """Give CV+ sets of classes of new rows, ``(m, classes)``, by the best (or another) configuration.

    Adaptive sets, regularised where a ``penalty`` is given, of which none is empty: see
    ``conformal.set_scores`` and ``conformal.never_empty``. ``uniform`` holds
    random numbers in [0, 1) for the sweep's rows ``(n,)`` and for the new ones ``(m,)``.

    Raises:
        RecipeError: the target holds no classes, or the configuration was not wholly trained.
        ValueError: a ``level`` outside (0, 1), random numbers of a wrong shape.
    """
    check_classes(runs, "prediction_sets")
    config = runs.best() if config is None else config
    held, own = by_first_fold(runs, config)
    known, fresh = (None, None) if uniform is None else (np.asarray(uniform[0])[held.rows], uniform[1])

    def scores(probabilities: NDArray, random: ArrayLike | None) -> NDArray:
        return conformal.never_empty(conformal.set_scores(probabilities, random, penalty, free))

    new = np.stack([scores(fold, fresh) for fold in fold_predictions(runs, config, x)])
    return conformal.cv_plus_sets(new, conformal.of_target(scores(own, known), held.target), held.fold, level)


def _band(predicted: NDArray, axes: int) -> tuple[NDArray, NDArray]:
    """Take a prediction as both edges, or two numbers as the lower and the upper one; ``axes`` lead."""
    shape = predicted.shape[axes:]
    if shape == (2,):
        return predicted[..., 0], predicted[..., 1]
    if shape not in ((), (1,)):
        raise RecipeError(
            f"intervals: a row's prediction has shape {shape}; needs one number, or two quantiles"
        )
    one = predicted.reshape(predicted.shape[:axes])
    return one, one
