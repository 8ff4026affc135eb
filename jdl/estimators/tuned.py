"""Cross-validation and tuning: a sweep, and the best configuration again on all rows."""

from typing import Any

import numpy as np

from jdl.estimators.recipes import check_known
from jdl.sweeps import Runs, sweep
from jdl.train.recipe import Run


def tuned(
    recipe: Any, hyper: dict[str, Any], key: Any, rows: Any, cv: Any, search: Any, time_budget: float | None
) -> tuple[Runs, dict[str, Any], Run]:
    """Give the sweep over ``search`` (or of the one configuration), the best one, and its refit.

    ``search`` holds the hyper-parameters to be tried, as ``jdl.sweep`` takes them; those it does not name are
    as they would be without it.
    """
    space = _space(hyper, search)
    data = {"x": rows.x, "y": rows.y} | ({} if rows.weight is None else {"weight": rows.weight})
    runs = sweep(recipe, space, key, data, folds=cv, time_budget=time_budget)
    best = runs.best()
    return runs, dict(runs.configs[best]), runs.refit(best)[0]


def _space(hyper: dict[str, Any], search: Any) -> Any:
    if search is None:
        return [hyper]
    if isinstance(search, dict):
        check_known("search", search, hyper)
        return {name: [value] for name, value in hyper.items() if name not in search} | {
            name: list(values) if isinstance(values, tuple | np.ndarray) else values
            for name, values in search.items()
        }
    return [hyper | dict(config) for config in search]
