"""``jdl sweep``: many configurations of a network by cross-validation, and a model of the best."""

import argparse
import math
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import jax
import numpy as np

import jdl
from jdl import models, sweeps
from jdl.cli.fit import asked
from jdl.cli.settings import overridden, parted, spaced
from jdl.cli.show import report, status
from jdl.cli.study import Facts, Study, study
from jdl.io.files import check_destination
from jdl.sweeps import Runs
from jdl.sweeps.halving import Rung
from jdl.sweeps.sweep import Report
from jdl.train import RecipeError

STOP = 0.1  # of a fold's training rows, that choose the epoch


def run(options: argparse.Namespace) -> None:
    """Sweep over the training rows, then train, score and save the best as ``jdl fit`` does."""
    tried = options.hyper
    options.hyper = {}
    job = asked(options)
    report(_stages(job, job.hyper | tried, options), as_json=options.json)


def _stages(job: Study, tried: Mapping[str, Any], options: argparse.Namespace) -> Iterator[tuple[str, Facts]]:
    models.check_network(job.network or models.DEFAULT)
    check_destination(job.out)
    if options.search == "optuna" and find_spec("optuna") is None:
        raise RecipeError("--search optuna needs the package optuna: pip install 'jdl[search]'")
    runs, default = _swept(job, tried, options)
    best = runs.best()
    yield "sweep", _facts(runs, best, default)
    chosen = {name: value for name, value in runs.configs[best].items() if name != "rows"}
    yield from study(job._replace(hyper=chosen))


def _swept(job: Study, asked_for: Mapping[str, Any], options: argparse.Namespace) -> tuple[Runs, int | None]:
    """Sweep; give also the number of the configuration that holds the defaults, where one does."""
    schema, network = job.schema, job.network or models.DEFAULT
    data = {"x": schema.encode(job.train), "y": schema.encode_target(job.train)}
    rows = round(job.train.height * (1 - 1 / options.folds) * (1 - STOP))
    hyper = models.defaults(rows, schema, network)
    fixed, ranges = parted(hyper, asked_for)
    hyper = overridden(hyper, fixed)
    tried = spaced(hyper, ranges) or dict(sweeps.around(hyper, fixed))
    if not tried:
        raise RecipeError("hyper-parameters: all are fixed; say what to try: dropout='uniform(0, 0.5)', say")
    space = {name: [value] for name, value in hyper.items()} | tried
    recipe, key = models.tabular(schema, network), jax.random.key(job.seed)
    told = _told(recipe(hyper).monitor)
    given: dict[str, Any] = {
        "folds": options.folds, "seeds": options.seeds, "stop": STOP, "time_budget": options.time_budget,
        "folder": options.folder,
    }  # fmt: skip
    if options.search == "optuna":
        with status("searching"):
            return sweeps.search(recipe, space, key, data, trials=options.configs, report=told, **given), None
    configs = (
        [hyper, *sweeps.random(space, options.configs - 1, job.seed)] if options.configs > 1 else [hyper]
    )
    if options.search == "halving":
        with status("halving"):
            return sweeps.halving(recipe, configs, key, data, report=_climbed, **given), 0
    with status("sweeping"):
        return jdl.sweep(recipe, configs, key, data, report=told, **given), 0


def _climbed(rung: Rung) -> None:
    count, best = len(rung.configs), rung.scores[0]
    print(f"{count} configurations after {rung.epochs} epochs, the best at {best:.4f}", file=sys.stderr)


def _told(monitor: str) -> Report:
    """Tell standard error how far it is: at most a line a tenth of the way, which a log can keep."""
    began, said = time.perf_counter(), [0]

    def tell(trained: int, members: int, best: float) -> None:
        if trained * 10 // members > said[0]:
            said[0] = trained * 10 // members
            left = (time.perf_counter() - began) * (members - trained) / trained
            found = "" if math.isnan(best) else f", the best {monitor} {best:.4f}"
            print(f"{trained} of {members} trained{found}, {left:.0f} s left", file=sys.stderr)

    return tell


def _facts(runs: Runs, best: int, default: int | None) -> Facts:
    varied = [
        name for name in runs.configs[0] if len({repr(config.get(name)) for config in runs.configs}) > 1
    ]
    names = ["config", *varied, *_scores(runs), "best_epoch"]
    compared = None
    if default is not None and best != default and len(runs.folds) > 1 and _sound(runs, [best, default]):
        found = sweeps.compare(runs, best, default)
        compared = {"difference": found.difference, "error": found.error, "p_value": found.p_value}
    return {
        "members": [len(runs.results), len(runs.members)],
        "folds": len(runs.folds),
        "seeds": runs.seeds,
        "seconds": round(runs.facts.seconds, 2),
        "ended": runs.facts.ended,
        "schedule": list(runs.facts.schedule),
        "monitor": runs.monitor,
        "default": default,
        "best": best,
        "against_default": compared,
        "configurations": runs.table().select(names).to_dicts(),
    }


def _sound(runs: Runs, configs: list[int]) -> bool:
    """Say whether configurations are trained on all folds, and none of them went astray."""
    return bool(np.isfinite(runs.scores()[configs]).all())


def _scores(runs: Runs) -> list[str]:
    names = ["loss", *runs.recipe(dict(runs.configs[0])).metrics]
    return [part for name in names for part in (name, f"{name}_se")]
