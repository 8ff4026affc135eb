"""NTK dense maps, factors by feature, activations learned in part: against what they are made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn

X = jax.random.normal(jax.random.key(0), (3, 4))


def test_ntk_dense_is_dense_of_smaller_weights() -> None:
    params, _ = nn.ntk_dense(5).init(jax.random.key(1), X)
    params["b"] = params["b"] + 0.3

    def ours(params: dict) -> jax.Array:
        return jnp.sum(jnp.sin(nn.ntk_dense(5)(params, X)))

    def theirs(params: dict) -> jax.Array:
        return jnp.sum(jnp.sin(nn.dense(5)({"w": params["w"] / 2, "b": params["b"]}, X)))

    for found, wanted in zip(*(jax.tree.leaves(jax.grad(f)(params)) for f in (ours, theirs)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours(params), theirs(params), rtol=1e-6)


def test_ntk_dense_keeps_the_size_of_its_input() -> None:
    params, _ = nn.ntk_dense(64).init(jax.random.key(1), jnp.zeros(1024))
    assert abs(float(params["w"].std()) - 1) < 0.02  # 65536 numbers
    y = nn.ntk_dense(64)(params, jnp.ones((1024,)))
    assert 0.6 < float(y.std()) < 1.5


def test_no_features_give_the_bias() -> None:
    params, _ = nn.ntk_dense(2).init(jax.random.key(0), jnp.zeros(0))
    assert nn.ntk_dense(2)(params | {"b": jnp.array([1.0, 2.0])}, jnp.zeros(0)).tolist() == [1.0, 2.0]


def test_scale_multiplies_feature_by_feature() -> None:
    factors = jnp.array([1.0, -2.0, 0.0, 0.5])
    np.testing.assert_array_equal(nn.scale()({"scale": factors}, X), X * factors)
    params, _ = nn.scale().init(jax.random.key(0), X)
    np.testing.assert_array_equal(nn.scale()(params, X), X)


@pytest.mark.parametrize("activation", [nn.selu, nn.mish, nn.chain(nn.tanh)])
def test_parametric_goes_from_linear_to_the_activation(activation) -> None:
    net = nn.parametric(activation)
    params, _ = net.init(jax.random.key(0), X)
    whole = nn.chain(activation)({}, X)
    np.testing.assert_allclose(net(params, X), whole, rtol=1e-6, atol=1e-6)
    mix = jnp.array([0.0, 0.25, 1.0, 2.0])
    np.testing.assert_allclose(net({"mix": mix}, X), X + mix * (whole - X), rtol=1e-6, atol=1e-6)
    gradient = jax.grad(lambda mix: net({"mix": mix}, X).sum())(mix)
    np.testing.assert_allclose(gradient, (whole - X).sum(0), rtol=1e-5, atol=1e-6)


def test_what_they_refuse() -> None:
    with pytest.raises(nn.LayerError, match="ntk_dense: width is 0, needs a positive integer"):
        nn.ntk_dense(0)
    for net in (nn.ntk_dense(2), nn.scale(), nn.parametric(nn.relu)):
        with pytest.raises(nn.LayerError, match=r"has shape \(\), needs"):
            net.init(jax.random.key(0), jnp.float32(1))
