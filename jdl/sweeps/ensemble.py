"""Greedy selection of an ensemble from out-of-fold predictions, with replacement."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jdl._devices import cores
from jdl.metrics.metric import evaluate
from jdl.sweeps.crossfit import SMALLEST, checked, log_loss, logits_of, parts
from jdl.sweeps.held import Held, check_numbers, held_out
from jdl.sweeps.predict import member_outputs
from jdl.sweeps.splits import classes
from jdl.train.recipe import RecipeError

if TYPE_CHECKING:
    from jdl.sweeps.runs import Runs

SIZE = 50  # members drawn at most
BLOCK = 16  # members looked at together: their rows stay in a core's cache
TASK = 4 * BLOCK  # members handed to a core at once

Select = Callable[[NDArray[np.bool_]], NDArray[np.float64]]


def select(
    members: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, size: int = SIZE
) -> NDArray[np.float64]:
    r"""Give the weight of each member in an ensemble: how often it was drawn, summing to 1, ``(members,)``.

    Caruana et al., *Ensemble Selection from Libraries of Models*, 2004: starting from none, the member is
    added, with replacement, whose mean with those there has the least loss; of the ``size`` ensembles on the
    way the best is given. The loss is the log-loss of classes, whose predictions are probabilities, and the
    squared error of numbers. No member is left out of account: with :math:`s` the sum of what the chosen give
    to the true classes, what member :math:`m` adds is :math:`\sum_i w_i \log(1 + p_{mi} / s_i)`, which falls
    as :math:`s` grows, so that a member whose last sum is below the best one need not be looked at again
    (Minoux, 1978).

    Args:
        members: predictions of rows held out, ``(members, n, classes)``, or numbers ``(members, n, …)``.
        target: integer classes ``(n,)``, or numbers ``(n, …)``.
        weight: ``(n,)``, all alike unless given.
        size: members drawn.

    Raises:
        ValueError: arrays that do not fit, values that are not finite, a class that does not exist.

    >>> members = [[[0.9, 0.1], [0.9, 0.1]], [[0.1, 0.9], [0.1, 0.9]], [[0.2, 0.8], [0.7, 0.3]]]
    >>> select(members, [0, 1]).tolist()
    [0.5, 0.5, 0.0]
    """
    values, target = np.asarray(members, np.float32), np.asarray(target)
    with _selection(values, target, weight, size) as chosen:
        return chosen(np.ones(len(target), bool))


def cross_fitted(
    members: ArrayLike, target: ArrayLike, fold: ArrayLike, weight: ArrayLike | None = None, size: int = SIZE
) -> NDArray[np.float32]:
    """Predict the rows of each fold by the ensemble that was selected on all others, ``(n, …)``.

    Scoring what this gives is honest; scoring an ensemble on the rows it was selected on is not.

    Raises:
        ValueError: as ``select``; fewer than two folds.
    """
    values, target = np.asarray(members, np.float32), np.asarray(target)
    found = np.zeros(values.shape[1:], np.float32)
    with _selection(values, target, weight, size) as chosen:
        for own in parts(fold, len(target)):
            found[own] = mixed(chosen(~own), values.compress(own, 1))
    return found


def mixed(weights: ArrayLike, members: ArrayLike) -> NDArray[np.float32]:
    """Give the weighted mean of members' predictions ``(members, n, …)``."""
    weights, members = np.asarray(weights, np.float32), np.asarray(members, np.float32)
    used = np.flatnonzero(weights)
    return np.tensordot(weights[used], members[used], 1)


@contextmanager
def _selection(values: NDArray, target: NDArray, weight: Any, size: int) -> Iterator[Select]:
    """Give the function that selects on the rows of a mask."""
    if values.ndim < 2 or not len(values):
        raise ValueError(
            f"members: have shape {values.shape}, need (members, rows, …) with one member at least"
        )
    if size < 1:
        raise ValueError(f"size: found {size}, needs at least 1")
    counted, weight = checked(values.sum(0), target, weight)  # not finite where any member's is not
    if not classes(target):
        yield _of_numbers(values, target, counted, weight, size)
        return
    true = _of_true_class(values, target)
    with ThreadPoolExecutor(cores()) as pool:

        def chosen(rows: NDArray) -> NDArray:
            rows = rows & counted
            some = true if rows.all() else true.compress(rows, 1)
            return _of_classes(some, weight[rows].astype(np.float32), size, pool)

        yield chosen


