"""A sweep's rows, folds and preparation, searched for what makes held-out scores too good."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from jdl.sweeps import schedule as schedules
from jdl.sweeps.leak_captured import captured
from jdl.sweeps.leak_columns import derived
from jdl.sweeps.leak_noise import above_chance, measured, noisy, own_labels, trained
from jdl.sweeps.leak_rows import Leak, copies, groups, times
from jdl.sweeps.splits import Fold, splits
from jdl.sweeps.sweep import checked_rows
from jdl.train.recipe import Recipe, RecipeError, check_count, check_key


class LeakageError(AssertionError):
    """Rows held out that are not unseen; ``leaks`` lists what was found, by which check, and what to do."""

    def __init__(self, leaks: list[Leak]) -> None:
        """Say every leak."""
        self.leaks = tuple(leaks)
        lines = [f"  {leak.check}: {leak.found}; {leak.advice}" for leak in leaks]
        super().__init__("\n".join([f"{len(leaks)} leak{'s' * (len(leaks) > 1)} found:", *lines]))


def assert_no_leakage(
    recipe: Callable[[dict], Recipe],
    data: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]],
    *,
    hyper: Mapping[str, Any],
    target: Any = None,
    key: Any = None,
    folds: Any = 5,
    stop: float = 0.1,
    repeats: int = 20,
    rows: int = 1000,
    allow: Collection[str] = (),
    schedule: str | int = "auto",
    devices: int | None = None,
) -> dict[str, tuple[float, float]]:
    r"""Raise a LeakageError that names every leak found, or give how near to chance noise was predicted.

    The checks:

    * *noise labels* and a *permuted target*, ``repeats`` of each, all trained in one sweep: predictions of
      rows held out may not go with such labels. The mean of their rank correlation within folds, 0 without a
      leak, is to lie within 3 standard errors over the repeats (by chance 1 check in 270 fails).
    * *own labels*: no prepared feature of a training row may hold its own noise label, as the mean target of
      its level does unless it is made without the row.
    * *duplicate rows*: none held out may equal, target and all, one trained on. Rows of few possible values
      are alike by chance and left alone: copies share a value that no other row has, in a column in which
      most rows differ, and are ten times as many as independent columns would make.
    * *groups*: with ``data["group"]`` and no time, no group may be on both sides of a fold.
    * *time order*: with ``data["time"]``, no training row may be later than a row held out.
    * *target-derived columns*: no single column, nor several indicators of classes together, may tell the
      target of rows held out, guessed between the nearest training rows: 99.5 % of the variance of its ranks,
      or a balanced accuracy of 99.5 % for each class (all but one). A column as strong as that and honest is
      named in ``allow``. Rows of more than 2,000 columns, such as images, are not searched.

    * *captured arrays*: no array that the recipe's functions read from outside may hold a number a row that
      goes with the target, nor agree with the mean targets of a column's levels better than by chance.

    What is computed from the target before the rows are handed over escapes noise labels unless they go the
    same way: give that way as ``data``, a function of the target, and the true ``target``.

    Args:
        recipe: ``recipe(hyper) -> Recipe``.
        data: as of ``jdl.sweep``; or ``data(target)``, which makes it.
        hyper: the configuration to train with: a short training, that can tell a signal, is best.
        target: the true target, where ``data`` is a function.
        key: a JAX key, that of 0 unless given.
        folds, stop, schedule, devices: as of ``jdl.sweep``.
        repeats: noise labels, and permutations, to train on.
        rows: trained on at most, drawn at random, where ``folds`` is a number.
        allow: columns that may tell the target, as errors name them.

    Returns:
        ``{"noise labels": (mean, standard error), "permuted target": (mean, standard error)}`` of the rank
        correlations.

    Raises:
        LeakageError: leaks, each with its check, the columns, rows or folds, and what to do.
        RecipeError: data that cannot be trained on, or whose target is neither one class nor numbers a row.

    Sources: Kaufman et al. 2012, https://doi.org/10.1145/2382577.2382579; Kapoor and Narayanan 2023,
    https://doi.org/10.1016/j.patter.2023.100804.

    >>> import jax, numpy as np, jdl
    >>> def recipe(hyper):
    ...     return jdl.Recipe(jdl.nn.dense(1), jdl.losses.squared_error, jdl.optim.sgd(hyper["rate"]), 16, 2)
    >>> x = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    >>> data = {"x": x, "y": x[:, :1]}
    >>> jdl.assert_no_leakage(recipe, data, hyper={"rate": 0.1}, folds=2)
    Traceback (most recent call last):
    ...
    jdl.sweeps.leakage.LeakageError: 1 leak found:
      target-derived columns: x[0] tells the target of rows held out without a network ...
    """
    plan = schedules.checked(schedule, devices, None)
    key = jax.random.key(0) if key is None else key
    check_key(key)
    check_count("repeats", repeats)
    if repeats < 2:
        raise RecipeError("repeats: found 1, needs at least 2 to compare")
    pipeline, truth = _pipeline(data, target)
    whole = dict(pipeline(truth))
    checked_rows(recipe, [hyper], whole)
    cut = splits(whole, folds, stop, key)
    leaks = [*copies(whole, cut), *groups(whole, cut), *times(whole, cut), *derived(whole, cut, allow)]
    leaks += captured(recipe, recipe(dict(hyper)), whole)

    chosen, cut = _fewer(whole, folds, stop, key, rows, cut)
    ready = lambda labels: _at(checked_rows(recipe, [hyper], dict(pipeline(labels))), chosen)
    noise = noisy(ready, truth, cut, repeats, key)
    scores = measured(trained(recipe, hyper, noise, key, plan), noise)
    leaks += [*above_chance(scores, repeats), *own_labels(recipe, hyper, noise, key)]
    if leaks:
        raise LeakageError(leaks)
    return scores


def _pipeline(data: Any, target: Any) -> tuple[Callable[[Any], Mapping[str, Any]], NDArray]:
    """Give the way from a target to rows, and the true target."""
    if callable(data):
        if target is None:
            raise RecipeError("target: found None, needs the true target, as data is a function of it")
        return data, np.asarray(target)
    if target is not None:
        raise RecipeError("target: is of no use, as data holds it; give data as a function of the target")
    if not isinstance(data, Mapping) or "y" not in data:
        raise RecipeError(
            f"data: found a {type(data).__name__}, needs a dict with 'x' and 'y', or a function"
        )
    if isinstance(data["y"], Mapping | tuple):
        raise RecipeError("data/y: is a tree of arrays, needs one array: a class or numbers a row")
    return lambda labels: {**data, "y": labels}, np.asarray(data["y"])


def _fewer(
    data: Mapping[str, Any], folds: Any, stop: float, key: Any, rows: int, cut: tuple[Fold, ...]
) -> tuple[NDArray, tuple[Fold, ...]]:
    """Give the rows that are trained on, and their folds; all of them where the folds are the user's own."""
    count = len(data["y"])
    if count <= rows or not isinstance(folds, int):
        return np.arange(count), cut
    chosen = np.sort(np.random.default_rng(0).choice(count, rows, replace=False))
    return chosen, splits(_at(data, chosen), folds, stop, key)


def _at(data: Mapping[str, Any], chosen: NDArray) -> dict[str, Any]:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[chosen], dict(data))
