"""Configurations proposed by what those before them scored, a batch at a time."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from jdl.sweeps import engine
from jdl.sweeps import schedule as schedules
from jdl.sweeps.distributions import Axis, Range
from jdl.sweeps.program import cached
from jdl.sweeps.runs import Facts, Runs
from jdl.sweeps.space import Config, axes, holds, in_order, made, random, varies
from jdl.sweeps.splits import splits
from jdl.sweeps.sweep import Report, carried_out, checked_rows, product
from jdl.sweeps.watch import watching
from jdl.train.fit import greater
from jdl.train.recipe import Recipe, check_count, check_key


def search(
    recipe: Callable[[dict], Recipe],
    space: Mapping[str, Any],
    key: Any,
    data: Mapping[str, Any],
    *,
    trials: int,
    batch: int = 8,
    sampler: Any = None,
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
    """Sweep batch after batch of configurations, each proposed by Optuna from the scores of those before it.

    All batches share the folds and the programs: one of the same fixed hyper-parameters is compiled once. A
    configuration that is proposed twice is trained twice, with other random numbers. The best one's held-out
    score is too good by having been chosen: score it on rows that the search did not see.

    Args:
        recipe: ``recipe(hyper) -> Recipe``, as of ``jdl.sweep``.
        space: a dict of ``uniform``, ``log_uniform``, ``integer``, ``choice`` or a list, each perhaps
            ``traced`` or under a condition (``when``), and constants.
        key: a JAX key, from which the sampler's seed comes, too.
        data: rows, as of ``jdl.sweep``.
        trials: configurations in all.
        batch: configurations that are proposed and trained together.
        sampler: one of Optuna's, else its tree-structured Parzen estimator, which takes configurations of the
            batch without a score to be bad, so that they lie apart (a "constant liar").
        time_budget: seconds after which no member is begun; what is trained by then is returned.
        folder: where to keep what is trained, so that the same call goes on after it was killed.
        report: ``report(trained, members, best)`` as for ``jdl.sweep``, of all batches so far.
        folds, seeds, stop, schedule, devices, memory_limit: as of ``jdl.sweep``.

    A configuration whose training fails is scored as the worst one so far.

    Raises:
        ImportError: Optuna is not installed.
        RecipeError: as ``jdl.sweep``.

    Source: Bergstra et al. 2011, https://papers.nips.cc/paper/4443; Akiba et al. 2019,
    https://doi.org/10.1145/3292500.3330701.
    """
    check_key(key)
    for name, count in (("trials", trials), ("batch", batch), ("seeds", seeds)):
        check_count(name, count)
    found = axes(space)
    example = random(space, 1)[0]
    rows = checked_rows(recipe, [example], data)
    cut = splits(data, folds, stop, key)
    each = len(cut) * seeds  # members of a configuration
    plan = schedules.checked(schedule, devices, memory_limit)._replace(room=min(batch, trials) * each)
    up = greater(recipe(example))
    proposer = _proposer(sampler, key, up)
    before = {id(program) for program in cached()}
    configs: tuple[Config, ...] = ()
    parts: list[Runs] = []
    with watching(time_budget) as watch:
        while len(configs) < trials and not (parts and (parts[-1].facts.ended or watch.left <= 0)):
            asked = [proposer.ask() for _ in range(min(batch, trials - len(configs)))]
            members = product(len(asked), len(cut), seeds) + np.array([len(configs), 0, 0], np.int32)
            configs += tuple(in_order(space, _proposed(trial, found)) for trial in asked)
            study = engine.Study(recipe, configs, members, cut, key, rows)
            left = None if time_budget is None else watch.left
            best = [part.best_score() for part in parts]
            tell = report and _counting(report, study, trials, best, np.fmax if up else np.fmin)
            parts.append(_trained(study, plan, seeds, left, folder, tell))
            _tell(proposer, asked, parts[-1].mean()[0][-len(asked) :])
    new = [program for program in cached() if id(program) not in before]
    reasons = dict.fromkeys(reason for part in parts for reason in part.facts.schedule)
    ended = parts[-1].facts.ended
    if ended != "interrupted":  # the budget that the last batch was given is not that of the search
        ended = watch.ended if ended or len(configs) < trials else ""
    seconds = sum(part.facts.compile_seconds for part in parts)
    return _merged(parts, Facts(watch.seconds, seconds, len(new), tuple(reasons), ended))


def _trained(
    study: engine.Study, plan: schedules.Plan, seeds: int, left: Any, folder: Any, report: Any
) -> Runs:
    """Train the members of one batch."""
    own = None if folder is None else Path(folder) / f"from-{study.members[0, 0]:05d}"
    return carried_out(study, plan, seeds, left, own, report)


def _counting(
    report: Report, study: engine.Study, trials: int, before: list[float], better: np.ufunc
) -> Report:
    """Make a batch's report one of the whole search, of whose batches ``before`` are the best scores."""
    first, each = int(study.members[0, 0]), int(np.sum(study.members[:, 0] == study.members[0, 0]))
    best_of = lambda best: float(better.reduce([*before, best]))
    return lambda trained, _, best: report(first * each + trained, trials * each, best_of(best))


