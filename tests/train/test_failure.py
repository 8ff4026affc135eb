"""Runs that cannot go on, and what is said about where it began."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jdl
from jdl import nn, optim, train
from jdl.train import place
from jdl.train.failure import explain_failure
from jdl.train.recipe import Health
from tests.train.tiny import KEY, line, regressor, standardise


def explained(recipe, data, stats=None, **changes):
    """What is said of a first step on ``data`` as one batch."""
    example = jax.tree.map(lambda leaf: leaf[0], data["x"])
    state = train.start(recipe, *recipe.network.init(KEY, example), KEY)
    state = state._replace(health=Health(np.int32(3), np.int32(3), np.int32(0)), **changes)
    return str(explain_failure(recipe, state, data, stats, None, "epoch 0"))


@nn.layer
def root(my, x):
    return jnp.sqrt(x * 0)  # its value is 0, its derivative infinite


@nn.layer
def sharp(my, x):
    return jnp.exp(100 * jnp.abs(x) + 100)


@nn.layer(inner=sharp)
def outer(my, x):
    return my.inner(x)


CASES = {
    "a part of a part": (
        regressor(network=nn.chain(nn.dense(2), outer, nn.dense(1))),
        "the output of outer/inner",
    ),
    "the first of those that follow": (
        regressor(network=nn.chain(nn.dense(2), sharp, nn.layer_norm(), nn.dense(1))),
        "the output of sharp",
    ),
    "the loss": (
        regressor(loss=lambda outputs, target: jnp.log(-jnp.abs(outputs[0]) - 1)),
        "the loss, of finite outputs",
    ),
    "only the gradient": (
        regressor(network=nn.chain(nn.dense(2), root, nn.dense(1))),
        "the gradient of dense/b",
    ),
    "only the scaled gradient": (
        regressor(precision="float16", loss_scale=2.0**24),
        "the scaled loss (the range of float16)",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_where_it_began(name):
    recipe, where = CASES[name]
    message = explained(recipe, line(4))
    assert message.startswith(
        "step 0 (epoch 0): from here on the loss or its gradient was not finite, in 3 steps"
    )
    assert f"it began in {where}. Lower the learning rate" in message


def test_a_parameter_that_is_not_finite():
    data = line(4)
    bad = {"w": jnp.full((3, 1), jnp.nan), "b": jnp.zeros(1)}
    assert "it began in the parameter w." in explained(regressor(), data, params=bad)


def test_a_row_that_is_not_finite():
    data = line(4)
    data["x"][2, 1] = np.nan
    assert "it began in the batch's x, row 2." in explained(regressor(), data)
    data["weight"] = np.array([1, 1, 0, 1], np.float32)
    data["y"][3] = np.inf
    assert "it began in the batch's y, row 3." in explained(regressor(), data)
    prepared = regressor(prepare=standardise())
    nowhere = jnp.zeros(3), jnp.ones(3)
    data = line(4)
    data["x"][2, 1] = np.nan
    assert "it began in the network's output." in explained(prepared, data, stats=nowhere)


def diverging(hyper=None):
    """Fine for six steps, of three an epoch; then its rate is far too great."""
    return regressor(
        optimizer=optim.sgd(optim.piecewise([5], [0.01, 1e38])), network=nn.chain(nn.dense(4), nn.dense(1)),
        epochs=20, max_bad_steps=4,
    )  # fmt: skip


@pytest.mark.parametrize("spread", [False, True])
def test_run_says_step_epoch_batch_and_path(monkeypatch, spread):
    placed = place.on_all("") if spread else place.on_one("")
    monkeypatch.setattr(place, "choose", lambda *_: placed)
    message = (
        r"step 6 \(epoch 2, batch 0\): from here on .* in 4 steps in a row; it began in the parameter dense"
    )
    with pytest.raises(train.TrainingError, match=message):
        jdl.run(lambda hyper: diverging(), {}, KEY, line(24))


@pytest.mark.parametrize("steps_per_dispatch", [1, 2, 32])
def test_loop_says_step_epoch_and_path(steps_per_dispatch):
    told = []
    message = r"step 6 \(epoch 2\): from here on .* in 4 steps in a row; it began in the parameter dense"
    with pytest.raises(train.TrainingError, match=message):
        jdl.loop(
            diverging(),
            KEY,
            line(24),
            steps_per_dispatch=steps_per_dispatch,
            callbacks=(lambda step, row: told.append(step),),
        )
    assert max(told) >= 6


def test_loop_looks_at_the_batch_in_which_it_began():
    """The row of bad steps spans dispatches; only its first batch holds the bad row."""
    good, bad = line(8), line(8, seed=1)
    bad["x"][5, 0] = np.inf
    worse = {"x": good["x"], "y": good["y"] * np.nan}
    batches = [good, good, bad, worse, worse, good]
    recipe = regressor(epochs=1, max_bad_steps=3)
    with pytest.raises(train.TrainingError, match=r"step 2 \(epoch 0\).* in 3 steps .* the batch's x, row 5"):
        jdl.loop(recipe, KEY, batches, steps_per_dispatch=1)


def test_single_bad_batches_are_skipped_and_counted():
    good, bad, rows = line(8), line(8), []
    bad["x"][:] = np.nan
    recipe = regressor(epochs=2, max_bad_steps=2)
    watch = lambda step, row: rows.append(row)  # noqa: E731
    run = jdl.loop(recipe, KEY, [good, bad, good, bad], steps_per_dispatch=2, callbacks=(watch,))
    assert run.history["skipped"] == 4
    assert run.history["failed_at"] == -1
    assert np.isfinite(run.params["w"]).all()
    assert [row["skipped"] for row in rows if "skipped" in row] == [1, 2, 3, 4]


def test_fit_reports_the_failure_in_its_history():
    recipe = diverging()
    run = jax.jit(lambda data: jdl.fit(recipe, KEY, data))(line(24))
    assert run.history["failed_at"] == 6
    assert run.history["skipped"] == 4
    assert np.isnan(run.history["loss"][3:]).all()
    assert np.isfinite(run.history["loss"][:2]).all()
