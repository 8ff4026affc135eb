"""A sweep: what its members are equal to, what they must not see, and how it ends."""

import os
import signal

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import jdl
from jdl.sweeps import engine, program, schedule
from jdl.sweeps.groups import grouped
from jdl.sweeps.splits import splits
from jdl.sweeps.watch import Watch
from jdl.train import RecipeError
from tests.quick import optimised
from tests.sweeps.tiny import CONFIGS, FOLDS, KEY, STOP, recipe, table
from tests.train.tiny import assert_close, assert_same_bits

FIXED = {"folds": FOLDS, "stop": STOP, "devices": 2}


def swept(data=None, configs=CONFIGS, **others):
    return jdl.sweep(recipe, configs, KEY, table() if data is None else data, **FIXED | others)


@pytest.fixture(scope="module")
def runs():
    return swept(schedule="map")


def study(members):
    return engine.Study(
        recipe, CONFIGS, np.asarray(members, np.int32), splits(table(), FOLDS, STOP, KEY), KEY, table()
    )


def trained(members, **plan):
    done = engine.train(study(members), schedule.checked(**plan), Watch(None), None, lambda *_: None)
    return [done.results[number] for number in range(len(members))]


def test_a_member_is_fit_of_its_rows(runs):
    data, fold = table(), runs.folds[2]
    rows, stop, held = ({name: values[part] for name, values in data.items()} for part in fold)
    key = program.member_key(KEY, (1, 2, 0))
    expected = jdl.run(recipe, CONFIGS[1], key, rows, stop)
    found = next(runs.results[i] for i, member in enumerate(runs.members) if tuple(member) == (1, 2, 0))
    assert_close(found.run.params, expected.params)
    assert_close(found.run.history, expected.history)
    net = recipe(CONFIGS[1]).network
    features = jax.vmap(lambda row: recipe(CONFIGS[1]).prepare.apply(expected.stats, row))(held["x"])
    outputs = jax.vmap(lambda row: net.apply(expected.params, expected.state, row)[0])(features)
    assert_close(found.outputs, np.asarray(outputs))
    accuracy = np.mean(np.argmax(outputs, 1) == held["y"])
    assert_allclose(found.scores["accuracy"], accuracy, rtol=1e-6)


@pytest.mark.slow
def test_one_at_a_time_no_bit_depends_on_what_else_is_trained(runs):
    numbers = [9, 2, 7]  # in another order, another number, on one device
    with optimised():
        alone = trained([runs.members[9]], schedule="map", devices=1, memory_limit=None)
        some = trained(runs.members[numbers], schedule="map", devices=1, memory_limit=None)
    assert_same_bits(some[0], alone[0])
    for number, found in zip(numbers, some, strict=True):  # on another number of devices
        assert_close(found.run.history, runs.results[number].run.history)


def test_several_at_once_are_the_same_to_rounding(runs):
    together = swept(schedule=3)
    for number, expected in runs.results.items():
        found = together.results[number]
        assert_allclose(found.run.history["loss"], expected.run.history["loss"], rtol=1e-5)
        assert_allclose(found.outputs, expected.outputs, rtol=1e-3, atol=1e-4)


def test_nothing_of_the_rows_held_out_reaches_a_fold(runs):
    data, held = table(), runs.folds[0].held
    data["x"][held] = np.nan
    data["y"][held] = 1 - data["y"][held]
    members = [member for member in runs.members if member[1] == 0]
    cut = study(members)
    other = cut._replace(data=data)
    plan = schedule.checked("map", 2, None)
    found = engine.train(other, plan, Watch(None), None, lambda *_: None).results
    for number, member in enumerate(members):
        expected = runs.results[int(np.flatnonzero((runs.members == member).all(1))[0])]
        assert_same_bits(found[number].run, expected.run)


def test_traced_hyper_parameters_share_a_program_and_fixed_ones_do_not(monkeypatch):
    compiled = []
    compile_ = program._compile
    monkeypatch.setattr(program, "_programs", type(program._programs)())
    monkeypatch.setattr(program, "_compile", lambda *given: compiled.append(given) or compile_(*given))
    found = swept(configs=[{"rate": rate} for rate in np.geomspace(1e-3, 1e-1, 13)], folds=2)
    assert len(compiled) == found.facts.programs == 1
    again = swept(configs=[{"rate": 0.5}] * 13, folds=2)
    assert len(compiled) == 1 and again.facts.programs == 1
    groups = grouped(
        [{"width": 3, "rate": 0.1}, {"width": 4, "rate": 0.1}, {"width": 3, "rate": 0.2}],
        found.members[:6],
        found.folds,
    )
    assert [len(group.numbers) for group in groups] == [4, 2]


def test_a_member_that_fails_scores_nan_and_harms_no_other(runs):
    mixed = swept(configs=[CONFIGS[0], {"rate": np.inf}, CONFIGS[2]], schedule="map")
    assert np.isnan(mixed.scores()[1]).all()
    assert_allclose(mixed.scores()[[0, 2]], runs.scores()[[0, 2]], rtol=1e-6)
    assert mixed.best() in (0, 2) and mixed.table()["config"][2] == 1


def test_out_of_fold_predictions_are_of_rows_not_seen(runs):
    found = runs.out_of_fold(1)
    assert found.shape == (40, 2)
    assert_allclose(found.sum(1), 1, rtol=1e-5)
    for number, trained in runs.of(1).items():
        held = runs.folds[runs.members[number, 1]].held
        assert_allclose(found[held], jax.nn.softmax(trained.outputs, -1), rtol=1e-5)
    hit = found.argmax(1) == table()["y"]
    assert_allclose(hit.mean(), runs.mean("accuracy")[0][1], rtol=1e-5)  # folds of one size


