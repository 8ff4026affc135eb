"""Cross-validation and tuning: a sweep, and the best configuration again on all rows."""

from typing import Any

import jax

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
    own, _ = jax.random.split(key)
    runs = sweep(recipe, space, own, data, folds=cv, time_budget=time_budget)
    best = runs.best()
    return runs, dict(runs.configs[best]), runs.refit(best)[0]


def _space(hyper: dict[str, Any], search: Any) -> Any:
    if search is None:
        return [hyper]
    if isinstance(search, dict):
        unknown = [name for name in search if name not in hyper]
        if unknown:
            raise ValueError(f"search: found {unknown[0]!r}, needs one of {', '.join(hyper)}")
        return {name: [value] for name, value in hyper.items() if name not in search} | {
            name: list(values) for name, values in search.items()
        }
    return [hyper | dict(config) for config in search]