def _merged(parts: Sequence[Runs], facts: Facts) -> Runs:
    """Join batches to one sweep of all their configurations."""
    last = parts[-1]
    each = len(last.folds) * last.seeds
    results = {
        int(part.members[0, 0]) * each + number: trained
        for part in parts
        for number, trained in part.results.items()
    }
    members = product(len(last.configs), len(last.folds), last.seeds)
    return replace(last, members=members, results=results, facts=facts)


def _proposer(sampler: Any, key: Any, up: bool) -> Any:
    """Begin a study of Optuna's, without its messages."""
    try:
        import optuna
    except ImportError:
        raise ImportError("search: needs Optuna, which is not installed: pip install 'jdl[search]'") from None
    told = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():  # older versions call the constant liar experimental
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            seed = int(jax.random.bits(key, dtype=np.uint32))
            sampler = (
                optuna.samplers.TPESampler(seed=seed, constant_liar=True) if sampler is None else sampler
            )
        return optuna.create_study(sampler=sampler, direction="maximize" if up else "minimize")
    finally:
        optuna.logging.set_verbosity(told)


def _proposed(trial: Any, found: Mapping[str, Axis]) -> Config:
    """Ask for the value of each hyper-parameter that a configuration has."""
    config: Config = {}
    for name, axis in found.items():
        if holds(axis, config):
            config[name] = made(axis, _suggested(trial, name, axis) if varies(axis) else _only(axis))
    return config


def _suggested(trial: Any, name: str, axis: Axis) -> Any:
    if isinstance(axis.of, Range):
        suggest = trial.suggest_int if axis.of.whole else trial.suggest_float
        return suggest(name, axis.of.low, axis.of.high, log=axis.of.log)
    return axis.of.options[trial.suggest_categorical(name, range(len(axis.of.options)))]


def _only(axis: Axis) -> Any:
    assert not isinstance(axis.of, Range)
    return axis.of.options[0]


def _tell(proposer: Any, asked: Sequence[Any], scores: NDArray[np.float64]) -> None:
    """Score the proposals; one that failed as the worst of all, so that none like it is made."""
    up = proposer.direction.name == "MAXIMIZE"
    known = [trial.value for trial in proposer.trials if trial.value is not None]
    known += scores[np.isfinite(scores)].tolist()
    for trial, score in zip(asked, scores, strict=True):
        if np.isfinite(score):
            proposer.tell(trial, float(score))
        elif known:
            proposer.tell(trial, min(known) if up else max(known))
        else:
            proposer.tell(trial, state=_failed())


def _failed() -> Any:
    from optuna.trial import TrialState

    return TrialState.FAIL
