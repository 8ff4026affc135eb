"""Training from the host: the run of ``fit``, from memory or from any source of batches."""

import json
import threading
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jdl
from jdl import losses, metrics, nn, train
from jdl.train import checkpoint, place
from jdl.train.recipe import RecipeError
from tests.train.tiny import (
    KEY,
    assert_close,
    assert_same_bits,
    classifier,
    compiled_fit,
    line,
    plain,
    regressor,
    standardise,
    table,
)

pytestmark = pytest.mark.usefixtures("optimised")  # programs are compared bit for bit


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("jdl-")]


@pytest.mark.parametrize(("rows", "weighted"), [(50, True), pytest.param(48, False, marks=pytest.mark.slow)])
def test_the_run_of_fit_bit_for_bit(rows, weighted):
    """Padded and weighted, or neither: with batch statistics, dropout, class weights and an average."""
    data, valid = table(rows), table(23, seed=1)
    if weighted:
        data["weight"] = np.random.default_rng(1).integers(0, 3, rows)
        data["x"][data["weight"] == 0] = np.nan
    recipe = classifier(class_weight="balanced", ema=0.9, patience=2)
    looped = jdl.loop(recipe, KEY, data, valid, steps_per_dispatch=3)
    assert_same_bits(looped, compiled_fit(recipe)(KEY, data, valid))


def test_preparation_and_start_see_all_rows():
    data = line(21)
    start = lambda params, state, key, rows, weight: (params | {"b": rows[:, 0].max() * jnp.ones(1)}, state)  # noqa: E731
    recipe = regressor(prepare=standardise(), start=start)
    assert_same_bits(jdl.loop(recipe, KEY, data, data), compiled_fit(recipe)(KEY, data, data))


def test_the_number_of_steps_a_dispatch_does_not_matter():
    data = line(50)
    recipe = regressor(metrics={"mse": metrics.mse()})
    expected = jdl.loop(recipe, KEY, data, data)
    for steps in (1, 3, 7):
        assert_same_bits(jdl.loop(recipe, KEY, data, data, steps_per_dispatch=steps), expected)


def test_what_is_not_finite_stays_so_in_the_history_and_through_a_checkpoint(tmp_path):
    odd = metrics.mse()._replace(compute=lambda stat: jnp.array([jnp.inf, -jnp.inf, jnp.nan, 1.0]))
    data, recipe = line(16), regressor(metrics={"odd": odd})
    expected = compiled_fit(recipe)(KEY, data)
    for _ in range(2):
        assert_same_bits(jdl.loop(recipe, KEY, data, directory=tmp_path), expected)
    text = (tmp_path / "metrics.jsonl").read_text()
    assert '"odd": [null, null, null, 1.0]' in text


def test_one_trace_a_run_and_none_when_the_recipe_comes_again():
    count = Counter()

    def loss(outputs, target):
        count["loss"] += 1
        return losses.squared_error(outputs, target)

    recipe = regressor(loss=loss, epochs=4)
    jdl.loop(recipe, KEY, line(50), steps_per_dispatch=3)
    assert count["loss"] == 1
    jdl.loop(recipe, jax.random.key(1), line(50, seed=1), steps_per_dispatch=3)
    assert count["loss"] == 1


def batches(data, size):
    return [jax.tree.map(lambda leaf: leaf[i : i + size], data) for i in range(0, len(data["y"]), size)]  # noqa: B023


class Resumable:
    """Batches that may be taken up in the middle of an epoch."""

    def __init__(self, given):
        self.given, self.at = given, 0

    def get_state(self):
        return [self.at]

    def set_state(self, state):
        (self.at,) = state

    def __iter__(self):
        while self.at < len(self.given):
            self.at += 1
            yield self.given[self.at - 1]
        self.at = 0


def test_a_source_of_batches_equals_its_steps():
    data = line(20)
    given, recipe = batches(data, 8), regressor(epochs=2)  # of 8, 8 and 4 rows
    state = train.start(recipe, *recipe.network.init(KEY, data["x"][0]), KEY)
    run = jdl.loop(recipe, KEY, given, data, steps_per_dispatch=2)
    begun = jdl.loop(regressor(epochs=2, optimizer=jdl.optim.gradient_descent(0.0)), KEY, given)
    state = state._replace(params=jax.tree.map(jnp.array, begun.params))
    step = jax.jit(lambda state, batch: train.step(recipe, state, batch)[0])
    for batch in given * 2:
        state = step(state, batch)
    assert_close(run.params, state.params, 1e-6)
    for source in (Resumable(given), iter(given * 1)):
        if isinstance(source, Resumable):
            assert_same_bits(jdl.loop(recipe, KEY, source, data, steps_per_dispatch=2), run)
            assert source.at == 0
        else:
            once = regressor(epochs=1)
            generated = jdl.loop(once, KEY, (batch for batch in given))
            assert_same_bits(generated, jdl.loop(once, KEY, source))
    assert threads() == []


def test_a_short_first_batch_and_a_recipe_spread_over_devices(monkeypatch):
    data = line(20)
    given = batches(data, 8)[::-1]
    recipe = regressor(epochs=2)
    alone = jdl.loop(recipe, KEY, given)
    monkeypatch.setattr(place, "choose", lambda *_: place.on_all(""))
    assert_close(jdl.loop(recipe, KEY, given), alone)


class Broken(Exception):
    pass


def test_an_error_in_the_source_is_raised_with_its_own_type():
    class Source:
        def __iter__(self):
            yield from batches(line(16), 8)
            raise Broken("shard 3")

    with pytest.raises(Broken, match="shard 3"):
        jdl.loop(regressor(), KEY, Source())
    assert threads() == []


