"""Nested cross-validation: an honest score of a sweep and its choice, taken together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from jdl.sweeps import schedule as schedules
from jdl.sweeps.engine import Study
from jdl.sweeps.groups import Config
from jdl.sweeps.runs import Runs
from jdl.sweeps.splits import Fold, splits
from jdl.sweeps.sweep import carried_out, checked_rows, configurations, product
from jdl.train.recipe import Recipe, RecipeError, check_count, check_key


@dataclass(frozen=True, eq=False)
class Nested:
    """What nested cross-validation gives.

    Args:
        inner: the sweep over the inner folds of all outer ones, one after the other.
        outer: the chosen configurations, trained on the outer folds.
        chosen: the number of the configuration that each outer fold's inner folds chose.
    """

    inner: Runs = field(repr=False)
    outer: Runs = field(repr=False)
    chosen: tuple[int, ...]

    def scores(self, name: str | None = None) -> NDArray[np.float64]:
        """Give a score of each outer fold's held-out rows, averaged over seeds: ``(outer folds,)``."""
        by_member = self.outer.scores(name)
        return np.array([by_member[config, fold].mean() for fold, config in enumerate(self.chosen)])

    def mean(self, name: str | None = None) -> tuple[float, float]:
        """Give the mean over the outer folds and its standard error."""
        found = self.scores(name)
        return float(found.mean()), float(found.std(ddof=1) / np.sqrt(len(found)))


def nested(
    recipe: Callable[[dict], Recipe],
    space: Sequence[Config] | Mapping[str, Any],
    key: Any,
    data: Mapping[str, Any],
    *,
    folds: Any = 5,
    inner: int = 4,
    seeds: int = 1,
    stop: float = 0.1,
    schedule: str | int = "auto",
    devices: int | None = None,
    memory_limit: int | None = None,
) -> Nested:
    """Choose a configuration inside each outer fold, and score the choice on the rows held out.

    The inner folds of all outer ones are trained in one sweep, over all configurations; the best of each
    outer fold is then trained on all of the fold's training rows. No held-out row of an outer fold has a
    part in the choice that is scored on it.

    Args:
        recipe: as in ``jdl.sweep``, and so are all arguments not named here.
        space: the configurations.
        key: a JAX key.
        data: the rows.
        folds: the outer folds.
        inner: how many inner folds the training rows of each are cut into.
        seeds: runs of each configuration on each fold.
        stop: the part of any fold's training rows that chooses the best epoch.
        schedule: how many members are trained at once.
        devices: how many to use.
        memory_limit: bytes to stay below.

    Source: Varma and Simon 2006, https://doi.org/10.1186/1471-2105-7-91.

    >>> import jax, numpy as np, jdl
    >>> def recipe(hyper):
    ...     return jdl.Recipe(jdl.nn.dense(1), jdl.losses.squared_error, jdl.optim.sgd(hyper["rate"]), 8, 4)
    >>> x = np.linspace(-1, 1, 60, dtype=np.float32)[:, None]
    >>> space, rows = {"rate": [0.001, 0.1]}, {"x": x, "y": 3 * x}
    >>> jdl.sweeps.nested(recipe, space, jax.random.key(0), rows, folds=3, inner=2).chosen
    (1, 1, 1)
    """
    plan = schedules.checked(schedule, devices, memory_limit)
    check_key(key)
    check_count("seeds", seeds)
    configs = configurations(space)
    rows = checked_rows(recipe, configs, data)
    outer = splits(data, folds, stop, key)
    within = [cut for i, fold in enumerate(outer) for cut in _inner(data, outer[i], inner, stop, key, i)]
    members = product(len(configs), len(within), seeds)
    study = Study(recipe, configs, members, tuple(within), jax.random.fold_in(key, 1), rows)
    searched = carried_out(study, plan, seeds)
    chosen = _chosen(searched, len(outer))
    members = np.array(
        [(config, fold, seed) for fold, config in enumerate(chosen) for seed in range(seeds)], np.int32
    )
    study = Study(recipe, configs, members, outer, key, rows)
    return Nested(searched, carried_out(study, plan, seeds), chosen)


def _inner(data: Mapping[str, Any], fold: Fold, inner: int, stop: float, key: Any, number: int) -> list[Fold]:
    """Cut the training rows of an outer fold, those that choose its epoch among them."""
    rows = np.sort(np.concatenate([fold.train, fold.stop]))
    own = {name: np.asarray(data[name])[rows] for name in ("y", "group", "time") if name in data}
    cut = splits(own, inner, stop, jax.random.fold_in(key, number))
    return [Fold(*(rows[part].astype(np.int32) for part in one)) for one in cut]


def _chosen(searched: Runs, outer: int) -> tuple[int, ...]:
    """Give the best configuration of each outer fold's inner folds."""
    scores = searched.scores().mean(2).reshape(len(searched.configs), outer, -1).mean(2)
    failed = np.isnan(scores).all(0)
    if failed.any():
        at = int(failed.argmax())
        raise RecipeError(f"nested: on outer fold {at} no configuration was trained on all inner folds")
    best = np.nanargmax(scores, 0) if searched.greater else np.nanargmin(scores, 0)
    return tuple(best.tolist())
