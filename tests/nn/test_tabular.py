"""Layers of tables and of ensembles: formulas, and what they refuse.

The packages they come from are the oracle of ``tests/models/test_packages.py``.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn

KEY, X = jax.random.key(0), jnp.array([0.5, -1.0, 2.0])


def moved(params):
    return jax.tree.map(lambda leaf: leaf + 0.3, params)


def test_members_of_a_batch_ensemble_are_dense_layers_of_scaled_weights() -> None:
    net = nn.batch_ensemble(4, 2, r=nn.init.normal(), s=nn.init.normal())
    params, _ = net.init(KEY, X)
    own = jax.tree.map(np.asarray, moved(params))
    found = net(own, X)
    for i in range(2):
        w = own["r"][i][:, None] * own["w"] * own["s"][i]
        np.testing.assert_allclose(found[i], X @ w + own["b"][i], rtol=1e-5)
    apart = jnp.stack([X, X + 1])
    np.testing.assert_allclose(net(own, apart)[1], net(own, X + 1)[1], rtol=1e-5)


def test_members_of_a_linear_ensemble_share_nothing() -> None:
    net, x = nn.linear_ensemble(4), jnp.stack([X, X + 1])
    params, _ = net.init(KEY, x)
    want = [x[i] @ params["w"][i] + params["b"][i] for i in range(2)]
    np.testing.assert_allclose(net(params, x), np.stack(want), rtol=1e-5)


def test_what_members_begin_with() -> None:
    params, _ = nn.batch_ensemble(4, 3).init(KEY, X, chunks=(1, 2))
    assert set(np.unique(params["r"])) == {-1.0, 1.0} == set(np.unique(params["s"]))
    assert (params["r"][:, 1] == params["r"][:, 2]).all()
    assert (params["b"] == params["b"][0]).all() and np.abs(params["w"]).max() <= 3**-0.5


def test_piecewise_linear_begins_as_a_line() -> None:
    net, places = nn.piecewise_linear(2), jnp.zeros((3, 4)).at[:, 0].set(0.7)
    params, _ = net.init(KEY, places, X)
    np.testing.assert_allclose(net(params, places, X), X[:, None] * params["v"] + params["b"], rtol=1e-6)


def test_crosses_are_polynomials() -> None:
    for net in (nn.cross(), nn.cross(rank=2)):
        own = moved(net.init(KEY, X)[0])
        w = own["w"] if "w" in own else own["u"] @ own["v"]
        x = X * (X @ w + own["b"]) + X
        np.testing.assert_allclose(net(own, X), x, rtol=1e-5)
        np.testing.assert_allclose(net(own, x, X), X * (x @ w + own["b"]) + x, rtol=1e-5)


@pytest.mark.parametrize(
    "net, inputs, message",
    [
        (nn.batch_ensemble(4, 2), [jnp.zeros((3, 5))], r"has shape \(3, 5\), needs \(2, n\) or \(n,\)"),
        (nn.linear_ensemble(4), [X], r"has shape \(3,\), needs \(members, n\)"),
        (nn.linear_embedding(4), [jnp.zeros((3, 5))], r"has shape \(3, 5\), needs \(n,\)"),
        (nn.piecewise_linear(4), [jnp.zeros((3, 5))], r"\(3, 5\) and None, needs \(p, bins\) and \(p,\)"),
        (nn.feature_tokens(4, (3,)), [X, jnp.zeros(2, int)], r"codes have shape \(2,\), needs \(1,\)"),
        (nn.cross(), [X, X[:2]], r"has shapes \(3,\) and \(2,\), needs one shape"),
    ],
)
def test_what_they_refuse(net: nn.Layer, inputs: list, message: str) -> None:
    with pytest.raises(nn.LayerError, match=message):
        net.specs(*inputs)


def test_settings_they_refuse() -> None:
    for make in (
        lambda: nn.batch_ensemble(0, 2),
        lambda: nn.batch_ensemble(2, 0),
        lambda: nn.linear_ensemble(0),
        lambda: nn.linear_embedding(0),
        lambda: nn.piecewise_linear(0),
        lambda: nn.feature_tokens(0),
        lambda: nn.cross(rank=0),
    ):
        with pytest.raises(nn.LayerError, match="is 0, needs a positive integer"):
            make()
    with pytest.raises(ValueError, match="chunks add up to 2, needs 3"):
        nn.batch_ensemble(4, 2).init(KEY, X, chunks=(1, 1))
