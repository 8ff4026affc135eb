r"""Calibration of logits: temperature, vector scaling and isotonic regression.

Each is a ``Rule``: ``fit(logits, target, weight) -> stats``, ``apply(stats, logits) -> probabilities``, with
logits ``(n, classes)``. The first two minimise the log-loss against targets smoothed in Platt's manner
(1999): of :math:`n` rows each has :math:`(n + 1) / (n + 2)` of its own class and the rest spread over the
others, so that perfectly separated classes do not get an infinite scale.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jdl.sweeps.crossfit import Rule, checked_rows, cross_fitted, log_loss, logits_of
from jdl.sweeps.held import Fitted, check_classes, fitted

if TYPE_CHECKING:
    from jdl.sweeps.runs import Runs

STEPS = 100  # of Newton's method at most
WIDEST = 1e4  # the largest inverse temperature
VARIANCE = 0.1  # of a class's scale relative to the common one, and of its shift, before a row is seen
PARTS = 3  # by which ``best_of`` compares rules


def temperature() -> Rule:
    r"""Divide logits by one number: :math:`\mathrm{softmax}(\beta z)`, with :math:`\beta = 1/T` at least 0.

    Guo et al., *On Calibration of Modern Neural Networks*, 2017. ``stats`` is :math:`\beta`, ``()``.

    Raises:
        ValueError: logits that are not ``(n, classes)`` or not finite, a class that does not exist.

    >>> rule = temperature()
    >>> beta = rule.fit([[9.0, 0.0]] * 3 + [[0.0, 9.0]], [0, 0, 1, 0], None)
    >>> bool(beta < 1), rule.apply(0.0, [[9.0, 0.0]]).tolist()
    (True, [[0.5, 0.5]])
    """
    return Rule("temperature", _fit_temperature, lambda beta, logits: softmax(beta * np.asarray(logits)))


def vector() -> Rule:
    r"""Scale and shift the logits of each class: :math:`\mathrm{softmax}(a \odot z + b)`.

    Guo et al. (2017). Of two classes' log-probabilities it is the beta calibration of Kull et al. (2017).
    Scales are held to one temperature, and shifts to 0, by a normal prior, which many rows outweigh.
    ``stats`` is :math:`(a, b)`, ``(2, classes)``.

    Raises:
        ValueError: logits that are not ``(n, classes)`` or not finite, a class that does not exist.
    """
    return Rule("vector", _fit_vector, lambda ab, logits: softmax(ab[0] * np.asarray(logits) + ab[1]))


def isotonic() -> Rule:
    """Map each class's probability by the non-decreasing function nearest to its targets, then normalise.

    Zadrozny and Elkan (2002), by scikit-learn's ``IsotonicRegression``; what it gives is at least
    1 / (rows + 2) from 0 and 1, so that no row costs without bound. ``stats`` holds the corners ``(x, y)`` of
    each class's function, of the second class's alone where there are two.

    Raises:
        ValueError: logits that are not ``(n, classes)`` or not finite, a class that does not exist.
    """
    return Rule("isotonic", _fit_isotonic, _apply_isotonic)


def best_of(*rules: Rule) -> Rule:
    """Take of several rules the one of the least log-loss on rows that it was not fitted on.

    The rows given to ``fit`` are parted for that; then the chosen one is fitted on them all. ``stats`` is
    ``(number of the rule, its stats)``.

    Raises:
        ValueError: no rules; what the rules raise.
    """
    if not rules:
        raise ValueError("best_of: found no rules, needs one at least")

    def fit(logits: ArrayLike, target: ArrayLike, weight: ArrayLike | None) -> tuple[int, Any]:
        rows = checked_rows(logits, target, weight)
        fold = np.arange(len(rows[0])) % PARTS
        if len(fold) < PARTS:
            return 0, rules[0].fit(*rows)
        losses = [log_loss(cross_fitted(rule, *rows[:2], fold, rows[2]), *rows[1:]) for rule in rules]
        number = int(np.argmin(losses))
        return number, rules[number].fit(*rows)

    names = ", ".join(rule.name for rule in rules)
    return Rule(f"best of {names}", fit, lambda stats, logits: rules[stats[0]].apply(stats[1], logits))


def softmax(logits: ArrayLike) -> NDArray[np.float64]:
    """Give probabilities, of the last axis."""
    logits = np.asarray(logits, np.float64)
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def _smoothed(target: NDArray, classes: int) -> NDArray[np.float64]:
    spread = 1 / (len(target) + 2)
    wanted = np.full((len(target), classes), spread / (classes - 1))
    wanted[np.arange(len(target)), target] = 1 - spread
    return wanted


def _fit_temperature(logits: ArrayLike, target: ArrayLike, weight: ArrayLike | None) -> Any:
    """Find where the slope of the log-loss, convex in beta, is 0: by Newton's method in a bracket."""
    values, number, mass = checked_rows(logits, target, weight)
    mass = mass / mass.sum()
    values = values - values.max(1, keepdims=True)
    reached = mass @ (_smoothed(number, values.shape[1]) * values).sum(1)

    def slope(beta: float) -> tuple[float, float]:
        found = softmax(beta * values)
        mean = (found * values).sum(1)
        spread = (found * values**2).sum(1) - mean**2
        return mass @ mean - reached, mass @ spread

    low, high, beta = 0.0, WIDEST, 1.0
    if slope(low)[0] >= 0:
        return np.float64(low)
    for _ in range(STEPS):
        first, second = slope(beta)
        low, high = (low, beta) if first > 0 else (beta, high)
        step = first / second if second > 0 else np.inf
        before, beta = beta, beta - step
        if not low < beta < high:
            beta = (low + high) / 2 if high < WIDEST else min(2 * low, WIDEST)
        if abs(beta - before) <= 1e-10 * beta:
            break
    return np.float64(beta)


