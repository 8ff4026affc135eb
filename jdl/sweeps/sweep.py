"""Folds × configurations × seeds, their preparation inside, as one compiled program."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jdl.sweeps import engine
from jdl.sweeps import schedule as schedules
from jdl.sweeps.groups import Config, Members
from jdl.sweeps.journal import Journal, fingerprint
from jdl.sweeps.member import Trained
from jdl.sweeps.runs import Facts, Runs
from jdl.sweeps.space import grid
from jdl.sweeps.splits import Fold, splits
from jdl.sweeps.watch import watching
from jdl.train.check import check_values
from jdl.train.recipe import Recipe, RecipeError, check_count, check_key, check_recipe

Report = Callable[[int, int, float], Any]


def sweep(
    recipe: Callable[[dict], Recipe],
    space: Sequence[Config] | Mapping[str, Any],
    key: Any,
    data: Mapping[str, Any],
    *,
    folds: Any = 5,
    seeds: int = 1,
    stop: float = 0.1,
    schedule: str | int = "auto",
    devices: int | None = None,
    memory_limit: int | None = None,
    time_budget: float | None = None,
    folder: Any = None,
    report: Report | None = None,
) -> Runs:
    """Train every configuration on every fold with every seed, and score each on the rows held out.

    A member is ``jdl.fit`` of its fold's training rows: what its recipe prepares is fitted on them alone, its
    best epoch is chosen on rows cut from them (``stop``), and the rows held out are only predicted, at the
    end. Its key is that of ``(configuration, fold, seed)``, whatever is trained beside it.

    Args:
        recipe: ``recipe(hyper) -> Recipe``. Floats and arrays in ``hyper`` are traced and share one program;
            everything else is fixed: each set of fixed values compiles its own.
        space: configurations, such as ``sweeps.random(…)`` gives, or a dict of lists: their grid.
        key: a JAX key.
        data: ``x`` (any tree of arrays), ``y``, and optionally ``weight``, ``group`` and ``time``, of one
            length.
        folds: a number, a splitter of scikit-learn, or pairs of row numbers; see ``sweeps.splits``.
        seeds: runs of each configuration on each fold.
        stop: the part of a fold's training rows that chooses the best epoch; 0 keeps the last epoch.
        schedule: ``"auto"``; or members at once on each device: ``"map"`` (1, whose results do not depend on
            what else is trained, to the last bit), ``"vmap"`` (all) or a number.
        devices: how many to use, all unless given.
        memory_limit: bytes to stay below, most of what is free unless given.
        time_budget: seconds, compiling included, after which no member is begun.
        folder: where to keep what is trained, so that the same call goes on after it was killed.
        report: ``report(trained, members, best)``, after each call of a program: how many are trained and
            how many there are, and the best mean score of a configuration that is trained on all folds, by
            the recipe's ``monitor`` (NaN before there is one).

    Ctrl-C and SIGTERM end the sweep after the call in hand; what is trained is returned.

    Raises:
        RecipeError: data of different lengths or with values that cannot be trained on; folds that share
            rows; a hyper-parameter that cannot be hashed; a member that does not fit into memory.

    >>> import jax, numpy as np, jdl
    >>> def recipe(hyper):
    ...     return jdl.Recipe(jdl.nn.dense(1), jdl.losses.squared_error, jdl.optim.sgd(hyper["rate"]), 8, 5)
    >>> x = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    >>> runs = jdl.sweep(recipe, {"rate": [0.01, 0.1]}, jax.random.key(0), {"x": x, "y": 3 * x}, folds=4)
    >>> runs.scores().shape, runs.configs[runs.best()]
    ((2, 4, 1), {'rate': 0.1})
    """
    plan = schedules.checked(schedule, devices, memory_limit)
    check_key(key)
    check_count("seeds", seeds)
    configs = configurations(space)
    rows = checked_rows(recipe, configs, data)
    cut = splits(data, folds, stop, key)
    members = product(len(configs), len(cut), seeds)
    study = engine.Study(recipe, configs, members, cut, key, rows)
    return carried_out(study, plan, seeds, time_budget, folder, report)


def carried_out(
    study: engine.Study,
    plan: schedules.Plan,
    seeds: int,
    time_budget: float | None = None,
    folder: Any = None,
    report: Report | None = None,
) -> Runs:
    """Train a study's members and give what came of it."""
    journal = None if folder is None else Journal(folder, header(study, seeds))
    told = Facts(0.0, 0.0, 0, (), "")

    def tell(results: dict[int, Trained]) -> None:
        if report is not None:
            report(len(results), len(study.members), _runs(study, seeds, results, told).best_score())

    with watching(time_budget) as watch:
        done = engine.train(study, plan, watch, journal, tell)
        ended = "" if len(done.results) == len(study.members) else watch.ended
    facts = Facts(watch.seconds, done.compile_seconds, done.programs, done.reasons, ended)
    results = {number: trimmed(study, number, found) for number, found in sorted(done.results.items())}
    return _runs(study, seeds, results, facts)


