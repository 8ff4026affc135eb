"""What a run is given: prepared rows, trees, optimizers, and what does not fit."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jdl
from jdl import metrics, nn, train
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

fitting = sys.modules["jdl.train.fit"]  # the package holds the function by this name


def test_preparation_learns_from_training_rows_alone():
    data, fit = line(30), compiled_fit(regressor(prepare=standardise()))
    run = fit(KEY, data, line(20, seed=1))
    mean, std = run.stats
    np.testing.assert_allclose(mean, data["x"].mean(0), atol=1e-6)
    np.testing.assert_allclose(std, data["x"].std(0), rtol=1e-5)
    other = line(20, seed=2)
    other["x"] += 100
    again = fit(KEY, data, other)
    assert_same_bits(again.stats, run.stats)
    assert_same_bits(again.history["loss"], run.history["loss"])
    assert np.abs(again.history["valid_loss"] - run.history["valid_loss"]).min() > 1e-3


def test_validation_in_chunks_equals_validation_at_once(monkeypatch):
    data, valid = table(32), table(23, seed=1)
    valid["weight"] = np.linspace(0, 1, 23).astype(np.float32)
    recipe = plain(metrics={"f1": metrics.f1("macro", classes=3)})
    whole = compiled_fit(recipe)(KEY, data, valid)
    monkeypatch.setattr(fitting, "CHUNK", 5)
    assert_close(compiled_fit(recipe)(KEY, data, valid), whole)


def test_start_sees_prepared_training_rows_and_no_others():
    data, seen = line(12), {}
    data["weight"] = np.array([1.0] * 8 + [0.0] * 4, np.float32)
    data["x"][8:] = np.nan

    def start(params, state, key, rows, weight):
        seen["shape"] = rows.shape, weight.shape
        return {"w": params["w"] * 0, "b": (weight[:, None] * rows**2).sum(0)[:1]}, state

    recipe = regressor({"learning_rate": 0.0}, prepare=standardise(), start=start)
    run = compiled_fit(recipe)(KEY, data, line(5))
    assert seen == {"shape": ((12, 3), (12,))}
    np.testing.assert_allclose(run.params["b"], [8.0], rtol=1e-5)  # a standardised column's squares, summed


def test_auxiliary_losses_are_part_of_the_objective():
    @nn.layer
    def costly(my, x):
        w = my.param("w", x.shape, nn.init.ones)
        my.loss("size", 0.5 * jnp.sum(w**2))
        my.loss("row", x[0])
        return x * w

    data = line(8)
    net = nn.chain(costly, nn.dense(1))
    params, state = net.init(KEY, data["x"][0])
    weight = np.linspace(0.5, 2, 8).astype(np.float32)
    plain = regressor(network=net, epochs=1)
    value, (_, stats) = train.objective(plain)(params, state, data | {"weight": weight})
    outputs = data["x"] @ params["dense"]["w"] + params["dense"]["b"]
    each = ((outputs - data["y"]) ** 2)[:, 0] + 1.5 + data["x"][:, 0]
    np.testing.assert_allclose(value, np.average(each, weights=weight), rtol=1e-5)
    shrunk = compiled_fit(plain)(KEY, data | {"y": 0 * data["y"]}).params["costly"]["w"]
    assert (shrunk < 1).all()


def test_inputs_may_be_any_tree():
    data = table(20)
    nested = {"x": {"numbers": data["x"], "pair": (data["x"], data["y"])}, "y": data["y"]}

    @nn.layer(head=nn.dense(3))
    def net(my, x):
        return my.head(jnp.concatenate([x["numbers"], x["pair"][0], x["pair"][1][None]]))

    run = compiled_fit(plain(network=net, epochs=10))(KEY, nested)
    assert run.history["loss"][-1] < run.history["loss"][0]


def test_any_optax_optimizer_and_schedule_serves():
    import optax

    optimizer = optax.chain(optax.clip(1.0), optax.adam(optax.linear_schedule(0.1, 0.0, 10)))
    run = compiled_fit(regressor(optimizer=optimizer, epochs=5))(KEY, line(16))
    assert run.history["loss"][-1] < run.history["loss"][0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, r"Recipe.batch_size: found 0, needs an integer of at least 1"),
        ({"epochs": 1.5}, r"Recipe.epochs: found 1.5, needs an integer of at least 1"),
        ({"accumulate": -1}, r"Recipe.accumulate: found -1"),
        ({"patience": 0}, r"Recipe.patience: found 0"),
        ({"max_bad_steps": None}, r"Recipe.max_bad_steps: found None"),
        ({"monitor": "auc"}, r"Recipe.monitor: found 'auc', needs one of \['loss', 'accuracy', 'log_loss'\]"),
        ({"metrics": {"loss": metrics.mse()}}, r"Recipe.metrics: 'loss' is the recipe's own loss"),
        ({"precision": "float8"}, r"Recipe.precision: found 'float8', needs one of"),
        ({"class_weight": "even"}, r"Recipe.class_weight: found 'even', needs 'balanced' or an array"),
    ],
)
def test_a_recipe_that_cannot_train(change, message):
    with pytest.raises(RecipeError, match=message):
        classifier(**change)


def without(data, name):
    return {key: value for key, value in data.items() if key != name}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (without(table(), "y"), r"data: found \['x'\], needs 'x' and 'y', and optionally 'weight'"),
        (table() | {"Weight": np.ones(50)}, r"data: found \['Weight', 'x', 'y'\], needs"),
        ((table()["x"], table()["y"]), r"data: found tuple, needs 'x' and 'y'"),
        (table() | {"y": np.zeros(49, int)}, r"data: has \{'x': 50, 'y': 49\} rows, needs one common length"),
        (table() | {"weight": np.ones(3)}, r"data: has \{'weight': 3, 'x': 50, 'y': 50\} rows"),
        (table() | {"weight": np.ones((50, 1))}, r"data/weight: has shape \(50, 1\), needs one number a row"),
        (
            table() | {"x": [1.0, 2.0]},
            r"data/x/0: is a single number, needs an array with one row",
        ),
        (table(0), r"data: has no rows, needs at least one"),
    ],
)
def test_data_of_the_wrong_form(data, message):
    with pytest.raises(RecipeError, match=message):
        jdl.fit(classifier(), KEY, data)
    if isinstance(data, dict):
        with pytest.raises(RecipeError, match=message.replace("data", "valid", 1)):
            jdl.fit(classifier(), KEY, table(), data)


@pytest.mark.parametrize(
    ("recipe", "data", "message"),
    [
        (
            plain(),
            {"y": np.zeros(50)},
            r"cross_entropy: the target is float32 of shape \(\); logits of shape",
        ),
        (
            regressor(),
            {"y": np.zeros((50, 4))},
            r"squared_error: the target has shape \(4,\), needs .* \(1,\)",
        ),
        (
            regressor(loss=lambda o, y: o - y),
            {"y": np.zeros((50, 1))},
            r"loss: gave shape \(1,\) .* a scalar",
        ),
        (plain(accumulate=3), {}, r"Recipe.accumulate: a batch of 16 rows cannot be cut into 3 equal parts"),
        (plain(class_weight=np.ones(2)), {}, r"Recipe.class_weight: has shape \(2,\), needs \(3,\)"),
        (
            plain(class_weight="balanced"),
            {"y": np.zeros((50, 1))},
            r"Recipe.class_weight: y is float32 of shape",
        ),
    ],
)
def test_data_that_does_not_fit_the_recipe(recipe, data, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(lambda data: jdl.fit(recipe, KEY, data), table() | data)


def test_the_arguments_are_left_as_they_are():
    data = jax.tree.map(jnp.asarray, table(20))
    before = jax.tree.map(np.array, data)
    compiled_fit(plain())(KEY, data, data)
    assert_same_bits(data, before)
