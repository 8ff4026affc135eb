"""Plain dropout: its rate, its mean, its random words, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from tests.nn.drawn import KEY, normal


def drop(rate, key, x):
    return nn.dropout(rate).apply({}, {}, x, key=key)[0]


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9])
def test_dropout_drops_its_rate(rate):
    # Dropped elements are binomial. At 4.9 standard deviations each side, one of these four tests fails by
    # chance once in 250,000 choices of the key; this key is fixed, and passes.
    n = 1_000_000
    dropped = int((drop(rate, KEY, jnp.ones(n)) == 0).sum())
    used = round(rate * 65536) / 65536
    assert abs(dropped - used * n) < 4.9 * (n * used * (1 - used)) ** 0.5


@pytest.mark.parametrize("size", [0, 1, 8, 9])
def test_dropout_keeps_the_mean_of_what_it_can_give(size):
    rates = np.float32([0.0, 1e-6, 0.3, 0.999, 0.9999999])
    found = jax.jit(jax.vmap(lambda rate: drop(rate, KEY, jnp.ones(size))))(rates)
    used = np.minimum(np.round(rates * 65536), 65535) / 65536
    assert found.shape == (5, size)
    for row, scale in zip(found.tolist(), 1 / (1 - used), strict=True):
        assert all(value == 0 or abs(value - scale) < 1e-5 * scale for value in row)


def test_neighbours_from_one_random_word_are_independent():
    kept = drop(0.5, KEY, jnp.ones((100_000, 2))) > 0
    # Of 100,000 pairs a half agree, give or take 158; 5 standard deviations: once in 1.7 million keys.
    assert abs(int((kept[:, 0] == kept[:, 1]).sum()) - 50_000) < 5 * 158.2


def test_dropout_of_a_batch_differs_between_examples_and_uses():
    net = nn.chain(nn.dropout(0.5), nn.dropout(0.5))
    y, _ = nn.batched(nn.dropout(0.5))({}, {}, jnp.ones((2, 64)), key=KEY)
    assert (y[0] != y[1]).any()
    twice = net.apply({}, {}, jnp.ones(64), key=KEY)[0]
    assert 0 < int((twice == 4).sum()) < int((y[0] == 2).sum())


def test_dropout_rate_may_be_traced_and_mapped():
    x, rates = jnp.ones(1000), jnp.array([0.0, 0.25, 0.9])
    together = jax.jit(jax.vmap(lambda rate: drop(rate, KEY, x)))(rates)
    for rate, found in zip(rates.tolist(), together, strict=True):
        np.testing.assert_allclose(found, drop(rate, KEY, x), rtol=1e-6)
    assert (together[0] == 1).all()


def test_without_a_key_dropout_gives_back_its_input():
    x = jnp.asarray(normal(5))
    assert nn.dropout(0.5)({}, x) is x


def test_dropout_of_infinity_drops_it():
    y = drop(0.5, KEY, jnp.full(100, jnp.inf))
    assert set(y.tolist()) == {0.0, float("inf")}


@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, 1.5, float("nan")])
def test_dropout_refuses_rates_outside_zero_to_one(rate):
    with pytest.raises(nn.LayerError, match=r"rate is .*, needs a number in \[0, 1\)"):
        nn.dropout(rate)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_a_traced_rate_outside_zero_to_one_is_nan(rate):
    assert np.isnan(jax.jit(lambda rate: drop(rate, KEY, jnp.ones(8)))(rate)).all()