def test_the_table_has_the_best_first(runs):
    frame = runs.table()
    mean, error = runs.mean()
    assert frame["config"][0] == runs.best() == int(mean.argmin())
    assert_allclose(frame["loss"], np.sort(mean))
    by_fold = runs.scores()[runs.best(), :, 0]
    assert_allclose(frame["loss_se"][0], by_fold.std(ddof=1) / 2, rtol=1e-6)
    assert frame["members"].to_list() == [4, 4, 4] and "12 of 12 members" in repr(runs)
    assert runs._repr_html_().startswith("<p>3 configurations × 4 folds × 1 seeds: 12 of 12 members")
    assert runs._repr_html_().count("<tr>") >= len(frame)


def test_refit_trains_on_all_rows_for_the_median_best_epoch(runs):
    (run,) = runs.refit(1)
    epochs = runs.median_epoch(1)
    best = [int(t.run.history["best_epoch"]) + 1 for t in runs.of(1).values()]
    assert epochs == int(np.median(best))
    assert int((~np.isnan(run.history["loss"])).sum()) == epochs
    x = table()["x"]
    assert_allclose(
        run.stats.mean if hasattr(run.stats, "mean") else jax.tree.leaves(run.stats)[0], x.mean(0), rtol=1e-4
    )


def test_a_signal_ends_a_sweep_after_the_call_in_hand(monkeypatch):
    monkeypatch.setattr(engine, "CALL", 1e-9)  # a round in each call
    before = signal.getsignal(signal.SIGTERM)
    report = lambda done, members, best: os.kill(os.getpid(), signal.SIGTERM) if done == 4 else None
    found = swept(schedule="map", report=report)
    assert len(found.results) == 4 and found.facts.ended == "interrupted"
    assert signal.getsignal(signal.SIGTERM) is before
    assert np.isfinite(found.scores()[0]).all() and np.isnan(found.scores()[1:]).all()
    with pytest.raises(RecipeError, match="configuration 1: 4 of its 4 members are not trained"):
        found.of(1)


@pytest.mark.parametrize("together", [True, False])
def test_heavy_steps_take_the_cores_as_a_trial_says(monkeypatch, runs, together):
    monkeypatch.setattr(schedule, "STEP", 0.0)
    monkeypatch.setattr(schedule, "SWEEP", 0.0)
    taken, pace = {}, schedule.pace

    def judged(program, members, shared):
        taken[program.layout.devices] = pace(program, members, shared)
        return 1.0 if (program.layout.devices == 1) == together else 2.0

    monkeypatch.setattr(schedule, "pace", judged)
    found = swept(devices=None)
    assert sorted(taken) == [1, len(jax.local_devices())] and min(taken.values()) > 0
    (reason,) = found.facts.schedule
    assert ("on all cores: an epoch" in reason) == together
    for number, expected in runs.results.items():
        assert_close(found.results[number].outputs, expected.outputs)


def test_no_member_is_begun_after_the_time_is_up():
    found = swept(time_budget=0.0)
    assert not found.results and "time budget of 0.0 s" in found.facts.ended
    with pytest.raises(RecipeError, match="give it more time"):
        found.best()


def test_a_killed_sweep_goes_on_from_its_folder(tmp_path, monkeypatch, runs):
    monkeypatch.setattr(engine, "CALL", 1e-9)
    folder = tmp_path / "sweep"

    def killed(done, members, best):
        if done == 6:
            raise SystemExit

    with pytest.raises(SystemExit):
        swept(schedule="map", folder=folder, report=killed)
    (folder / "members-0000099.npz.part").write_bytes(b"half a file")
    trained = []
    found = swept(schedule="map", folder=folder, report=lambda done, members, best: trained.append(done))
    assert trained == [8, 10, 12]
    for number, expected in runs.results.items():
        assert_same_bits(found.results[number], expected)
    assert found.table().equals(runs.table())
    with pytest.raises(RecipeError, match="is of another sweep: data differ"):
        swept(table(seed=1), schedule="map", folder=folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(RecipeError, match="holds other files"):
        swept(folder=tmp_path / "other")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"space": []}, "space: found"),
        ({"space": [3]}, "configuration 0 is a int"),
        ({"space": [{"rate": [1, 2]}]}, "configuration 0: hyper"),
        ({"space": {"rate": []}}, "has no values"),
        ({"schedule": "fast"}, "schedule: found 'fast'"),
        ({"devices": 99}, "devices: found 99"),
        ({"seeds": 0}, "seeds: found 0"),
        ({"memory_limit": 1, "devices": 1}, "memory_limit: one member needs"),
        ({"key": 0}, "needs a JAX key"),
        ({"data": {"x": np.zeros((4, 3))}}, "needs 'x' and 'y'"),
        ({"data": table() | {"group": np.zeros(3)}}, "data/group: has shape"),
        ({"recipe": recipe(CONFIGS[0])}, "found a Recipe"),
    ],
)
def test_bad_input_is_named(changed, words):
    given = {"recipe": recipe, "space": [{"rate": 0.1}], "key": KEY, "data": table(), **FIXED} | changed
    with pytest.raises(RecipeError, match=words):
        jdl.sweep(**given)


@given(st.integers(1, 10_000), st.integers(1, 5_000))
def test_rounds_are_as_few_as_they_can_be_and_nearly_full(members, most):
    width = schedule.evenly(members, most)
    rounds = -(-members // width)
    assert width <= most
    assert rounds == -(-members // most)
    assert rounds * width - members < rounds  # no round has more than one place to spare


def test_an_accelerator_takes_many_members_at_once(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert schedule._width(schedule.Plan(), 4100)[0] == 2050
    assert schedule._width(schedule.Plan(), 10)[0] == 10
    assert schedule._width(schedule.Plan("map"), 4100)[0] == 1
