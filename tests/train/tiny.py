"""Small recipes and data sets for the tests of training, and equality to the last bit."""

import jax
import jax.numpy as jnp
import numpy as np

import jdl
from jdl import losses, metrics, nn, optim
from jdl.features import Prepare
from jdl.features.stats import moments

KEY = jax.random.key(7)


def bits(tree):
    """Every leaf as its path, type and bytes."""
    leaves = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        leaf = np.asarray(leaf)
        leaves[jax.tree_util.keystr(path)] = (leaf.dtype.name, leaf.shape, leaf.tobytes())
    return leaves


def assert_same_bits(found, expected):
    found, expected = bits(found), bits(expected)
    assert found.keys() == expected.keys()
    assert [path for path in found if found[path] != expected[path]] == []


def assert_close(found, expected, tolerance=1e-5):
    """Equal within ``tolerance``, NaN where NaN is expected."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True),
        found,
        expected,
    )


def table(rows=50, columns=4, seed=0):
    """Rows whose class (0 to 2) depends on their first numbers."""
    x = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    return {"x": x, "y": (x[:, 0] > 0).astype(np.int32) + (x[:, 1] > 0.5)}


def line(rows=20, columns=3, seed=0):
    """Rows whose target, one number, depends linearly on theirs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    return {
        "x": x,
        "y": (x @ np.arange(1.0, columns + 1) + rng.normal(size=rows)).astype(np.float32)[:, None],
    }


def network(rate=0.3):
    """Everything that makes batches delicate: batch statistics and random masks."""
    return nn.chain(nn.batch_norm(), nn.dense(8), nn.relu, nn.dropout(rate), nn.dense(3))


def classifier(hyper=None, **changes):
    """A recipe of a small network with three classes; ``changes`` are its arguments."""
    hyper = {"learning_rate": 0.02, "decay": 1e-3, "rate": 0.3} | dict(hyper or {})
    settings = {
        "network": network(hyper["rate"]),
        "loss": losses.cross_entropy,
        "optimizer": optim.adamw(hyper["learning_rate"], weight_decay=hyper["decay"]),
        "batch_size": 16,
        "epochs": 3,
        "metrics": {"accuracy": metrics.accuracy(), "log_loss": metrics.log_loss()},
    }
    return jdl.Recipe(**settings | changes)


def plain(hyper=None, **changes):
    """A linear classifier without state or randomness, a third of the time to compile."""
    optimizer = optim.gradient_descent((hyper or {}).get("learning_rate", 0.1))
    return classifier(**{"network": nn.dense(3), "metrics": {}, "optimizer": optimizer} | changes)


def regressor(hyper=None, **changes):
    """A recipe of a linear model of one number, by plain gradient descent."""
    settings = {
        "network": nn.dense(1),
        "loss": losses.squared_error,
        "optimizer": optim.gradient_descent((hyper or {}).get("learning_rate", 0.1)),
        "batch_size": 8,
        "epochs": 3,
    }
    return jdl.Recipe(**settings | changes)


def standardise():
    """A preparation: every column's weighted mean and standard deviation on the training rows."""

    def fit(key, rows, target, weight):
        weight = jnp.ones(len(rows)) if weight is None else weight
        return jax.vmap(moments, in_axes=(1, None))(rows, weight)

    return Prepare(fit, lambda stats, row, fold=None, key=None: (row - stats[0]) / stats[1])


def compiled_fit(recipe):
    """``fit`` of one recipe under ``jit``."""
    return jax.jit(lambda key, data, valid=None: jdl.fit(recipe, key, data, valid))