def _fit_vector(logits: ArrayLike, target: ArrayLike, weight: ArrayLike | None) -> NDArray[np.float64]:
    from scipy.optimize import minimize  # takes a while to import

    values, number, mass = checked_rows(logits, target, weight)
    rows, mass = len(values), mass / mass.sum()
    classes = values.shape[1]
    beta = _fit_temperature(logits, target, weight)
    values = (values - values.mean(1, keepdims=True)) * beta
    wanted = _smoothed(number, classes)

    def loss(flat: NDArray) -> tuple[Any, NDArray]:
        scale, shift = flat.reshape(2, classes)
        scores = scale * values + shift
        scores = scores - scores.max(1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        error = mass[:, None] * (np.exp(logs) - wanted)
        away = (flat - start) / (VARIANCE * rows)
        slope = np.concatenate([(error * values).sum(0), error.sum(0)])
        return -mass @ (wanted * logs).sum(1) + (flat - start) @ away / 2, slope + away

    start = np.concatenate([np.ones(classes), np.zeros(classes)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x.reshape(2, classes)
    return found * [[beta], [1.0]]


def _fit_isotonic(logits: ArrayLike, target: ArrayLike, weight: ArrayLike | None) -> tuple:
    from sklearn.isotonic import IsotonicRegression  # takes seconds to import

    values, classes, mass = checked_rows(logits, target, weight)
    found = softmax(values)
    edge = 1 / (len(classes) + 2)
    corners = []
    for number in range(found.shape[1]) if found.shape[1] > 2 else (1,):
        curve = IsotonicRegression(y_min=edge, y_max=1 - edge)
        curve.fit(found[:, number], classes == number, mass)
        corners.append((curve.X_thresholds_, curve.y_thresholds_))
    return tuple(corners)


def _apply_isotonic(corners: tuple, logits: ArrayLike) -> NDArray[np.float64]:
    found = softmax(logits)
    if len(corners) == 1:
        second = np.interp(found[:, 1], *corners[0])
        return np.stack([1 - second, second], 1)
    columns = [np.interp(found[:, i], *corner) for i, corner in enumerate(corners)]
    made = np.stack(columns, 1)
    return made / made.sum(1, keepdims=True)


def calibrated(runs: "Runs", config: int | None = None, rule: Rule | None = None) -> Fitted:
    """Calibrate the best (or another) configuration on its out-of-fold predictions, without another fit.

    ``rule`` is ``temperature()`` unless given. ``out_of_fold`` holds probabilities ``(n, classes)``, those of
    a fold calibrated by the other folds; ``apply(logits)`` calibrates new rows, of which the logarithms of
    probabilities are logits too.

    Raises:
        RecipeError: the target holds no classes, or the configuration was not wholly trained.
        ValueError: fewer than two folds.
    """
    check_classes(runs, "calibrated")
    rule = temperature() if rule is None else rule
    return fitted(runs, rule, logits_of(runs.out_of_fold(config)))