def _of_true_class(values: NDArray, target: NDArray) -> NDArray[np.float32]:
    if values.ndim != 3 or target.min() < 0 or target.max() >= values.shape[2]:
        found = f"shape {values.shape} and classes {target.min()} to {target.max()}"
        raise ValueError(f"members: have {found}, need (members, rows, classes) with a column for each class")
    true = np.take_along_axis(values, target.astype(int)[None, :, None], 2)[..., 0]
    return np.maximum(true, np.float32(SMALLEST), order="C")


def _of_classes(true: NDArray, weight: NDArray, size: int, pool: ThreadPoolExecutor) -> NDArray[np.float64]:
    """Select by the log-loss: ``true`` holds the probability of each row's class, ``(members, n)``."""
    drawn: list[int] = []
    losses = []
    total = np.zeros(true.shape[1], np.float32)
    bound = np.full(len(true), np.inf)
    for count in range(1, size + 1):
        before = float(weight @ np.log(total)) if drawn else 0.0
        best, gain = _largest_gain(true, total, weight, before, bound, pool)
        if not drawn:
            bound[:] = np.inf  # the first sums are of no gains yet
        drawn.append(best)
        total = total + true[best]
        losses.append(float(weight.sum()) * np.log(count) - before - gain)
    return _counted(drawn, losses, len(true))


def _largest_gain(
    true: NDArray, total: NDArray, weight: NDArray, before: float, bound: NDArray, pool: ThreadPoolExecutor
) -> tuple[int, float]:
    """Find the member of the largest gain, and write every gain computed into ``bound``."""

    def gains(some: NDArray, room: NDArray) -> NDArray:
        found = np.empty(len(some))
        for first in range(0, len(some), BLOCK):
            block = some[first : first + BLOCK]
            for member, sums in zip(block, room, strict=False):
                np.add(true[member], total, out=sums)
            logs = np.log(room[: len(block)], out=room[: len(block)])
            found[first : first + BLOCK] = logs @ weight - before
        return found

    order = np.argsort(-bound, kind="stable")
    blocks = [order[i : i + TASK] for i in range(0, len(order), TASK)]
    best, largest, workers = -1, -np.inf, cores()
    rooms = np.empty((workers, BLOCK, len(total)), np.float32)
    for first in range(0, len(blocks), workers):
        if bound[blocks[first][0]] <= largest:
            break
        now = blocks[first : first + workers]
        for some, found in zip(now, pool.map(gains, now, rooms), strict=True):
            bound[some] = found
            at = int(np.argmax(found))
            if found[at] > largest:
                best, largest = int(some[at]), float(found[at])
    return best, largest


def _of_numbers(values: NDArray, target: NDArray, counted: NDArray, weight: NDArray, size: int) -> Select:
    """Select by the squared error, which is a quadratic form of the members' products of residuals."""
    if values[0].size != target.size:
        needed = ("members", *target.shape)
        raise ValueError(f"members: have shape {values.shape}, need {needed}")
    residuals = values - target.reshape(values.shape[1:]).astype(np.float32)
    residuals *= np.sqrt(weight, dtype=np.float32).reshape(-1, *[1] * (values.ndim - 2))

    def products(rows: NDArray) -> NDArray:
        flat = residuals.compress(rows, 1).reshape(len(residuals), -1)
        return (flat @ flat.T).astype(np.float64)

    whole = products(counted)

    def chosen(rows: NDArray) -> NDArray:
        left_out = counted & ~rows
        return _of_products(whole - products(left_out) if left_out.any() else whole, size)

    return chosen


