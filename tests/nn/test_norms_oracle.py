"""Norms of one example against torch, in float64: values, and gradients by the input and every parameter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch.nn.functional as F

from jdl import nn
from tests.nn.test_layers_oracle import agree, normal, run


def channels_first(function):
    return lambda x, *rest: function(x.movedim(-1, 1), *rest).movedim(1, -1)


def scaled(net):
    return lambda x, scale, bias: run(net, {"scale": scale, "bias": bias}, x)


def test_group_norm_equals_torch():
    theirs = channels_first(lambda x, scale, bias: F.group_norm(x, 3, scale, bias))
    agree(scaled(nn.group_norm(3)), theirs, normal(2, 4, 3, 6), normal(6), normal(6))
    agree(scaled(nn.group_norm(3)), theirs, normal(2, 6), normal(6), normal(6))


def test_instance_norm_equals_torch():
    theirs = channels_first(lambda x, scale, bias: F.instance_norm(x, weight=scale, bias=bias))
    agree(scaled(nn.instance_norm()), theirs, normal(2, 4, 3, 5), normal(5), normal(5))


def test_rms_norm_equals_torch():
    ours = lambda x, scale: run(nn.rms_norm(eps=1e-3), {"scale": scale}, x)
    agree(ours, lambda x, scale: F.rms_norm(x, (6,), scale, 1e-3), normal(2, 4, 6), normal(6))


@pytest.mark.parametrize("size", [1, 3, 4])
def test_local_response_norm_equals_torch(size):
    net = nn.local_response_norm(size, alpha=0.3, beta=0.6, offset=1.2)
    theirs = channels_first(lambda x: F.local_response_norm(x, size, alpha=0.3, beta=0.6, k=1.2))
    agree(lambda x: run(net, {}, x), theirs, normal(2, 4, 6))


def test_a_large_mean_costs_no_accuracy():
    """One pass, E[x^2] - E[x]^2, would lose every digit here in float32."""
    x = jnp.asarray(normal(64, 4) + 1e4, jnp.float32)
    params = {"scale": jnp.ones(4), "bias": jnp.zeros(4)}
    with jax.enable_x64(True):
        exact = nn.group_norm(2)(params, x.astype(float))
    assert np.abs(np.asarray(nn.group_norm(2)(params, x)) - np.asarray(exact)).max() < 2e-3


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (nn.group_norm(4), (3, 6), "has 6 channels, needs a multiple of 4 groups"),
        (nn.instance_norm(), (6,), r"has shape \(6,\), needs .* with positions"),
        (nn.rms_norm(), (), r"has shape \(\)"),
    ],
)
def test_bad_input(net, shape, message):
    with pytest.raises(nn.LayerError, match=message):
        net.init(jax.random.key(0), jnp.zeros(shape))


def test_bad_settings():
    with pytest.raises(nn.LayerError, match="group_norm: groups is 0"):
        nn.group_norm(0)
    with pytest.raises(nn.LayerError, match="local_response_norm: size is 1.5"):
        nn.local_response_norm(1.5)
