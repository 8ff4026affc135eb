"""RealMLP as a value: tables of every make, traced numbers, names, and what its recipe is made of."""

import pickle
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import models, nn, optim
from jdl.models.realmlp import defaults, optimizer

KEY = jax.random.key(0)


def row(numbers: int, categories: int, flat: int) -> dict:
    return {
        "numbers": jnp.ones(numbers),
        "categories": jnp.ones(categories, int),
        "flat": jnp.ones(flat),
    }


@pytest.mark.parametrize("columns", [(2, 0, 0), (0, 2, 0), (0, 0, 3), (1, 2, 1)])
@pytest.mark.parametrize("embedding", [1, 4])
def test_tables_of_every_make(columns: tuple[int, int, int], embedding: int) -> None:
    net = models.realmlp(3, (4,), cardinalities=(5, 12)[: columns[1]], embedding=embedding)
    found = net.specs(row(*columns))["params"]
    width = columns[0] * embedding + columns[2] + columns[1] * 8
    assert found["body/ntk_dense/w"].shape == (width, 4) and found["body/head/w"].shape == (4, 3)
    assert ("features/categories/w" in found) == bool(columns[1])
    assert ("features/numbers/f" in found) == (embedding > 1)


def test_prints_pickles_and_is_itself() -> None:
    net = models.realmlp(3, (4,), cardinalities=(12,), activation="selu", dropout=0.1, steps=7)
    assert net is models.realmlp(3, (4,), cardinalities=(12,), activation="selu", dropout=0.1, steps=7)
    assert pickle.loads(pickle.dumps(net)) is net and eval(repr(net), vars(models)) is net
    with pytest.raises(nn.LayerError, match="realmlp: activation is 'sulu', needs one of mish"):
        models.realmlp(3, activation="sulu")


def test_continuous_numbers_may_be_traced() -> None:
    @jax.jit
    @jax.vmap
    def outputs(dropout: jax.Array, sigma: jax.Array, steps: jax.Array) -> tuple:
        net = models.realmlp(2, (64,), dropout=dropout, sigma=sigma, steps=steps)
        params, state = net.init(KEY, row(3, 0, 0))
        return params["features"]["numbers"]["f"], net.apply(params, state, row(3, 0, 0), key=KEY)[0]

    f, y = outputs(jnp.array([0.0, 0.5, 0.0]), jnp.array([0.1, 0.1, 0.2]), jnp.array([10, 10, 20]))
    np.testing.assert_allclose(f[2], 2 * f[0], rtol=1e-6)
    assert not np.allclose(y[0], y[1])


def test_learning_rates_go_by_path_and_hyper_parameters_may_be_traced() -> None:
    hyper = defaults(1000, SimpleNamespace(task="regression"))
    params = {"net": models.realmlp(1, (4,)).init(KEY, row(2, 0, 1))[0]}
    gradient = jax.tree.map(jnp.ones_like, params)

    @jax.jit
    def change(rate: jax.Array, scale: jax.Array) -> dict:
        rule = optimizer(hyper | {"learning_rate": rate, "scale_factor": scale, "weight_decay": 0.0}, 100)
        state = rule.init(params)
        for _ in range(2):  # the rate of the first step is 0
            updates, state = rule.update(gradient, state, params)
        return updates["net"]

    found = change(0.2, 6.0)
    rate = float(optim.coslog(0.2, 100)(1))
    for part, factor in (
        (found["body"]["scale"]["scale"], 6),
        (found["body"]["ntk_dense"]["w"], 1),
        (found["body"]["head"]["b"], 0.1),
        (found["body"]["parametric"]["mix"], 0.1),
        (found["features"]["numbers"]["phase"], 0.1),
        (found["features"]["numbers"]["b"], 0.1),
    ):
        np.testing.assert_allclose(part, -factor * rate, rtol=1e-4)