def _runs(study: engine.Study, seeds: int, results: dict[int, Trained], facts: Facts) -> Runs:
    return Runs(
        study.recipe, study.configs, study.folds, seeds, study.members, results, study.key, study.data, facts
    )


def product(configs: int, folds: int, seeds: int) -> Members:
    """Number all members, configuration by configuration."""
    return np.stack(tuple(np.indices((configs, folds, seeds))), -1).reshape(-1, 3).astype(np.int32)


def configurations(space: Any) -> tuple[Config, ...]:
    """Give the configurations of a space: those listed, or the grid of a dict of lists."""
    if isinstance(space, Mapping):
        space = grid(space)
    if isinstance(space, str) or not isinstance(space, Sequence) or not space:
        needed = "a list of configurations, such as sweeps.random(…) gives, or a dict of lists"
        raise RecipeError(f"space: found {space!r}, needs {needed}")
    for i, config in enumerate(space):
        if not isinstance(config, Mapping):
            raise RecipeError(f"space: configuration {i} is a {type(config).__name__}, needs a dict")
    return tuple(space)


def checked_rows(recipe: Callable[[dict], Recipe], configs: Sequence[Config], data: Any) -> dict[str, Any]:
    """Give the rows that members train on, or say what is wrong with them."""
    if isinstance(recipe, Recipe):
        raise RecipeError("recipe: found a Recipe, needs a function recipe(hyper) -> jdl.Recipe")
    example = recipe(dict(configs[0]))
    check_recipe(example)
    if not isinstance(data, Mapping):
        raise RecipeError(f"data: found a {type(data).__name__}, needs a dict with 'x' and 'y'")
    rows = {name: values for name, values in data.items() if name not in ("group", "time")}
    check_values(example, rows)
    for name in ("group", "time"):
        if name in data and np.shape(data[name]) != np.shape(data["y"])[:1]:
            found, needed = np.shape(data[name]), np.shape(data["y"])[:1]
            raise RecipeError(f"data/{name}: has shape {found}, needs {needed}: one value a row")
    return jax.tree.map(_host, rows)


def _host(leaf: Any) -> Any:
    leaf = np.asarray(leaf)
    return leaf.astype(jax.dtypes.canonicalize_dtype(leaf.dtype), copy=False)


def header(study: engine.Study, seeds: int) -> dict[str, Any]:
    """Say which sweep it is: the same call gives the same, another call differs."""
    configs = [{name: repr(value) for name, value in config.items()} for config in study.configs]
    return {
        "recipe": getattr(study.recipe, "__qualname__", repr(study.recipe)),
        "configs": configs,
        "seeds": seeds,
        "key": fingerprint(jax.random.key_data(study.key)),
        "data": fingerprint(study.data),
        "folds": fingerprint([list(fold) for fold in study.folds]),
        "members": len(study.members),
    }


def trimmed(study: engine.Study, number: int, found: Trained) -> Trained:
    """Cut off the padding of the rows held out."""
    held: Fold = study.folds[study.members[number, 1]]
    return (
        found
        if found.outputs is None
        else found._replace(outputs=jax.tree.map(lambda leaf: leaf[: len(held.held)], found.outputs))
    )
