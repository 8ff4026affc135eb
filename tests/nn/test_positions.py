"""Positions: the published tables and rotations, and what they promise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdl import nn

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


@pytest.mark.parametrize("n", [6, 5])
def test_sinusoidal_positions_are_the_papers(n):
    x, base = RNG.normal(size=(7, n)), 50.0
    expected = x.copy()
    for t in range(7):
        for column in range(n):
            angle = t / base ** (2 * (column // 2) / n)
            expected[t, column] += np.cos(angle) if column % 2 else np.sin(angle)
    with jax.enable_x64(True):
        found = jax.jit(lambda x, base: nn.sinusoidal_positions(base=base)({}, x))(jnp.asarray(x), base)
    assert found.dtype == jnp.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_sinusoidal_positions_keep_the_dtype_and_are_computed_in_float32():
    found = nn.sinusoidal_positions()({}, jnp.zeros((600, 2), jnp.bfloat16))
    assert found.dtype == jnp.bfloat16  # which does not know 257 from 256
    np.testing.assert_allclose(found[:, 0].astype(float), np.sin(np.arange(600)), atol=2**-8)


def test_learned_positions_are_rows_of_their_table():
    net, x = nn.learned_positions(5), normal(3, 4)
    params, _ = net.init(KEY, x)
    assert params["w"].shape == (5, 4)
    y, back = jax.vjp(net, params, x)
    np.testing.assert_allclose(y, x + params["w"][:3])
    np.testing.assert_array_equal(back(y)[0]["w"], jnp.pad(y, [(0, 2), (0, 0)]))
    large, _ = nn.learned_positions(500).init(KEY, jnp.zeros((1, 100)))
    assert abs(large["w"].std() - 0.02) < 5 * 0.02 / (2 * large["w"].size) ** 0.5  # five standard errors


def test_sequences_too_long_or_of_another_shape():
    with pytest.raises(nn.LayerError, match="place: has length 6, needs at most 5"):
        nn.chain(place=nn.learned_positions(5)).specs(jnp.zeros((6, 4)))
    with pytest.raises(nn.LayerError, match="learned_positions: max_length is 0, needs a positive integer"):
        nn.learned_positions(0)
    for net in (nn.learned_positions(5), nn.sinusoidal_positions()):
        with pytest.raises(nn.LayerError, match=r"place: has shape \(6,\), needs \(length, n\)"):
            nn.chain(place=net).specs(jnp.zeros(6))


@jax.jit
def rotated(x, positions, base):
    return nn.rotary(x, positions, base=base)


def test_rotary_turns_each_pair_by_its_angle():
    x, positions, base = RNG.normal(size=(5, 2, 6)), np.array([0, 1, 2, 7, 1000]), 30.0
    pairs = x[..., :3] + 1j * x[..., 3:]
    turned = pairs * np.exp(1j * positions[:, None] / base ** (np.arange(3) / 3))[:, None]
    with jax.enable_x64(True):
        found = rotated(jnp.asarray(x), positions, base)
    assert found.dtype == jnp.float64
    np.testing.assert_allclose(found, np.concatenate([turned.real, turned.imag], -1), rtol=1e-9)


QUERIES, KEYS = np.float32(RNG.normal(size=(2, 4, 6)))


@given(shift=st.integers(-500, 500), base=st.floats(2.0, 1e5))
def test_products_of_rotated_vectors_depend_on_distance_alone(shift, base):
    q, k = QUERIES, KEYS
    at = np.array([0, 3, 9, 4])
    here, there = (rotated(q, at + by, base) @ rotated(k, at + by, base).T for by in (0, shift))
    # Angles of up to 509, in float32: half a unit in the last place of each is 2**-16.
    np.testing.assert_allclose(there, here, atol=4 * 2**-16 * np.abs(q).max() * np.abs(k).max() * 6)
    np.testing.assert_allclose(
        np.linalg.norm(rotated(q, at, base), axis=-1), np.linalg.norm(q, axis=-1), rtol=1e-5
    )


def test_rotary_keeps_the_dtype_and_refuses_odd_widths():
    assert nn.rotary(jnp.ones((2, 4), jnp.bfloat16), jnp.arange(2)).dtype == jnp.bfloat16
    for shape in ((3, 5), (4,)):
        with pytest.raises(nn.LayerError, match=r"rotary: has shape .*, needs \(length, …, d\), d even"):
            nn.rotary(jnp.zeros(shape), jnp.arange(3))
