"""Preparation inside a run: once or at every step, with inner folds, and what metrics see of outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jdl
from jdl import losses, metrics, nn
from jdl.features import Prepare
from jdl.features.prepare import inner_folds
from jdl.nn.layer import fold as folded
from jdl.train import prepared
from tests.train.tiny import KEY, assert_close, assert_same_bits, compiled_fit, line, regressor, standardise

FOLDS = 3


@nn.layer
def unchanged(my, x):
    """Give the features as they are; a run needs a parameter."""
    return x * jax.lax.stop_gradient(my.param("w", (), nn.init.ones))


def out_of_fold():
    """A preparation that replaces a training row by its inner fold, and any other row by -1."""

    def fit(key, rows, target, weight):
        return inner_folds(key, len(rows), FOLDS)

    def apply(stats, row, fold=None, key=None):
        return jnp.full(1, -1.0 if fold is None else fold, jnp.float32)

    return Prepare(fit, apply, folds=FOLDS)


def noisy(each_step):
    """A preparation that says whether it was given a key."""
    apply = lambda stats, row, fold=None, key=None: row * 0 + (key is not None)
    return Prepare(lambda *rows: None, apply, each_step=each_step)


def test_once_or_at_every_step_is_the_same_run():
    data, valid = line(30), line(13, seed=1)
    runs = [
        compiled_fit(regressor(prepare=standardise()._replace(each_step=each)))(KEY, data, valid)
        for each in (False, True)
    ]
    assert_close(runs[0], runs[1])


def test_rows_are_prepared_in_chunks_whatever_their_columns(monkeypatch):
    """Thirty rows by seven; a table may have no column of a kind, and a preparation may make none."""
    monkeypatch.setattr(prepared, "CHUNK", 7)
    x = {"numbers": line(30)["x"], "codes": np.zeros((30, 0), np.int32)}
    apply = lambda stats, row, fold=None, key=None: {"twice": 2 * row["numbers"], "none": row["codes"]}
    recipe = regressor(prepare=Prepare(lambda *rows: None, apply))
    made = jax.jit(lambda x: prepared.applied(recipe, None, {"x": x, "y": x["numbers"][:, :1]}))(x)["x"]
    np.testing.assert_array_equal(made["twice"], 2 * x["numbers"])
    assert made["none"].shape == (30, 0)


def test_fit_run_and_loop_prepare_alike():
    data, valid = line(30), line(13, seed=1)
    recipe = regressor(prepare=standardise())
    fit = compiled_fit(recipe)(KEY, data, valid)
    assert_same_bits(jdl.loop(recipe, KEY, data, valid), fit)
    assert_same_bits(jdl.run(lambda hyper: recipe, {}, KEY, data, valid), fit)


@pytest.mark.parametrize("each_step", [False, True])
def test_training_rows_read_their_fold_and_others_none(each_step):
    squared = lambda outputs, target: jnp.sum(outputs**2)
    prepare = out_of_fold()._replace(each_step=each_step)
    recipe = regressor(network=unchanged, loss=squared, prepare=prepare, epochs=1)
    data, valid = line(16), line(4, seed=1)
    for run in (compiled_fit(recipe)(KEY, data, valid), jdl.loop(recipe, KEY, data, valid)):
        folds = inner_folds(folded(KEY, "prepare"), 16, FOLDS)
        np.testing.assert_allclose(run.history["loss"][0], np.mean(np.square(folds)), rtol=1e-6)
        np.testing.assert_allclose(run.history["valid_loss"][0], 1.0, rtol=1e-6)


@pytest.mark.parametrize(("each_step", "mean"), [(False, 0.0), (True, 1.0)])
def test_a_key_comes_at_every_step_or_not_at_all(each_step, mean):
    first = lambda outputs, target: outputs[0]
    recipe = regressor(network=unchanged, loss=first, prepare=noisy(each_step), epochs=1)
    run = compiled_fit(recipe)(KEY, line(16), line(4))
    assert run.history["loss"][0] == mean
    assert run.history["valid_loss"][0] == 0.0


def test_metrics_see_what_predict_makes_of_the_outputs():
    """Two members, a loss for each; the metric is that of their mean."""
    data = line(16)
    each = jax.vmap(losses.squared_error, (0, None))
    both = lambda outputs, target: jnp.mean(each(outputs, target))
    network, mean = nn.ensemble(nn.dense(1), 2), lambda outputs: outputs.mean(0)
    recipe = regressor(network=network, loss=both, predict=mean, metrics={"mse": metrics.mse()}, epochs=1)
    run = compiled_fit(recipe)(KEY, data, data)
    outputs, _ = nn.batched(recipe.network)(run.params, run.state, data["x"])
    error = np.asarray(outputs) - data["y"][:, None]
    np.testing.assert_allclose(run.history["valid_loss"][0], np.mean(error**2), rtol=1e-5)
    np.testing.assert_allclose(run.history["valid_mse"][0], np.mean(error.mean(1) ** 2), rtol=1e-5)


def test_predict_is_a_function():
    with pytest.raises(jdl.train.RecipeError, match="Recipe.predict: found 'mean', needs a function"):
        regressor(predict="mean")
