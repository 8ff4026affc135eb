"""Cross-validation and tuning: a sweep, and the best configuration again on all rows."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jdl.estimators.recipes import check_known
from jdl.sweeps import Runs, around, grid, random, splits, sweep
from jdl.train.recipe import RecipeError, Run

STOP = 0.1  # of a fold's training rows, that choose the epoch


def tuned(
    recipe: Any, hyper: dict[str, Any], given: Collection[str], key: Any, rows: Any, cv: Any, search: Any,
    time_budget: float | None,
) -> tuple[Runs, dict[str, Any], Run]:  # fmt: skip
    """Give the sweep over ``search`` (or of the one configuration), the best one, and its refit.

    ``search`` holds the hyper-parameters to be tried, as ``jdl.sweep`` takes them, or says how many
    configurations to draw around the defaults; those it does not name are as they would be without it, and
    those that are ``given`` by name stay what they are. The number of rows, where it is not given, is that of
    a fold in the sweep, and that of all rows in the refit.
    """
    data = {"x": rows.x, "y": rows.y} | ({} if rows.weight is None else {"weight": rows.weight})
    to_cut, to_draw, to_sweep = jax.random.split(key, 3)
    cut = splits(data, cv, STOP, to_cut)
    folds = [(np.concatenate([fold.train, fold.stop]), fold.held) for fold in cut]
    configs = _configs(hyper, given, search, to_draw)
    counted = "rows" in hyper and all(config["rows"] == hyper["rows"] for config in configs)
    own = {"rows": hyper["rows"]} if counted and "rows" not in given else {}
    learned = dict.fromkeys(own, max(len(fold.train) for fold in cut))
    configs = [config | learned for config in configs]
    runs = sweep(recipe, configs, to_sweep, data, folds=folds, stop=STOP, time_budget=time_budget)
    best = runs.best()
    return runs, {**runs.configs[best], **own}, runs.refit(best, given=own)[0]


def _configs(hyper: dict[str, Any], given: Collection[str], search: Any, key: Any) -> list[dict[str, Any]]:
    if search is None:
        return [hyper]
    if isinstance(search, Mapping):
        check_known("search", search, hyper)
        space = {name: [value] for name, value in hyper.items() if name not in search}
        return grid(space | {name: _values(values) for name, values in search.items()})
    if isinstance(search, int | np.integer) and not isinstance(search, bool):
        return _drawn(hyper, given, int(search), key)
    if isinstance(search, Sequence) and all(isinstance(config, Mapping) for config in search):
        return [hyper | dict(config) for config in search]
    raise RecipeError(
        f"search: found {search!r}, needs a dict of lists, a list of dicts, or how many of them to draw"
    )


def _values(values: Any) -> Any:
    return list(values) if isinstance(values, tuple | np.ndarray) else values


def _drawn(hyper: dict[str, Any], given: Collection[str], count: int, key: Any) -> list[dict[str, Any]]:
    """Give the defaults, and others around them."""
    if count < 2:
        raise RecipeError(f"search: found {count}, needs at least 2 configurations")
    space = around(hyper, given)
    if not space:
        known = ", ".join(name for name in hyper if name not in given) or "no hyper-parameter"
        raise RecipeError(
            f"search: found {count}, but what to try of {known} is not known; "
            "needs a dict of lists or a list of dicts"
        )
    seed = int(jax.random.bits(key, dtype=np.uint32))
    return [hyper, *(hyper | config for config in random(space, count - 1, seed))]
