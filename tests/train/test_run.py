"""The front for one model: one compilation, the results of ``fit``, and clear errors before it starts."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jdl
from jdl import losses, metrics, nn, optim, train
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


def counted():
    """A recipe function, and how often its loss has been traced: once in every pass over a batch."""
    count = Counter()

    def loss(outputs, target):
        count["loss"] += 1
        return losses.squared_error(outputs, target)

    def recipe(hyper):
        net = nn.chain(nn.dense(hyper.get("width", 1)), nn.dense(1))
        return regressor(hyper, network=net, loss=loss)

    return recipe, count


def test_one_trace_a_program_and_one_program_a_shape():
    recipe, count = counted()
    data = line(20)
    slow = jdl.run(recipe, {"learning_rate": 0.01}, KEY, data)
    assert count["loss"] == 1
    fast = jdl.run(recipe, {"learning_rate": 0.1}, jax.random.key(1), line(20, seed=1))
    for same in (np.float32(0.1), jnp.float32(0.1), np.array(0.1, np.float32)):
        again = jdl.run(recipe, {"learning_rate": same}, jax.random.key(1), line(20, seed=1))
        assert_same_bits(again, fast)
    assert count["loss"] == 1
    assert fast.history["loss"][-1] != slow.history["loss"][-1]
    for another in ({"width": 2}, {"width": 3, "learning_rate": 0.1}):
        before = count["loss"]
        jdl.run(recipe, {"learning_rate": 0.1} | another, KEY, data)
        assert count["loss"] == before + 1
    before = count["loss"]
    jdl.run(recipe, {"learning_rate": 0.1}, KEY, data, line(6))
    assert count["loss"] == before + 2  # training and validation
    recipe, count = counted()
    jdl.run(recipe, {"learning_rate": 0.1}, KEY, line(21))
    assert count["loss"] == 1


def test_a_run_is_a_fit():
    data, valid = table(50), table(20, seed=1)
    data["weight"] = np.linspace(0, 1, 50).astype(np.float32)
    run = jdl.run(classifier, {"learning_rate": 0.05}, KEY, data, valid)
    assert_same_bits(run, compiled_fit(classifier({"learning_rate": 0.05}))(KEY, data, valid))


def test_every_epoch_is_reported_until_training_stops():
    told = []
    data = line(16)
    valid = {"x": data["x"], "y": 0.3 * data["y"]}

    def recipe(hyper):
        parts = metrics.Metric(
            "parts",
            lambda: jnp.zeros(2),
            lambda stat, outputs, target, weight: stat + weight.sum(),
            jnp.add,
            lambda stat: stat,
            greater=True,
        )
        return regressor(hyper, epochs=12, patience=2, metrics={"parts": parts})

    hyper = {"learning_rate": 0.05}
    reported = jdl.run(recipe, hyper, KEY, data, valid, report=lambda epoch, row: told.append((epoch, row)))
    assert_close(reported, jdl.run(recipe, hyper, KEY, data, valid), 1e-6)
    trained = int(reported.history["best_epoch"]) + 3
    assert trained < 12
    assert [epoch for epoch, _ in told] == list(range(trained))
    for epoch, row in told:
        assert set(row) == {"loss", "parts", "valid_loss", "valid_parts"}
        assert row["loss"] == float(reported.history["loss"][epoch])
        assert row["parts"] == [16.0, 16.0]


def test_a_program_tells_its_compile_time_and_place():
    program = train.compiled(plain, {}, KEY, table(20))
    assert program.compile_seconds > 0
    assert "too few to share" in program.placement.reason
    assert train.compiled(plain, {}, KEY, table(20, seed=3)) is program
    assert train.compiled(plain, {}, KEY, table(20), reported=True) is not program


def test_the_callers_arrays_survive():
    """Also those that a recipe hands through, as a run's own arrays are donated from epoch to epoch."""
    give = {"weights": jnp.array([1.0, 2.0, 3.0]), "start": jnp.ones((4, 3)), "rate": jnp.float32(0.1)}
    data = jax.tree.map(jnp.asarray, table(16))
    key = jax.random.key(3)

    def recipe(hyper):
        prepare = jdl.features.Prepare(lambda key, rows, target, weight: rows, lambda stats, row, **_: row)
        start = lambda params, state, key, rows, weight: (params | {"w": hyper["start"]}, state)  # noqa: E731
        return plain(
            {"learning_rate": hyper["rate"]}, prepare=prepare, start=start, class_weight=hyper["weights"]
        )

    before = jax.tree.map(np.array, (give, data)), np.array(jax.random.key_data(key))
    for _ in range(2):
        ran = jdl.run(recipe, give, key, data, data)
        looped = jdl.loop(recipe(give), key, data, data)
        jdl.loop(recipe(give), key, [data], stats=give["start"])
        assert_same_bits(((give, data), jax.random.key_data(key)), before)
    assert_same_bits(ran, looped)


