"""Successive halving and nested cross-validation: what goes on, what is chosen, and by which rows."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jdl
from jdl.sweeps import engine, halving, nested
from jdl.sweeps.halving import rungs
from jdl.sweeps.journal import Journal
from jdl.train import RecipeError
from tests.sweeps.tiny import CONFIGS, FOLDS, KEY, STOP, recipe, table
from tests.train.tiny import assert_close, assert_same_bits

FIXED = {"folds": FOLDS, "stop": STOP, "devices": 2, "schedule": "map"}


@given(st.integers(1, 300), st.integers(1, 2000), st.integers(2, 5))
def test_rungs_rise_to_the_last_epoch(epochs, configs, eta):
    found = rungs(epochs, configs, eta)
    assert found[-1] == epochs and found == sorted(set(found)) and found[0] >= 1
    assert eta ** (len(found) - 1) <= configs  # one is left at the end
    trained = [configs // eta**i * (b - a) for i, (a, b) in enumerate(zip([0, *found], found, strict=False))]
    assert epochs < 27 or configs < eta**2 or eta < 3 or sum(trained) <= 0.35 * configs * epochs


def test_survivors_are_the_runs_of_the_whole_sweep():
    climbed = []
    found = halving(recipe, CONFIGS, KEY, table(), **FIXED, eta=3, report=climbed.append)
    whole = jdl.sweep(recipe, CONFIGS, KEY, table(), **FIXED)
    assert [rung.epochs for rung in climbed] == [1, 3] and len(climbed[0].configs) == 3
    survivor = climbed[1].configs[0]
    by_first_epoch = np.zeros(3)
    for number, trained in whole.results.items():
        by_first_epoch[whole.members[number, 0]] += trained.run.history["valid_loss"][0]
    assert survivor == by_first_epoch.argmin() == climbed[0].configs[0]
    assert [found.epochs(config) for config in range(3)] == [3 if c == survivor else 1 for c in range(3)]
    for number, trained in found.of(survivor).items():
        assert_close(trained, whole.results[number])
    assert found.table()["members"].to_list() == [4, 4, 4]


def test_rungs_are_compared_by_rows_that_are_not_held_out():
    data, orders = table(), []
    fold = jdl.sweeps.splits(data, FOLDS, STOP, KEY)[0]
    spoilt = table()
    spoilt["y"][fold.held] = 1 - spoilt["y"][fold.held]
    pairs = [(np.concatenate([fold.train, fold.stop]), fold.held)]
    for rows in (data, spoilt):
        halving(
            recipe,
            CONFIGS,
            KEY,
            rows,
            **FIXED | {"folds": pairs},
            report=lambda rung: orders.append(rung.scores),
        )
    assert orders[:2] == orders[2:]


def test_a_killed_race_goes_on_from_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "CALL", 1e-9)  # a round in each call
    whole, rounds, write = halving(recipe, CONFIGS, KEY, table(), **FIXED), [], Journal.write

    def killed(journal, stage, numbers, found):
        write(journal, stage, numbers, found)
        rounds.append(stage)
        if len(rounds) == 7:  # in the second rung
            raise SystemExit

    monkeypatch.setattr(Journal, "write", killed)
    with pytest.raises(SystemExit):
        halving(recipe, CONFIGS, KEY, table(), **FIXED, folder=tmp_path / "race")
    found = halving(recipe, CONFIGS, KEY, table(), **FIXED, folder=tmp_path / "race")
    assert rounds == ["epoch-00001"] * 6 + ["epoch-00003"] * 2
    assert found.table().equals(whole.table())
    for number, expected in whole.results.items():
        assert_same_bits(found.results[number], expected)
    with pytest.raises(RecipeError, match="is of another sweep: eta, rungs differ"):
        halving(recipe, CONFIGS, KEY, table(), **FIXED, eta=2, folder=tmp_path / "race")


def test_no_time_is_no_rung():
    found = halving(recipe, CONFIGS, KEY, table(), **FIXED, time_budget=0.0)
    assert not found.results and "time budget" in found.facts.ended


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"stop": 0}, "stop: found 0"), ({"eta": 1}, "eta: found 1"), ({"eta": 2.5}, "eta")],
)
def test_bad_input_is_named(changed, words):
    with pytest.raises(RecipeError, match=words):
        halving(recipe, CONFIGS, KEY, table(), **FIXED | changed)


def test_nested_choices_never_see_the_rows_they_are_scored_on():
    data = table()
    found = nested(recipe, CONFIGS, KEY, data, **FIXED | {"folds": 2}, inner=2)
    assert len(found.chosen) == 2 and found.scores("accuracy").shape == (2,)
    for fold, outer in enumerate(found.outer.folds):
        for inner in found.inner.folds[2 * fold : 2 * fold + 2]:
            assert not np.intersect1d(np.concatenate(list(inner)), outer.held).size
            assert np.isin(np.concatenate(list(inner)), np.concatenate([outer.train, outer.stop])).all()
    inner = found.inner.scores().mean(2).reshape(3, 2, 2).mean(2)
    assert found.chosen == tuple(inner.argmin(0))
    mean, error = found.mean("accuracy")
    scores = found.scores("accuracy")
    assert mean == pytest.approx(scores.mean()) and error == pytest.approx(abs(scores[0] - scores[1]) / 2)
    assert not np.array_equal(jax.random.key_data(found.inner.key), jax.random.key_data(found.outer.key))
