"""Activations and initializers: their variance, their range, and that they are values."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn

KEY = jax.random.key(0)


def test_activations_are_plain_functions_that_pickle_in_a_network():
    from jdl.nn import activations

    for name in activations.__all__:
        net = nn.chain(getattr(nn, name))
        assert pickle.loads(pickle.dumps(net)) is net
        assert net({}, jnp.ones(4)).shape == ((2,) if name.endswith("glu") else (4,))


SAMPLES = 200_000


FAN_IN, FAN_OUT = 9 * 20, 9 * 200  # of a window (3, 3), 20 channels in and 200 out


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        (nn.init.normal(0.3), 0.09),
        (nn.init.uniform(-1, 2), 9 / 12),
        (nn.init.lecun_normal(), 1 / FAN_IN),
        (nn.init.he_normal(), 2 / FAN_IN),
        (nn.init.glorot_uniform(), 2 / (FAN_IN + FAN_OUT)),
        (nn.init.variance_scaling(3.0, "fan_out", "normal"), 3 / FAN_OUT),
    ],
    ids=repr,
)
def test_initializers_have_their_variance(init, variance):
    draws = np.asarray(init(KEY, (3, 3, 20, 200)), np.float64)
    kurtosis = np.mean((draws - draws.mean()) ** 4) / draws.var() ** 2
    spread = variance * ((kurtosis - 1) / draws.size) ** 0.5  # the standard error of a variance
    assert abs(draws.var() - variance) < 5 * spread  # once in 1.7 million keys


@pytest.mark.parametrize("init", [nn.init.lecun_normal(), nn.init.he_normal()], ids=repr)
def test_truncated_normals_end_at_two_deviations_of_the_untruncated(init):
    draws = np.asarray(init(KEY, (100, 1000)))
    limit = 2 * draws.std() / 0.87962566  # the deviation that truncating at two leaves
    assert 0.97 * limit < np.abs(draws).max() < 1.03 * limit


@pytest.mark.parametrize(
    ("init", "low", "high"),
    [(nn.init.uniform(-1, 2), -1, 2), (nn.init.glorot_uniform(), -((6 / 1100) ** 0.5), (6 / 1100) ** 0.5)],
)
def test_uniforms_fill_their_range(init, low, high):
    draws = np.asarray(init(KEY, (100, 1000)))
    assert low <= draws.min() < low + 0.001 * (high - low)
    assert high - 0.001 * (high - low) < draws.max() <= high


def test_initializers_are_values():
    assert nn.init.normal(0.3) is nn.init.normal(0.3)
    assert nn.dense(3, init=nn.init.he_normal()) is nn.dense(3, init=nn.init.he_normal())
    assert pickle.loads(pickle.dumps(nn.init.zeros)) is nn.init.zeros


def test_layers_use_the_initializer_they_are_given():
    for net, x in (
        (nn.dense(2, init=nn.init.ones), jnp.zeros(3)),
        (nn.conv(2, init=nn.init.ones), jnp.zeros((4, 4, 1))),
    ):
        params, _ = net.init(KEY, x)
        assert (params["w"] == 1).all()
        assert (params["b"] == 0).all()
    params, _ = nn.attention(1, init=nn.init.constant(0.5), bias=False).init(KEY, jnp.zeros((2, 4)))
    assert all((part["w"] == 0.5).all() and "b" not in part for part in params.values())
    assert np.isclose(nn.embed(50, 100).init(KEY, jnp.zeros(1, int))[0]["w"].std(), 0.1, rtol=0.05)
