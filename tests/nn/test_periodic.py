"""Periodic embeddings: the formula, the scales they begin with, and what they refuse."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jdl import nn
from jdl.nn.periodic import ladder
from jdl.nn.waves import cosine, sine

X = jnp.array([0.3, -1.2, 2.5])


def test_formula() -> None:
    net = nn.periodic(4, frequencies=5)
    params, _ = net.init(jax.random.key(0), X)
    f, w, b = (np.asarray(params[name], np.float64) for name in ("f", "w", "b"))
    b = b + 0.1
    want = np.zeros((3, 4))
    for j, x in enumerate(np.asarray(X, np.float64)):
        waves = np.concatenate([np.cos(2 * np.pi * f[j] * x), np.sin(2 * np.pi * f[j] * x)])
        want[j] = np.maximum(waves @ w[j] + b[j], 0)
    found = net(params | {"b": params["b"] + 0.1}, X)
    np.testing.assert_allclose(found, want, atol=1e-4)
    assert (want > 0).any() and (want == 0).any()


def test_columns_have_nothing_in_common() -> None:
    net = nn.periodic(4)
    params, _ = net.init(jax.random.key(0), X)
    other = net(params, X.at[1].set(9.0))
    same = np.asarray(net(params, X) == other).all(1)
    assert same.tolist() == [True, False, True]


def test_gradients() -> None:
    net = nn.periodic(3, frequencies=2, highest=0.5)
    params, _ = net.init(jax.random.key(1), X)
    params = params | {"b": params["b"] + 2.0}  # away from the kink of relu
    forward = jax.jit(lambda params, x: net(params, x))
    check_grads(forward, (params, X), order=1, modes=("rev",), atol=1e-2, rtol=1e-2)


def test_scales_are_a_geometric_ladder() -> None:
    drawn = np.asarray(ladder(0.05, 30.0)(jax.random.key(0), (20_000, 4), jnp.float32))
    np.testing.assert_allclose(drawn.std(0), np.geomspace(0.05, 30.0, 4), rtol=0.03)


def test_scales_may_be_traced() -> None:
    def first(highest: jax.Array) -> jax.Array:
        return nn.periodic(2, highest=highest).init(jax.random.key(0), X)[0]["f"]

    both = jax.jit(jax.vmap(first))(jnp.array([1.0, 30.0]))
    np.testing.assert_allclose(both[1], first(30.0), rtol=1e-5)


def test_prints_pickles_and_is_itself() -> None:
    net = nn.periodic(4, frequencies=5)
    assert net is nn.periodic(4, frequencies=5) and pickle.loads(pickle.dumps(net)) is net
    assert eval(repr(net), vars(nn)) is net


def test_what_it_refuses() -> None:
    with pytest.raises(nn.LayerError, match=r"periodic: has shape \(2, 2\), needs \(p,\)"):
        nn.periodic().init(jax.random.key(0), jnp.zeros((2, 2)))
    with pytest.raises(nn.LayerError, match="periodic: frequencies is 0, needs a positive integer"):
        nn.periodic(frequencies=0)


def test_densenet_formula() -> None:
    net = nn.periodic_densenet(3, frequencies=5)
    params, _ = net.init(jax.random.key(0), X)
    f, phase, w, b = (np.asarray(params[name], np.float64) for name in ("f", "phase", "w", "b"))
    want = np.zeros((3, 3))
    for j, x in enumerate(np.asarray(X, np.float64)):
        want[j] = [*(np.cos(2 * np.pi * f[j] * x + phase[j]) @ w[j] + b[j]), x]
    np.testing.assert_allclose(net(params, X), want, atol=1e-5)
    check_grads(
        jax.jit(lambda params, x: net(params, x)), (params, X), order=1, modes=("rev",), atol=1e-2, rtol=1e-2
    )


def test_densenet_begins_as_published() -> None:
    net = nn.periodic_densenet(4, frequencies=16, sigma=0.1)
    params, _ = net.init(jax.random.key(0), jnp.zeros(1000))
    assert abs(float(params["f"].std()) - 0.1) < 0.002
    for name, bound in (("phase", np.pi), ("w", 0.25), ("b", 0.25)):
        largest, spread = float(jnp.abs(params[name]).max()), float(params[name].std())
        assert largest <= bound and abs(spread / (bound / 3**0.5) - 1) < 0.03, name


def test_densenet_of_no_numbers_and_of_a_traced_spread() -> None:
    params, _ = nn.periodic_densenet().init(jax.random.key(0), jnp.zeros(0))
    assert nn.periodic_densenet()(params, jnp.zeros(0)).shape == (0, 4)

    def first(sigma: jax.Array) -> jax.Array:
        return nn.periodic_densenet(sigma=sigma).init(jax.random.key(0), X)[0]["f"]

    both = jax.jit(jax.vmap(first))(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(both[1], 2 * both[0], rtol=1e-6)


def test_what_densenet_refuses() -> None:
    with pytest.raises(nn.LayerError, match=r"periodic_densenet: has shape \(2, 2\), needs \(p,\)"):
        nn.periodic_densenet().init(jax.random.key(0), jnp.zeros((2, 2)))
    with pytest.raises(nn.LayerError, match="periodic_densenet: width is 1, needs 2 or more"):
        nn.periodic_densenet(1)


def test_waves_are_exact_and_so_are_their_derivatives() -> None:
    t = np.linspace(-0.5, 0.5, 20_001, dtype=np.float32)
    both = jax.jit(lambda t: (cosine(t), sine(t), cosine(t.astype(jnp.bfloat16))))
    for found, exact in zip(both(t), (np.cos, np.sin, np.cos), strict=True):
        tolerance = 4e-7 if found.dtype == jnp.float32 else 0.02
        np.testing.assert_allclose(np.float32(found), exact(2 * np.pi * t.astype(np.float64)), atol=tolerance)
    far = np.float32([1e3, -77.25, 1e6, 123456.5])
    np.testing.assert_allclose(both(far)[0], np.cos(2 * np.pi * far.astype(np.float64)), atol=1e-6)
    third = jax.jit(jax.vmap(jax.grad(jax.grad(jax.grad(sine)))))(t[::100])
    np.testing.assert_allclose(
        third / (2 * np.pi) ** 3, -np.cos(2 * np.pi * t[::100].astype(np.float64)), atol=1e-6
    )