def _of_products(products: NDArray, size: int) -> NDArray[np.float64]:
    drawn: list[int] = []
    losses = []
    own, reached, square = np.diagonal(products), np.zeros(len(products)), 0.0
    for count in range(1, size + 1):
        squares = square + 2 * reached + own
        best = int(np.argmin(squares))
        square, reached = squares[best], reached + products[best]
        drawn.append(best)
        losses.append(square / count**2)
    return _counted(drawn, losses, len(products))


def _counted(drawn: list[int], losses: list[float], members: int) -> NDArray[np.float64]:
    """Give the weights of the best ensemble on the way."""
    best = int(np.argmin(losses)) + 1
    return np.bincount(drawn[:best], minlength=members) / best


@dataclass(frozen=True, eq=False)
class Ensemble:
    """An ensemble of a sweep's configurations.

    Args:
        weights: of each configuration, ``(configurations,)``, summing to 1.
        out_of_fold: what it predicts of each row, ``(n, …)``, NaN where no fold holds the row out.
        cross_fitted: the same, of each fold's rows by the ensemble selected on the others: what is scored.
        scores: of ``cross_fitted``: ``log_loss`` of classes or ``squared_error`` of numbers, and the recipe's
            metrics.
        runs: the sweep.
    """

    weights: NDArray[np.float64]
    out_of_fold: NDArray[np.float32] = field(repr=False)
    cross_fitted: NDArray[np.float32] = field(repr=False)
    scores: dict[str, Any]
    runs: "Runs" = field(repr=False)

    def predict(self, x: Any) -> NDArray[np.float32]:
        """Predict new rows, ``(m, …)``, by the chosen configurations' members as the sweep trained them.

        Probabilities where the target holds classes. Each configuration's members count alike.
        """
        runs = self.runs
        share: dict[int, float] = {}
        for config in np.flatnonzero(self.weights):
            own = list(runs.of(int(config)))
            share |= dict.fromkeys(own, self.weights[config] / len(own))
        outputs = member_outputs(runs, list(share), x)
        parts = [share[number] * runs.predicted(values) for number, values in outputs.items()]
        return np.sum(parts, 0).astype(np.float32)


def ensemble(runs: "Runs", size: int = SIZE) -> Ensemble:
    """Select an ensemble of the configurations that were wholly trained, on their out-of-fold predictions.

    See ``select``; seeds of a configuration are averaged.

    Raises:
        RecipeError: no configuration was wholly trained, or the target holds labels.
        ValueError: fewer than two folds; predictions of numbers of another shape than the target.
    """
    if not runs.classes:
        check_numbers(runs, "ensemble")
    done = np.flatnonzero(~np.isnan(runs.mean()[0]))
    if not len(done):
        raise RecipeError("ensemble: no configuration was trained on all folds; give it more time")
    held, rows = held_out(runs), len(runs.data["y"])
    members = np.stack([runs.out_of_fold(int(config))[held.rows] for config in done])
    weights = np.zeros(len(runs.configs))
    weights[done] = select(members, held.target, held.weight, size)
    honest = cross_fitted(members, held.target, held.fold, held.weight, size)
    whole = held.spread(mixed(weights[done], members), rows)
    return Ensemble(weights, whole, held.spread(honest, rows), _scores(runs, honest, held), runs)


def _scores(runs: "Runs", values: NDArray, held: Held) -> dict[str, Any]:
    """Score predictions of the rows held out; metrics read outputs of the shape that networks give."""
    weight = np.ones(len(values)) if held.weight is None else held.weight
    if runs.classes:
        found = {"log_loss": log_loss(values, held.target, weight)}
        outputs = logits_of(values)
        shape = next(iter(runs.results.values())).outputs.shape[1:]
        if shape in ((), (1,)):
            outputs = (outputs[:, 1] - outputs[:, 0]).reshape(-1, *shape)
    else:
        errors = (values - held.target.reshape(values.shape)) ** 2
        found = {"squared_error": float(np.average(errors.reshape(len(values), -1).mean(1), weights=weight))}
        outputs = values
    metrics = runs.recipe(dict(runs.configs[0])).metrics
    for name, metric in metrics.items():
        found[name] = np.asarray(evaluate(metric, outputs.astype(np.float32), held.target, weight)).tolist()
    return found
