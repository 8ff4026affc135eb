"""Norms: accuracy far from zero, weights, types, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from tests.nn.drawn import KEY, normal, random_params


@pytest.mark.parametrize("shape", [(64, 3), (16, 8, 8, 3)])
@pytest.mark.parametrize("mean", [0.0, 1e3, -1e5])
def test_batch_norm_keeps_its_accuracy_at_a_large_mean(shape, mean):
    xs = (normal(*shape) + mean).astype(np.float32)
    params, state = nn.batch_norm(eps=1e-12).init(KEY, xs[0])
    found, state = nn.batched(nn.batch_norm(eps=1e-12))(params, state, xs, key=KEY)
    exact, axes = np.float64(xs), tuple(range(len(shape) - 1))
    centred, deviation = exact - exact.mean(axes), exact.std(axes)
    np.testing.assert_allclose(state["mean"], 0.1 * exact.mean(axes), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state["var"], 0.9 + 0.1 * deviation**2, rtol=1e-5)
    # float32 holds a mean only to 6e-8 of itself: that much of the centre is lost, and no more.
    np.testing.assert_allclose(found, centred / deviation, atol=1e-4 + 2e-7 * abs(mean))


def test_batch_norm_keeps_its_accuracy_where_the_middle_is_the_odd_one_out():
    xs = 1000 + normal(8, 16, 16, 1)
    xs[:, 8, 8] = 0
    params, state = nn.batch_norm(momentum=0.0).init(KEY, xs[0])
    _, state = nn.batched(nn.batch_norm(momentum=0.0))(params, state, xs, key=KEY)
    np.testing.assert_allclose(state["var"], np.var(np.float64(xs)), rtol=1e-4)


def test_batch_norm_of_constant_features_is_finite():
    xs = jnp.full((4, 2, 3), 7.0)
    params, state = nn.batch_norm().init(KEY, xs[0])

    def loss(xs):
        return jnp.sum(nn.batched(nn.batch_norm())(params, state, xs, key=KEY)[0] ** 2)

    value, gradient = jax.value_and_grad(loss)(xs)
    assert value == 0
    assert np.isfinite(gradient).all()


def test_batch_norm_weighs_examples():
    net, xs = nn.batch_norm(), jnp.asarray(normal(3, 4, 2))
    params, state = random_params(net, xs[0])
    weighted, after = nn.batched(net)(params, state, xs, key=KEY, weight=jnp.array([2.0, 1.0, 0.0]))
    repeated, expected = nn.batched(net)(params, state, xs[jnp.array([0, 0, 1])], key=KEY)
    np.testing.assert_allclose(weighted[:2], repeated[1:], rtol=1e-4, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), after, expected)


def test_batch_norm_momentum_may_be_traced():
    xs = jnp.asarray(normal(4, 2))
    params, state = nn.batch_norm().init(KEY, xs[0])

    def moved(momentum):
        return nn.batched(nn.batch_norm(momentum=momentum))(params, state, xs, key=KEY)[1]["mean"]

    found = jax.jit(jax.vmap(moved))(jnp.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(found, np.outer([1, 0.5, 0], xs.mean(0)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mean", [0.0, 1e3, -1e5])
def test_layer_norm_keeps_its_accuracy_at_a_large_mean(mean):
    x = (normal(5, 64) + mean).astype(np.float32)
    params, _ = nn.layer_norm(eps=1e-12).init(KEY, x)
    exact = np.float64(x)
    expected = (exact - exact.mean(-1, keepdims=True)) / exact.std(-1, keepdims=True)
    # A mean of n float32 numbers is exact to n u |mean|, in any order of summation (Higham 2002, sec. 4.2).
    atol = 1e-5 + x.shape[-1] * 2.0**-24 * abs(mean)
    np.testing.assert_allclose(nn.layer_norm(eps=1e-12)(params, x), expected, atol=atol)


def test_norms_of_integers_are_floats():
    x = jnp.arange(4)
    for net in (nn.layer_norm(), nn.batch_norm()):
        params, state = net.init(KEY, x)
        assert net.apply(params, state, x)[0].dtype == jnp.float32


def test_norms_refuse_a_scalar():
    with pytest.raises(nn.LayerError, match=r"layer_norm: has shape \(\), needs"):
        nn.layer_norm().init(KEY, jnp.zeros(()))


def test_layer_norm_eps_has_a_gradient():
    x = jnp.asarray(normal(6))

    def direct(eps):
        return jnp.sum(((x - x.mean()) / jnp.sqrt(x.var() + eps)) ** 3)

    def ours(eps):
        return jnp.sum(nn.layer_norm(eps=eps)({"scale": jnp.ones(6), "bias": jnp.zeros(6)}, x) ** 3)

    np.testing.assert_allclose(jax.grad(ours)(0.1), jax.grad(direct)(0.1), rtol=1e-4)
