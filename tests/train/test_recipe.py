"""What is given to a recipe, a run, a fit or a loop in the wrong place: refused by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jdl
from jdl import losses, metrics, nn, optim
from tests.train.tiny import KEY, line, plain, table

RIGHT = {"network": nn.dense(1), "loss": losses.squared_error, "optimizer": optim.sgd(0.1)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loss": "mse"}, "Recipe.loss: found 'mse', needs a function"),
        ({"optimizer": 1e-3}, "Recipe.optimizer: found 0.001, needs one, such as jdl.optim.adamw"),
        ({"metrics": [metrics.f1()]}, "Recipe.metrics: found a list, needs a dict"),
        ({"metrics": {"f1": metrics.f1}}, r"Recipe.metrics\['f1'\]: .*; call it: jdl.metrics.f1\(\)"),
        (
            {"metrics": {"f1": losses.squared_error(0.0, 0.0)}},
            r"Recipe.metrics\['f1'\]: .*needs a jdl.metrics",
        ),
    ],
)
def test_a_recipe_refuses_what_is_of_another_kind(given, message):
    with pytest.raises(ValueError, match=message):
        jdl.Recipe(**RIGHT | given, batch_size=8, epochs=1)


def recipe(hyper):
    return plain()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda data: jdl.run(recipe({}), {}, KEY, data), "recipe: found a Recipe, needs a function"),
        (
            lambda data: jdl.run(lambda hyper: None, {}, KEY, data),
            "recipe: found NoneType, needs a jdl.Recipe",
        ),
        (lambda data: jdl.fit(recipe, KEY, data), "recipe: found a function: call it"),
        (lambda data: jdl.loop(recipe, KEY, data), "recipe: found a function: call it"),
        (lambda data: jdl.run(recipe, {}, 0, data), r"key: found 0, needs a JAX key: jax.random.key\(seed\)"),
        (lambda data: jdl.fit(recipe({}), 0, data), "key: found 0"),
        (lambda data: jdl.loop(recipe({}), 0, data), "key: found 0"),
        (
            lambda data: jdl.fit(recipe({}), KEY, data | {"y": np.array(["a"] * 8)}),
            "data/y: holds <U1, needs num",
        ),
        (
            lambda data: jdl.run(recipe, {}, KEY, data | {"x": np.full(8, None)}),
            "data/x: holds object, needs num",
        ),
        (lambda data: jdl.run(recipe, {}, KEY, data, devices=3), "devices: found 3, needs 1 or all of the 4"),
        (
            lambda data: jdl.run(recipe, {}, KEY, table(6), devices=4),
            "a batch of 6 rows does not divide among 4",
        ),
    ],
)
def test_what_trains_refuses_what_is_in_the_wrong_place(call, message):
    with pytest.raises(ValueError, match=message):
        call(table(8))


@pytest.mark.parametrize(
    "train", [lambda r, d: jdl.run(lambda _: r, {}, KEY, d), lambda r, d: jdl.loop(r, KEY, d)]
)
def test_a_run_that_took_no_step_is_an_error(train):
    broken = jdl.Recipe(nn.dense(1), lambda o, y: jnp.sum(o) * jnp.nan, optim.sgd(0.1), 10, 2)
    with pytest.raises(jdl.train.TrainingError, match="all 4 steps were skipped"):
        train(broken, line(20))


def test_devices_settles_the_placement():
    data, places = table(16), []
    for devices in (1, 4):
        program = jdl.train.compiled(recipe, {}, KEY, data, devices=devices)
        places.append((program.placement.mesh.size, program.placement.sharded, program.placement.reason))
    assert places == [(1, False, "asked for"), (4, True, "asked for")]
    one, all_four = (jdl.run(recipe, {}, KEY, data, devices=devices) for devices in (1, 4))
    for a, b in zip(*map(jax.tree.leaves, (one.params, all_four.params)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
