"""Rows that were held out, and what was predicted of them by members that had not seen them."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jdl.sweeps.crossfit import Rule, cross_fitted, fold_of
from jdl.train.recipe import RecipeError

if TYPE_CHECKING:
    from jdl.sweeps.runs import Runs


class Held(NamedTuple):
    """The rows that some fold holds out, and what is known of each."""

    rows: NDArray[np.int64]
    fold: NDArray[np.int64]  # the first that holds the row out
    target: NDArray
    weight: NDArray | None

    def spread(self, values: NDArray, rows: int) -> NDArray:
        """Put values of these rows among all, where the others have NaN, or -1 where they are integers."""
        empty = -1 if values.dtype.kind in "iu" else np.nan
        found = np.full((rows, *values.shape[1:]), empty, values.dtype)
        found[self.rows] = values
        return found


class Fitted(NamedTuple):
    """A rule, what it was fitted to on all rows held out, and what it honestly gives of them."""

    rule: Rule
    stats: Any
    out_of_fold: (
        NDArray  # of each row by the rule fitted on the other folds; NaN or -1 where no fold holds it out
    )

    def apply(self, values: Any) -> NDArray:
        """Apply the rule to predictions of new rows, such as a refitted model's."""
        return np.asarray(self.rule.apply(self.stats, values))


def held_out(runs: "Runs") -> Held:
    """Give the rows that are held out."""
    fold = fold_of(runs.folds, len(runs.data["y"]))
    rows = np.flatnonzero(fold >= 0)
    weight = runs.data.get("weight")
    kept = None if weight is None else np.asarray(weight)[rows]
    return Held(rows, fold[rows], np.asarray(runs.data["y"])[rows], kept)


def fitted(runs: "Runs", rule: Rule, values: NDArray) -> Fitted:
    """Fit a rule to values of all rows ``(n, …)``: on every fold's others, and on all rows held out."""
    held = held_out(runs)
    given = values[held.rows]
    found = cross_fitted(rule, given, held.target, held.fold, held.weight)
    stats = rule.fit(given, held.target, held.weight)
    return Fitted(rule, stats, held.spread(found, len(values)))


def check_classes(runs: "Runs", what: str) -> None:
    """Raise a RecipeError unless the target holds classes."""
    if not runs.classes:
        target = np.asarray(runs.data["y"])
        raise RecipeError(
            f"{what}: y is {target.dtype} of shape {target.shape}; needs one integer class a row"
        )


def check_numbers(runs: "Runs", what: str) -> None:
    """Raise a RecipeError where the target holds classes or labels."""
    target = np.asarray(runs.data["y"])
    if target.dtype.kind != "f":
        raise RecipeError(f"{what}: y is {target.dtype} of shape {target.shape}; needs numbers")


def by_first_fold(runs: "Runs", config: int) -> tuple[Held, NDArray[np.float32]]:
    """Give the rows held out that count, and what the members of the fold of each predict of it.

    In repeated folds a row is predicted by those of its first fold alone; seeds are averaged.
    """
    held, members = held_out(runs), runs.of(config)
    own = held.spread(held.fold, len(runs.data["y"]))
    total: NDArray | None = None
    for number, trained in members.items():
        fold = runs.members[number, 1]
        rows = runs.folds[fold].held
        values = runs.predicted(trained.outputs[: len(rows)]) / runs.seeds
        total = np.zeros((len(own), *values.shape[1:])) if total is None else total
        mine = own[rows] == fold
        np.add.at(total, rows[mine], values[mine])
    assert total is not None
    if held.weight is not None:
        counted = held.weight > 0
        held = Held(held.rows[counted], held.fold[counted], held.target[counted], held.weight[counted])
    return held, total[held.rows].astype(np.float32)
