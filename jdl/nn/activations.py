"""Activations: plain functions, and so layers.

They are those of ``jax.nn`` (and ``jnp.tanh``). ``gelu`` is therefore the tanh approximation, as in Flax; for
the exact one, PyTorch's default, write ``functools.partial(jax.nn.gelu, approximate=False)``.
"""

import jax.numpy as jnp
from jax.nn import (
    elu,
    gelu,
    hard_sigmoid,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softmax,
    softplus,
)

tanh = jnp.tanh

__all__ = [
    "elu",
    "gelu",
    "hard_sigmoid",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_sign",
    "softmax",
    "softplus",
    "tanh",
]
