"""Which epoch is returned: patience, metrics, averages, and validation in chunks."""

import jax
import jax.numpy as jnp
import numpy as np

import jdl
from jdl import losses, metrics, nn, optim
from jdl.nn.layer import fold
from tests.train.tiny import (
    KEY,
    assert_close,
    compiled_fit,
    line,
    plain,
    regressor,
    table,
)


def opposed():
    """Training rows, and validation rows on which training soon makes things worse."""
    data = line(16)
    return data, {"x": data["x"], "y": 0.3 * data["y"]}


def test_patience_stops_and_the_best_epoch_is_returned():
    data, valid = opposed()
    rate = {"learning_rate": 0.03}
    every = compiled_fit(regressor(rate, epochs=12))(KEY, data, valid)
    best = int(np.argmin(every.history["valid_loss"]))
    assert 0 < best < 8  # or the test shows nothing
    assert every.history["best_epoch"] == best
    stopped = compiled_fit(regressor(rate, epochs=12, patience=3))(KEY, data, valid)
    assert stopped.history["best_epoch"] == best
    trained = best + 1 + 3
    for name in ("loss", "valid_loss"):
        np.testing.assert_allclose(stopped.history[name][:trained], every.history[name][:trained], rtol=1e-6)
        assert np.isnan(stopped.history[name][trained:]).all()
        assert stopped.history[name].shape == (12,)
    short = compiled_fit(regressor(rate, epochs=best + 1))(KEY, data)
    assert_close(stopped.params, short.params, 1e-6)
    assert_close(every.params, short.params, 1e-6)
    fit = lambda key: jdl.fit(regressor(rate, epochs=12, patience=3), key, data, valid)
    members = jax.jit(jax.vmap(fit))(jnp.stack([KEY, jax.random.key(1)]))
    assert_close(jax.tree.map(lambda leaf: leaf[0], members), stopped)


def test_a_metric_may_choose_the_epoch():
    data, valid = table(48), table(40, seed=1)
    recipe = plain(monitor="accuracy", metrics={"accuracy": metrics.accuracy()}, epochs=12)
    run = compiled_fit(recipe)(KEY, data, valid)
    best = 11 - np.argmax(run.history["valid_accuracy"][::-1])  # the latest of equal ones
    assert run.history["best_epoch"] == best
    assert 0 < best < 11 and best != np.argmin(run.history["valid_loss"])  # or the test shows nothing
    logits, _ = nn.batched(recipe.network)(run.params, run.state, valid["x"])
    again = metrics.evaluate(metrics.accuracy(), logits, valid["y"])
    np.testing.assert_allclose(again, run.history["valid_accuracy"][best], rtol=1e-5)


def test_without_validation_the_last_epoch_is_returned():
    run = compiled_fit(regressor(patience=1, metrics={"mse": metrics.mse()}))(KEY, line(20))
    assert run.history["best_epoch"] == 2
    assert sorted(run.history) == ["best_epoch", "failed_at", "loss", "mse", "skipped"]
    assert np.isfinite(run.history["loss"]).all()


def test_an_optimizer_that_averages_is_evaluated_where_it_averages():
    """Schedule-free SGD on full batches: what is kept is the mean of the points that its steps visit."""
    rate, data = 0.05, line(20)
    optimizer = optim.schedule_free(optim.sgd(rate), rate, b1=0.9)
    run = compiled_fit(jdl.Recipe(nn.dense(1), losses.squared_error, optimizer, 20, 5))(KEY, data)
    x, y = data["x"], data["y"]
    params, _ = nn.dense(1).init(fold(KEY, "init"), x[0])
    moved, mean = params, params
    for step in range(5):
        taken = jax.tree.map(lambda m, z: 0.9 * m + 0.1 * z, mean, moved)
        error = 2 * (x @ taken["w"] + taken["b"] - y) / 20
        gradient = {"w": x.T @ error, "b": error.sum(0)}
        moved = jax.tree.map(lambda z, g: z - rate * g, moved, gradient)
        mean = jax.tree.map(lambda m, z: m + (z - m) / (step + 1), mean, moved)  # noqa: B023
    assert_close(run.params, mean)
