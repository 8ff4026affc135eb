"""Cross-validation and tuning: a sweep, and the best configuration again on all rows."""

from typing import Any

import jax
import numpy as np

from jdl.estimators.recipes import check_known
from jdl.sweeps import Runs, around, random, splits, sweep
from jdl.train.recipe import RecipeError, Run

STOP = 0.1  # of a fold's training rows, that choose the epoch


def tuned(
    recipe: Any, hyper: dict[str, Any], key: Any, rows: Any, cv: Any, search: Any, time_budget: float | None
) -> tuple[Runs, dict[str, Any], Run]:
    """Give the sweep over ``search`` (or of the one configuration), the best one, and its refit.

    ``search`` holds the hyper-parameters to be tried, as ``jdl.sweep`` takes them, or says how many
    configurations to draw around the defaults; those it does not name are as they would be without it.
    """
    data = {"x": rows.x, "y": rows.y} | ({} if rows.weight is None else {"weight": rows.weight})
    to_cut, to_draw, to_sweep = jax.random.split(key, 3)
    cut = splits(data, cv, STOP, to_cut)
    folds = [(np.concatenate([fold.train, fold.stop]), fold.held) for fold in cut]
    learned = {"rows": max(len(fold.train) for fold in cut)} if "rows" in hyper else {}
    space = _space(hyper | learned, search, to_draw)
    runs = sweep(recipe, space, to_sweep, data, folds=folds, stop=STOP, time_budget=time_budget)
    best, all_rows = runs.best(), {name: hyper[name] for name in learned}
    return runs, {**runs.configs[best], **all_rows}, runs.refit(best, given=all_rows)[0]


def _space(hyper: dict[str, Any], search: Any, key: Any) -> Any:
    if search is None:
        return [hyper]
    if isinstance(search, dict):
        check_known("search", search, hyper)
        return {name: [value] for name, value in hyper.items() if name not in search} | {
            name: list(values) if isinstance(values, tuple | np.ndarray) else values
            for name, values in search.items()
        }
    if isinstance(search, int):
        return _drawn(hyper, search, key)
    return [hyper | dict(config) for config in search]


def _drawn(hyper: dict[str, Any], count: int, key: Any) -> list[dict[str, Any]]:
    """Give the defaults, and others around them."""
    if count < 2:
        raise RecipeError(f"search: found {count!r}, needs at least 2 configurations")
    space = around(hyper)
    if not space:
        known = ", ".join(hyper) or "no hyper-parameter"
        raise RecipeError(
            f"search: found {count!r}, but what to try of {known} is not known; "
            "needs a dict of lists or a list of dicts"
        )
    seed = int(jax.random.bits(key, dtype=np.uint32))
    return [hyper, *(hyper | config for config in random(space, count - 1, seed))]
