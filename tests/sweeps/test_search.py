"""Search by Optuna's proposals: one sweep of all configurations, shared programs, an end in time."""

import sys

import jax
import numpy as np
import pytest

import jdl
from jdl.sweeps import choice, log_uniform, search, traced, uniform, when
from jdl.sweeps.search import _proposer, _tell
from jdl.train.recipe import RecipeError

KEY = jax.random.key(0)
SPACE = {
    "rate": log_uniform(1e-4, 1.0),
    "scale": when({"kind": "scaled"}, uniform(0.5, 2.0)),
    "kind": choice("plain", "scaled"),
    "cut": traced(choice(1.0, 10.0)),
}


def recipe(hyper):
    loss = lambda output, target: hyper.get("scale", 1.0) * jdl.losses.squared_error(output, target)
    return jdl.Recipe(jdl.nn.dense(1), loss, jdl.optim.sgd(hyper["rate"]), 16, 3)


def rows():
    x = np.random.default_rng(0).normal(size=(32, 1)).astype(np.float32)
    return {"x": x, "y": 2 * x}


def asked(**more):
    given = {"trials": 7, "batch": 3, "folds": 2, "seeds": 2, "stop": 0.0, "schedule": "map"}
    return search(recipe, SPACE, KEY, rows(), **given | more)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    pytest.importorskip("optuna")
    folder = tmp_path_factory.mktemp("search") / "journal"
    told = []
    runs = asked(folder=folder, report=lambda *facts: told.append(facts))
    return runs, told, folder


def test_all_configurations_are_one_sweep(found):
    runs, told, _ = found
    assert len(runs.configs) == 7 and len(runs.results) == len(runs.members) == 28 and runs.facts.ended == ""
    assert np.isfinite(runs.scores()).all() and runs.table().height == 7
    assert told[-1] == (28, 28, runs.best_score()) and sorted(told, key=lambda facts: facts[0]) == told
    assert runs.best_score() == runs.mean()[0][runs.best()]
    scores = [best for _, _, best in told]
    assert scores == sorted(scores, reverse=not runs.greater)
    for config in runs.configs:
        assert ("scale" in config) == (config["kind"] == "scaled") and config["cut"].shape == ()
        assert list(config) == [name for name in SPACE if name in config]


def test_programs_are_shared_between_batches(found):
    kinds = [config["kind"] for config in found[0].configs]
    assert set(kinds) == {"plain", "scaled"}
    assert found[0].facts.programs == 2


def test_members_are_those_of_a_sweep(found):
    runs = found[0]
    assert asked().facts.programs == 0  # all of them are kept
    swept = jdl.sweep(recipe, runs.configs, KEY, rows(), folds=2, seeds=2, stop=0.0, schedule="map")
    np.testing.assert_array_equal(swept.scores(), runs.scores())


def test_goes_on_from_its_folder(found):
    runs, _, folder = found
    told = []
    again = asked(folder=folder, report=lambda *counts: told.append(counts))
    assert not told and again.configs == runs.configs
    np.testing.assert_array_equal(again.scores(), runs.scores())


def test_later_proposals_follow_the_scores():
    pytest.importorskip("optuna")
    runs = asked(trials=32, batch=8, seeds=1)
    first, last = runs.mean()[0][:8], runs.mean()[0][-8:]
    assert np.median(last) < np.median(first)


def test_failures_are_scored_as_the_worst():
    optuna = pytest.importorskip("optuna")
    proposer = _proposer(optuna.samplers.RandomSampler(seed=0), KEY, up=True)
    first, second = ([proposer.ask() for _ in range(2)] for _ in range(2))
    _tell(proposer, first, np.array([np.nan, np.nan]))
    _tell(proposer, second, np.array([np.nan, 0.5]))
    assert [trial.value for trial in proposer.trials] == [None, None, 0.5, 0.5]
    _tell(proposer, [proposer.ask(), proposer.ask()], np.array([0.2, -np.inf]))
    assert [trial.value for trial in proposer.trials[4:]] == [0.2, 0.2]


def test_ends_in_time():
    pytest.importorskip("optuna")
    runs = asked(time_budget=1e-9)
    assert not runs.results and len(runs.configs) == 3 and "time budget of 1e-09 s" in runs.facts.ended


def test_a_sampler_of_ones_own():
    optuna = pytest.importorskip("optuna")
    runs = asked(trials=3, sampler=optuna.samplers.RandomSampler(seed=1))
    assert len(runs.results) == 12


def test_what_is_missing_or_wrong(monkeypatch):
    with pytest.raises(RecipeError, match="trials: found 0"):
        asked(trials=0)
    with pytest.raises(RecipeError, match=r"space\['rate'\]: has no values"):
        search(recipe, {"rate": []}, KEY, rows(), trials=1)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pip install 'jdl\[search\]'"):
        asked()
