"""One step: what a skipped one leaves alone, and the scale of the loss."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import jdl
from jdl import losses, nn, optim, train
from tests.train.tiny import KEY, assert_close, assert_same_bits, classifier, line, plain, regressor, table


def begun(recipe, data):
    params, state = recipe.network.init(KEY, jax.tree.map(lambda leaf: leaf[0], data["x"]))
    return train.start(recipe, params, state, KEY)


def stepper(recipe):
    return jax.jit(lambda state, batch: train.step(recipe, state, batch))


OPTIMIZERS = {
    "adamw": optim.chain(optim.clip_by_norm(1.0), optim.adamw(optim.cosine(0.1, 50))),
    "nesterov": optim.sgd(0.1, 0.9, nesterov=True),
    "optax": optax.chain(optax.trace(0.9), optax.scale_by_schedule(lambda step: -0.1 / (1 + step))),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_skipped_step_changes_nothing_but_health(name):
    assert isinstance(OPTIMIZERS[name], optim.Skipping) == (name != "optax")
    net = nn.chain(nn.batch_norm(), nn.dropout(0.2), nn.dense(3))
    recipe = classifier(optimizer=OPTIMIZERS[name], network=net, ema=0.9)
    step, good = stepper(recipe), table(16)
    first, _ = step(begun(recipe, good), good)
    bad = good | {"x": good["x"] * np.where(np.arange(16) == 3, np.nan, 1)[:, None].astype(np.float32)}
    second, seen = step(first, bad)
    assert_same_bits(second._replace(step=first.step, health=first.health), first)
    assert (second.step, *second.health) == (2, 1, 1, 1)
    assert_same_bits(seen, train.step.__globals__["empty_metrics"](recipe))
    third, seen = step(second, good)
    assert (third.step, *third.health) == (3, 1, 0, -1)
    assert seen["loss"][1] == 16
    assert abs(third.params["dense"]["w"] - second.params["dense"]["w"]).max() > 0


def test_too_many_skipped_steps_end_it():
    recipe = regressor(max_bad_steps=3)
    step, good = stepper(recipe), line(8)
    bad = good | {"y": good["y"] * np.float32(np.inf)}
    state, _ = step(begun(recipe, good), good)
    for batch in (bad, bad, good, bad, bad):
        before = state
        state, _ = step(state, batch)
    assert tuple(state.health) == (4, 2, 4)
    state, _ = step(state, bad)
    assert tuple(state.health) == (5, 3, 4)
    for batch in (good, bad, good):
        after, _ = step(state, batch)
        assert_same_bits(after._replace(step=state.step), state)
        state = after
    assert_same_bits(state.params, before.params)


def test_only_a_gradient_may_be_bad():
    """The square root of zero is zero; its derivative is not finite."""
    recipe = regressor(network=nn.chain(nn.dense(1), jnp.abs, jnp.sqrt))
    data = {"x": np.zeros((4, 2), np.float32), "y": np.zeros((4, 1), np.float32)}
    state, _ = stepper(recipe)(begun(recipe, data), data)
    assert state.health.skipped == 1


def test_the_scale_halves_at_an_overflow_and_doubles_after_a_finite_stretch():
    recipe = regressor(precision="float16")
    step, data = stepper(recipe), jax.tree.map(lambda leaf: leaf / 100, line(8))
    state = begun(recipe, data)
    assert state.scale[0] == 2.0**15
    large = data | {"x": data["x"] * 1e5}  # in range; the scaled gradient of the weights is not
    bad, _ = step(state, large)
    assert bad.scale == (2.0**14, 0)
    assert_same_bits(bad.params, state.params)
    assert tuple(bad.health) == (1, 1, 0)
    good, _ = step(bad, data)
    assert good.scale == (2.0**14, 1)
    near = state._replace(scale=(jnp.float32(2.0**10), jnp.int32(1998)))
    near, _ = step(near, data)
    assert near.scale == (2.0**10, 1999)
    near, _ = step(near, data)
    assert near.scale == (2.0**11, 0)
    nothing = jax.tree.map(jnp.zeros_like, data)
    top, _ = step(state._replace(scale=(jnp.float32(2.0**24), jnp.int32(1999))), nothing)
    assert top.scale == (2.0**24, 0)
    low, _ = step(near._replace(scale=(jnp.float32(1), jnp.int32(0))), large | {"y": data["y"] * np.nan})
    assert low.scale == (1, 0)


def test_the_scale_leaves_the_gradient_as_it_is():
    data = line(8)
    plain_step, scaled = (stepper(regressor(loss_scale=scale)) for scale in (None, 1024.0))
    state, _ = plain_step(begun(regressor(), data), data)
    other, _ = scaled(begun(regressor(loss_scale=1024.0), data), data)
    assert_close(other.params, state.params, 1e-6)


def test_a_step_is_that_of_the_weighted_mean():
    """Against the gradient of the objective itself."""
    data = table(16) | {"weight": np.linspace(0, 2, 16).astype(np.float32)}
    factors = jnp.array([1.0, 2.0, 3.0])
    recipe = plain({"learning_rate": 1.0})
    state = begun(recipe, data)
    after, _ = jax.jit(lambda s, b: train.step(recipe, s, b, class_weight=factors))(state, data)

    def mean(params):
        logits, _ = nn.batched(recipe.network)(params, {}, data["x"])
        weight = data["weight"] * factors[data["y"]]
        return (weight * jax.vmap(losses.cross_entropy)(logits, data["y"])).sum() / weight.sum()

    expected = jax.tree.map(lambda p, g: p - g, state.params, jax.grad(mean)(state.params))
    assert_close(after.params, expected)
    value, _ = train.objective(recipe, class_weight=factors)(state.params, {}, data)
    np.testing.assert_allclose(value, mean(state.params), rtol=1e-6)


def test_a_batch_of_no_weight_has_no_gradient():
    recipe, data = regressor(network=nn.chain(nn.batch_norm(), nn.dense(1))), line(8)
    state = begun(recipe, data)
    empty = {"x": data["x"] * np.nan, "y": data["y"] * np.nan, "weight": np.zeros(8, np.float32)}
    after, seen = stepper(recipe)(state, empty)
    assert_same_bits((after.params, after.state), (state.params, state.state))
    assert after.health.skipped == 0
    assert seen["loss"] == (0, 0)


def test_every_step_has_its_own_key():
    net = nn.chain(nn.dropout(0.5), nn.dense(1))
    recipe = regressor({"learning_rate": 0.0}, network=net)
    step, data = stepper(recipe), line(8)
    state, first = step(begun(recipe, data), data)
    _, second = step(state, data)
    _, again = step(state, data)
    assert first["loss"][0] != second["loss"][0]
    assert_same_bits(again, second)


def test_an_optimizer_may_evaluate_the_batch_elsewhere():
    """L-BFGS searches along a line: it solves a linear problem, given whole, in a few steps."""
    data = line(20) | {"weight": np.arange(20.0, dtype=np.float32)}
    root = np.sqrt(data["weight"])[:, None]
    wide = np.c_[data["x"], np.ones(20)]
    expected = np.linalg.lstsq(root * wide, root * data["y"], rcond=None)[0]

    def recipe(hyper):
        return jdl.Recipe(nn.dense(1), losses.squared_error, optax.lbfgs(), 20, 12)

    for devices in (1, 4):
        run = jdl.run(recipe, {}, KEY, data, devices=devices)
        np.testing.assert_allclose(run.params["w"], expected[:3], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(run.params["b"], expected[3], rtol=1e-3, atol=1e-3)


def test_sharpness_aware_steps_take_the_gradient_where_the_loss_is_worst():
    radius, rate = 0.1, 0.05
    optimizer = optax.contrib.sam(
        optax.sgd(rate), optax.chain(optax.contrib.normalize(), optax.sgd(radius)), opaque_mode=True
    )
    recipe = jdl.Recipe(nn.dense(1), losses.squared_error, optimizer, 20, 1)
    data = line(20)
    params, state = recipe.network.init(KEY, data["x"][0])
    begun = jdl.train.start(recipe, params, state, KEY)
    after, _ = jax.jit(lambda train, batch: jdl.train.step(recipe, train, batch))(begun, data)

    def loss(params):
        return jnp.mean((data["x"] @ params["w"] + params["b"] - data["y"]) ** 2)

    gradient = jax.grad(loss)(params)
    size = optax.global_norm(gradient)
    worst = jax.tree.map(lambda p, g: p + radius * g / size, params, gradient)
    expected = jax.tree.map(lambda p, g: p - rate * g, params, jax.grad(loss)(worst))
    assert_close(after.params, expected)
    plain_step = jax.tree.map(lambda p, g: p - rate * g, params, gradient)
    assert np.abs(plain_step["w"] - after.params["w"]).max() > 1e-3  # or the test shows nothing
