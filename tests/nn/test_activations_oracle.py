"""Activations against torch, in float64, all in one program: values and gradients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from jdl import nn
from tests.nn.test_layers_oracle import agree, normal, run

PAIRS = {
    "elu": (nn.elu, F.elu),
    "gelu": (nn.gelu, partial(F.gelu, approximate="tanh")),
    "gelu_exact": (nn.gelu_exact, F.gelu),
    "hard_shrink": (nn.hard_shrink, F.hardshrink),
    "hard_silu": (nn.hard_silu, F.hardswish),
    "hard_tanh": (nn.hard_tanh, F.hardtanh),
    "identity": (nn.identity, torch.Tensor.clone),
    "leaky_relu": (nn.leaky_relu, F.leaky_relu),
    "log_sigmoid": (nn.log_sigmoid, F.logsigmoid),
    "log_softmax": (nn.log_softmax, partial(F.log_softmax, dim=-1)),
    "mish": (nn.mish, F.mish),
    "relu": (nn.relu, F.relu),
    "relu6": (nn.relu6, F.relu6),
    "selu": (nn.selu, F.selu),
    "sigmoid": (nn.sigmoid, F.sigmoid),
    "silu": (nn.silu, F.silu),
    "soft_shrink": (partial(nn.soft_shrink, limit=0.3), partial(F.softshrink, lambd=0.3)),
    "soft_sign": (nn.soft_sign, F.softsign),
    "softmax": (nn.softmax, partial(F.softmax, dim=-1)),
    "softplus": (nn.softplus, F.softplus),
    "tanh": (nn.tanh, torch.tanh),
    "tanh_shrink": (nn.tanh_shrink, F.tanhshrink),
    "threshold": (
        partial(nn.threshold, limit=0.4, value=-3.0),
        partial(F.threshold, threshold=0.4, value=-3.0),
    ),
    # Those that torch has no name for, by what they are defined as.
    "sparse_plus": (nn.sparse_plus, lambda x: torch.where(x > 1, x, ((x.clamp(min=-1) + 1) ** 2) / 4)),
    "sparse_sigmoid": (nn.sparse_sigmoid, lambda x: ((x + 1) / 2).clamp(0, 1)),
    "squareplus": (nn.squareplus, lambda x: (x + (x * x + 4).sqrt()) / 2),
    "standardize": (
        partial(nn.standardize, epsilon=0.01),
        lambda x: (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 0.01).sqrt(),
    ),
}
ROUNDED = {  # JAX holds the slopes, 1 / 0.7 and 1 / 6, in float32
    "celu": (partial(nn.celu, alpha=0.7), partial(F.celu, alpha=0.7)),
    "hard_sigmoid": (nn.hard_sigmoid, F.hardsigmoid),
}
HALVED = {
    "glu": (nn.glu, F.glu),
    "geglu": (nn.geglu, lambda x: x[..., :4] * F.gelu(x[..., 4:], approximate="tanh")),
    "reglu": (nn.reglu, lambda x: x[..., :4] * F.relu(x[..., 4:])),
    "swiglu": (nn.swiglu, lambda x: x[..., :4] * F.silu(x[..., 4:])),
}


@pytest.mark.parametrize(("pairs", "tolerance"), [(PAIRS, 1e-9), (HALVED, 1e-9), (ROUNDED, 1e-7)])
def test_activations_equal_torch(pairs, tolerance):
    x = 3 * normal(5, 8)
    ours = lambda x: jnp.stack([ours(x) for ours, _ in pairs.values()])
    agree(ours, lambda x: torch.stack([theirs(x) for _, theirs in pairs.values()]), x, tolerance=tolerance)


def test_no_activation_is_left_out():
    assert {*PAIRS, *HALVED, *ROUNDED} == set(nn.activations.__all__)


@pytest.mark.parametrize("shared", [False, True])
def test_prelu_equals_torch(shared):
    ours = lambda x, slope: run(nn.prelu(shared=shared), {"slope": slope}, x)
    theirs = lambda x, slope: F.prelu(x.movedim(-1, 1), slope).movedim(1, -1)
    agree(ours, theirs, normal(2, 4, 3), normal(1 if shared else 3))


def test_learned_swish_is_silu_of_its_own_steepness():
    def theirs(x, beta):
        return x * torch.sigmoid(beta * x)

    agree(lambda x, beta: run(nn.learned_swish(), {"beta": beta}, x), theirs, normal(2, 3), normal(3))


def test_rrelu_draws_slopes_in_its_range_and_predicts_with_their_mean():
    x = jnp.asarray([-1.0, 2.0] * 2000)
    net = nn.rrelu(0.1, 0.3)
    np.testing.assert_allclose(
        net({}, x), F.rrelu(torch.tensor(np.array(x)), 0.1, 0.3, training=False), rtol=1e-6
    )
    drawn = -np.asarray(net.apply({}, {}, x, key=jax.random.key(0))[0])
    assert (drawn[1::2] == -2).all()
    slopes = drawn[::2]
    assert slopes.min() >= 0.1 and slopes.max() < 0.3
    assert abs(slopes.mean() - 0.2) < 5 * 0.2 / np.sqrt(12 * 2000)  # five standard errors of a uniform mean


def test_a_scalar_has_no_channels():
    with pytest.raises(nn.LayerError, match=r"prelu: has shape \(\), needs"):
        nn.prelu().init(jax.random.key(0), 1.0)