def test_a_fixed_hyper_parameter_must_be_hashable():
    with pytest.raises(RecipeError, match=r"hyper\['widths'\]: found a list, needs a float or an array"):
        jdl.run(regressor, {"widths": [1, 2]}, KEY, line())


def test_true_is_not_one():
    made = []
    recipe = lambda hyper: made.append(hyper["flag"]) or regressor()  # noqa: E731
    for flag in (1, True):
        jdl.run(recipe, {"flag": flag}, KEY, line(8))
    assert {type(flag) for flag in made} == {int, bool}


def spoiled(data, name, row, value):
    return data | {
        name: np.concatenate([data[name][:row], np.full_like(data[name][:1], value), data[name][row + 1 :]])
    }


FRONTS = {
    "run": lambda recipe, data, valid=None: jdl.run(lambda hyper: recipe, {}, KEY, data, valid),
    "loop": lambda recipe, data, valid=None: jdl.loop(recipe, KEY, data, valid),
}

BAD = [
    (
        spoiled(line(), "x", 3, np.nan),
        r"data/x: row 3 holds nan \(1 such rows\), needs finite numbers; clean them",
    ),
    (spoiled(line(), "y", 5, -np.inf), r"data/y: row 5 holds -inf \(1 such rows\), needs finite numbers"),
    ({"x": {"a": line()["x"] * np.inf}, "y": line()["y"]}, r"data/x/a: row 0 holds -?inf \(20 such rows\)"),
    (
        line() | {"weight": np.r_[np.ones(19), -1]},
        r"data/weight: row 19 has -1.0, needs finite weights of at least 0",
    ),
    (line() | {"weight": np.r_[np.nan, np.ones(19)]}, r"data/weight: row 0 has nan, needs finite"),
    (line() | {"weight": np.zeros(20)}, r"data/weight: is 0 in every row, needs a row that counts"),
    (line() | {"weight": np.ones(19)}, r"data: has \{'weight': 19, 'x': 20, 'y': 20\} rows"),
    ({"x": line()["x"]}, r"data: found \['x'\], needs 'x' and 'y'"),
    (line(0), r"data: has no rows, needs at least one"),
]


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(("data", "message"), BAD)
def test_rows_that_cannot_train(front, data, message):
    with pytest.raises(RecipeError, match=message):
        FRONTS[front](regressor(), data)
    with pytest.raises(RecipeError, match=message.replace("data", "valid", 1)):
        FRONTS[front](regressor(), line(), data)


@pytest.mark.parametrize("front", FRONTS)
def test_missing_values_are_for_the_preparation_and_for_rows_that_do_not_count(front):
    data = line()
    data["x"][3, 1] = data["x"][7] = np.nan
    data["y"][9] = np.inf
    data["weight"] = np.where(np.arange(20) == 9, 0.0, 1.0)
    apply = lambda stats, row, **_: jnp.nan_to_num((row - stats[0]) / stats[1])  # noqa: E731
    run = FRONTS[front](regressor(prepare=standardise()._replace(apply=apply)), data)
    assert np.isfinite(run.history["loss"]).all()


@pytest.mark.parametrize("front", FRONTS)
def test_a_monitor_that_is_never_a_number(front):
    data = table(16)
    recipe = plain(
        network=nn.dense(2),
        metrics={"auc": metrics.roc_auc()},
        monitor="auc",
        optimizer=optim.gradient_descent(0.1),
    )
    classes = {"x": data["x"], "y": data["y"] % 2}
    with pytest.raises(
        train.TrainingError, match="no epoch is the best: on validation rows 'auc' was never a finite"
    ):
        FRONTS[front](recipe, classes, {"x": data["x"], "y": np.ones(16, int)})
