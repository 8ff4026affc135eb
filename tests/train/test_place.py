"""Where a run is computed, and that it does not matter."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jdl
from jdl import losses, metrics, nn, optim
from jdl.features import Prepare
from jdl.train import place
from jdl.train.fit import begin
from jdl.train.prepared import prepare, settled
from tests.train.tiny import KEY, assert_close, classifier, line, plain, regressor, standardise, table

COLLECTIVES = ("all-gather", "all-reduce", "all-to-all", "collective-permute", "reduce-scatter")


def collectives(text):
    return [name for name in COLLECTIVES if re.search(rf"\b{name}(-start)?\(", text)]


def chosen_for(recipe, data):
    stats, data, _ = prepare(recipe, KEY, data, None)
    return place.choose(settled(recipe), begin(settled(recipe), KEY, data, False, stats), data)


def always_try(monkeypatch):
    monkeypatch.setattr(place, "STEP_WORTH_A_TRIAL", 0)
    monkeypatch.setattr(place, "RUN_WORTH_A_TRIAL", 0)


def test_there_are_four_devices():
    assert jax.local_device_count() == 4


def test_a_small_step_stays_on_one_device():
    chosen = chosen_for(plain(), table(64))
    assert (chosen.sharded, chosen.mesh.size) == (False, 1)
    assert re.fullmatch(r"a step is .e\+\d+ operations, too few to share", chosen.reason)


def test_a_short_run_stays_on_one_device(monkeypatch):
    monkeypatch.setattr(place, "STEP_WORTH_A_TRIAL", 0)
    chosen = chosen_for(plain(), table(64))
    assert not chosen.sharded
    assert re.fullmatch(r"the run is .e\+\d+ operations, too short for a trial", chosen.reason)


@pytest.mark.parametrize(("size", "accumulate"), [(18, 1), (20, 2)])
def test_a_batch_that_does_not_divide_stays_on_one_device(monkeypatch, size, accumulate):
    always_try(monkeypatch)
    chosen = chosen_for(plain(batch_size=size, accumulate=accumulate), table(64))
    assert (chosen.sharded, chosen.reason) == (
        False,
        f"a batch of {size} rows does not divide among 4 devices",
    )


@pytest.mark.parametrize(("alone", "shared", "sharded"), [(1.0, 0.9, True), (1.0, 0.95, False)])
def test_a_trial_decides(monkeypatch, alone, shared, sharded):
    asked = []

    def trial(recipe, progress, data, count):
        asked.append((len(data["y"]), count))
        return alone, shared

    always_try(monkeypatch)
    monkeypatch.setattr(place, "_trial", trial)
    chosen = chosen_for(plain(), table(500))
    assert asked == [(500, 2)]  # the most steps there are in a trial, 63, are nearly two epochs of 32
    assert (chosen.sharded, chosen.mesh.size) == (sharded, 4 if sharded else 1)
    assert chosen.reason == f"a few steps took 1000.0 ms on one device, {shared * 1e3:.1f} ms on 4"


def test_the_trial_runs_the_program(monkeypatch):
    always_try(monkeypatch)
    chosen = chosen_for(regressor(prepare=standardise()), line(30))
    assert re.fullmatch(r"a few steps took \d+\.\d ms on one device, \d+\.\d ms on 4", chosen.reason)


def test_the_work_of_a_step_is_that_of_prepared_rows():
    tile = lambda stats, row, fold=None, key=None: jnp.tile(row, 100)
    wide = Prepare(lambda *rows: None, tile, each_step=True)
    recipes, data = [regressor(prepare=p) for p in (None, wide)], line(10)
    narrow, broad = (place._work(r, begin(r, KEY, data, validated=False), data) for r in recipes)
    assert broad > 50 * narrow > 0


def spread_recipe(hyper):
    """Batch statistics, dropout, class weights, a padded last batch: all that must come together."""
    return jdl.Recipe(
        nn.chain(nn.batch_norm(), nn.dense(8), nn.relu, nn.dropout(0.3), nn.dense(2)),
        losses.cross_entropy,
        optim.sgd(hyper["learning_rate"], 0.9),
        batch_size=16,
        epochs=3,
        metrics={"accuracy": metrics.accuracy(), "auc": metrics.roc_auc()},
        class_weight="balanced",
        ema=0.9,
    )


def two_classes(rows, seed):
    data = table(rows, seed=seed)
    weight = np.random.default_rng(seed).integers(0, 3, rows).astype(np.float32)
    x = np.where(weight[:, None] > 0, data["x"], np.nan).astype(np.float32)
    return {"x": x, "y": (data["y"] > 0).astype(np.int32), "weight": weight}


def test_spread_over_four_devices_equals_one(monkeypatch):
    data, valid = two_classes(50, 0), two_classes(23, 1)
    runs = []
    for placed in (place.on_one(""), place.on_all("")):
        monkeypatch.setattr(place, "choose", lambda *_, placed=placed: placed)
        recipe = lambda hyper: spread_recipe(hyper)  # noqa: E731  (a new one compiles anew)
        runs.append(jdl.run(recipe, {"learning_rate": 0.1}, KEY, data, valid))
        if placed.sharded:
            runs.append(jdl.loop(recipe({"learning_rate": 0.1}), KEY, data, valid, steps_per_dispatch=2))
    assert_close(runs[1], runs[0])
    assert_close(runs[2], runs[0])
    assert runs[1].params["dense"]["w"].sharding.num_devices == 4


def test_spread_regression_with_accumulation_equals_one(monkeypatch):
    data, runs = line(32), []
    for placed in (place.on_one(""), place.on_all("")):
        monkeypatch.setattr(place, "choose", lambda *_, placed=placed: placed)
        recipe = lambda hyper: regressor(accumulate=2, metrics={"r2": metrics.r2()})
        runs.append(jdl.run(recipe, {}, KEY, data, line(10, seed=1)))
    assert_close(runs[1], runs[0])


def test_a_spread_step_does_collect():
    """What the next test looks for is there to be found."""
    step = place.on_all("").spread(lambda across, x: jax.lax.psum(x, across))
    assert collectives(jax.jit(step).lower(jnp.ones(4)).compile().as_text()) == ["all-reduce"]


def test_members_on_their_own_devices_need_no_collective():
    mesh = Mesh(jax.local_devices(), ("member",))
    apart, whole = NamedSharding(mesh, PartitionSpec("member")), NamedSharding(mesh, PartitionSpec())
    data, valid = table(50), table(20, seed=1)

    def fit(key, rate, data, valid):
        return jdl.fit(classifier({"rate": rate}, patience=1), key, data, valid)

    shardings = apart, apart, whole, whole
    fits = jax.jit(jax.vmap(fit, (0, 0, None, None)), in_shardings=shardings, out_shardings=apart)
    keys, rates = jax.random.split(KEY, 8), jnp.linspace(0.0, 0.5, 8)
    program = fits.lower(keys, rates, *jax.tree.map(jnp.asarray, (data, valid))).compile()
    assert collectives(program.as_text()) == []