@pytest.mark.parametrize(
    ("recipe", "given", "options", "message"),
    [
        (regressor(), [], {}, "batches: is empty, needs at least one batch"),
        (regressor(), batches(line(9), 9), {}, "batch: has 9 rows, needs at most Recipe.batch_size = 8"),
        (
            regressor(),
            iter(batches(line(8), 8)),
            {},
            "batches: pass 2 gave none; needs an iterable that starts anew",
        ),
        (
            regressor(accumulate=3),
            batches(line(6), 6),
            {},
            "Recipe.accumulate: a batch of 8 rows cannot be cut into 3",
        ),
        (
            regressor(prepare=standardise()),
            batches(line(8), 8),
            {},
            "Recipe.prepare needs all rows .* give loop its stats",
        ),
        (plain(class_weight="balanced"), batches(table(8), 8), {}, "class_weight='balanced' needs all rows"),
        (
            regressor(),
            line(),
            {"steps_per_dispatch": 0},
            "steps_per_dispatch: found 0, needs an integer of at least 1",
        ),
        (regressor(), line(), {"checkpoint_every": 0}, "checkpoint_every: found 0, needs an integer"),
    ],
)
def test_what_cannot_train(recipe, given, options, message):
    with pytest.raises(RecipeError, match=message):
        jdl.loop(recipe, KEY, given, **options)
    assert threads() == []


def test_an_epoch_without_a_batch():
    class Once:
        passes = 0

        def __iter__(self):
            self.passes += 1
            return iter(batches(line(8), 8) if self.passes < 4 else [])

    with pytest.raises(RecipeError, match="batches: pass 3 gave none"):
        jdl.loop(regressor(), KEY, Once())


def test_stats_prepare_batches():
    data = line(16)
    recipe = regressor(prepare=standardise(), epochs=1)
    stats = recipe.prepare.fit(None, data["x"], None, None)
    run = jdl.loop(recipe, KEY, batches(data, 8), data, stats=stats)
    assert_same_bits(run.stats, stats)
    ready = {"x": (data["x"] - stats[0]) / stats[1], "y": data["y"]}
    assert_close(run.params, jdl.loop(regressor(epochs=1), KEY, batches(ready, 8), ready).params)


def test_what_is_told_and_written(tmp_path):
    data, told = line(40), []
    recipe = regressor(epochs=2, metrics={"mse": metrics.mse()})
    watch = lambda step, row: told.append({"step": step} | row)  # noqa: E731
    run = jdl.loop(recipe, KEY, data, data, directory=tmp_path, steps_per_dispatch=2, callbacks=(watch,))
    lines = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == told
    assert [(row["step"], row["epoch"]) for row in lines] == [
        *((2, 0), (4, 0), (5, 0), (5, 1)),
        *((7, 1), (9, 1), (10, 1), (10, 2)),
    ]
    dispatches, ends = ([row for row in lines if ("skipped" in row) == one] for one in (True, False))
    for row in dispatches:
        assert set(row) == {"step", "epoch", "loss", "mse", "skipped"}
        np.testing.assert_allclose(row["loss"], row["mse"], rtol=1e-6)
    for epoch, row in enumerate(ends):
        for name in ("loss", "mse", "valid_loss", "valid_mse"):
            assert row[name] == float(run.history[name][epoch])
        parts = [part for part in dispatches if part["epoch"] == epoch]
        steps = np.diff([5 * epoch, *(part["step"] for part in parts)])
        np.testing.assert_allclose(
            np.average([part["loss"] for part in parts], weights=steps), row["loss"], rtol=1e-5
        )
    assert threads() == []


def test_a_callback_may_stop_the_run_and_change_nothing():
    def stop(step, row):
        row.clear()
        if step >= 4:
            raise Broken

    with pytest.raises(Broken):
        jdl.loop(regressor(), KEY, line(40), steps_per_dispatch=2, callbacks=(stop, stop))
    assert threads() == []


def test_patience_stops_the_loop_as_it_stops_fit(tmp_path):
    data = line(16)
    valid = {"x": data["x"], "y": 0.3 * data["y"]}
    recipe = regressor({"learning_rate": 0.05}, epochs=12, patience=2)
    steps = []
    run = jdl.loop(
        recipe, KEY, data, valid, directory=tmp_path, callbacks=(lambda step, row: steps.append(step),)
    )
    assert_same_bits(run, compiled_fit(recipe)(KEY, data, valid))
    trained = int(run.history["best_epoch"]) + 3
    assert trained < 12 and max(steps) == 2 * trained
    assert checkpoint.best(tmp_path / "checkpoints") == 2 * (trained - 2)
    assert_same_bits(
        jdl.loop(recipe, KEY, data, valid, directory=tmp_path), run
    )  # finished: nothing is added
    assert max(steps) == 2 * trained


def test_the_best_checkpoint_is_that_of_the_monitor(tmp_path):
    data, valid = table(48), table(40, seed=1)
    recipe = plain(monitor="accuracy", metrics={"accuracy": metrics.accuracy()}, epochs=6, patience=None)
    run = jdl.loop(recipe, KEY, data, valid, directory=tmp_path, keep=2)
    best = 3 * (int(run.history["best_epoch"]) + 1)
    assert checkpoint.best(tmp_path / "checkpoints") == best
    assert checkpoint.steps(tmp_path / "checkpoints") == sorted({best, 15, 18})


def test_inputs_may_be_any_tree():
    @nn.layer(head=nn.dense(1))
    def net(my, x):
        return my.head(jnp.concatenate([x["a"], x["b"][0]]))

    data = line(16)
    nested = {"x": {"a": data["x"], "b": [data["x"]]}, "y": data["y"]}
    recipe = regressor(network=net)
    assert_same_bits(jdl.loop(recipe, KEY, nested), compiled_fit(recipe)(KEY, nested))
