"""Activations: functions of every element, or along one axis."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jdl import nn


def of(name: str, **options: str) -> Callable[..., Any]:
    """Adapt ``nn.name(x, ours=module.theirs)``."""

    def adapter(module, weights, x):
        given = {ours: getattr(module, theirs) for ours, theirs in options.items()}
        return getattr(nn, name)(x, **given)

    return adapter


def gelu(module, weights, x):
    return (nn.gelu if module.approximate == "tanh" else nn.gelu_exact)(x)


def prelu(module, weights, x):
    shared = module.num_parameters == 1
    last = jnp.atleast_1d(x) if shared else jnp.moveaxis(x, 1, -1)
    y = nn.prelu(shared=shared)({"slope": weights["weight"]}, last)
    return y.reshape(x.shape) if shared else jnp.moveaxis(y, -1, 1)


def softmax_of_channels(module, weights, x):
    return nn.softmax(x, axis=-3)


def softmin(module, weights, x):
    return nn.softmax(-x, axis=module.dim)


def softplus(module, weights, x):
    # Beyond its threshold torch goes over to the identity, which softplus there is to within rounding.
    return nn.softplus(module.beta * x) / module.beta


TWINS = {
    "nn.CELU": of("celu", alpha="alpha"),
    "nn.ELU": of("elu", alpha="alpha"),
    "nn.GELU": gelu,
    "nn.GLU": of("glu", axis="dim"),
    "nn.Hardshrink": of("hard_shrink", limit="lambd"),
    "nn.Hardswish": of("hard_silu"),
    "nn.Hardtanh": of("hard_tanh"),
    "nn.LeakyReLU": of("leaky_relu", negative_slope="negative_slope"),
    "nn.LogSigmoid": of("log_sigmoid"),
    "nn.LogSoftmax": of("log_softmax", axis="dim"),
    "nn.Mish": of("mish"),
    "nn.PReLU": prelu,
    "nn.ReLU": of("relu"),
    "nn.ReLU6": of("relu6"),
    "nn.SELU": of("selu"),
    "nn.Sigmoid": of("sigmoid"),
    "nn.SiLU": of("silu"),
    "nn.Softmax": of("softmax", axis="dim"),
    "nn.Softmax2d": softmax_of_channels,
    "nn.Softmin": softmin,
    "nn.Softplus": softplus,
    "nn.Softshrink": of("soft_shrink", limit="lambd"),
    "nn.Softsign": of("soft_sign"),
    "nn.Tanh": of("tanh"),
    "nn.Tanhshrink": of("tanh_shrink"),
    "nn.Threshold": of("threshold", limit="threshold", value="value"),
}
