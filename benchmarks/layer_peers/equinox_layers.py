"""Equinox: modules of one example, channels first, under ``vmap``."""

import equinox as eqx
import jax
import jax.numpy as jnp
from equinox import nn

from layer_peers.cases import Case
from layer_peers.loop import scanned

KEY = jax.random.key(0)
SEQUENCES = ("attention", "layer_norm", "rms_norm", "lstm", "gru")


def build(case: Case):
    """Loop in a scan."""
    x = jnp.asarray(case.input())
    if case.kind not in SEQUENCES:
        x = jnp.moveaxis(x, -1, 1)
    channels = case.shape[-1]
    module, state = nn.make_with_state(LAYERS[case.kind])(case.spatial, channels, **case.options)
    params, static = eqx.partition(module, eqx.is_inexact_array)

    def apply(params: eqx.Module, state: nn.State, x: jax.Array) -> tuple[jax.Array, nn.State]:
        layer = eqx.combine(params, static)
        if case.kind == "batch_norm":
            return jax.vmap(layer, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)
        return jax.vmap(layer)(x), state

    return scanned(apply, params, state, x, case.steps)


class Rows(eqx.Module):
    """A module of one vector, on every row of a matrix."""

    layer: eqx.Module

    def __call__(self, x: jax.Array) -> jax.Array:
        return jax.vmap(self.layer)(x)


class Attention(eqx.Module):
    """Attention of a sequence to itself."""

    attention: nn.MultiheadAttention
    causal: bool

    def __call__(self, x: jax.Array) -> jax.Array:
        mask = jnp.tril(jnp.ones((len(x), len(x)), bool)) if self.causal else None
        return self.attention(x, x, x, mask)


class Recurrent(eqx.Module):
    """A cell over a sequence."""

    cell: eqx.Module
    carried: int

    def __call__(self, x: jax.Array) -> jax.Array:
        zeros = jnp.zeros(self.cell.hidden_size)

        def step(carry: object, x: jax.Array) -> tuple[object, jax.Array]:
            carry = self.cell(x, carry)
            return carry, carry[0] if self.carried > 1 else carry

        return jax.lax.scan(step, (zeros, zeros) if self.carried > 1 else zeros, x)[1]


def conv(spatial: int, channels: int, width: int, window: int, stride: int, groups: int) -> eqx.Module:
    """Convolve with zeros around."""
    return nn.Conv(spatial, channels, width, window, stride, padding="SAME", groups=groups, key=KEY)


def conv_transpose(spatial: int, channels: int, width: int, window: int, stride: int) -> eqx.Module:
    """Convolve the other way round."""
    return nn.ConvTranspose(spatial, channels, width, window, stride, padding="SAME", key=KEY)


def max_pool(spatial: int, channels: int, window: int, stride: int) -> eqx.Module:
    """Take the largest."""
    return (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[spatial - 1](window, stride)


def average_pool(spatial: int, channels: int, window: int, stride: int) -> eqx.Module:
    """Take the mean."""
    return (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[spatial - 1](window, stride)


def attention(spatial: int, channels: int, heads: int, causal: bool = False) -> eqx.Module:
    """Attend within each sequence."""
    biases = {f"use_{part}_bias": True for part in ("query", "key", "value", "output")}
    return Attention(nn.MultiheadAttention(heads, channels, **biases, key=KEY), causal)


LAYERS = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "max_pool": max_pool,
    "average_pool": average_pool,
    "adaptive_average_pool": lambda spatial, n, size: nn.AdaptiveAvgPool2d(size),
    "batch_norm": lambda spatial, n: nn.BatchNorm(n, axis_name="batch", momentum=0.9, mode="batch"),
    "layer_norm": lambda spatial, n: Rows(nn.LayerNorm(n)),
    "group_norm": lambda spatial, n, groups: nn.GroupNorm(groups, n),
    "rms_norm": lambda spatial, n: Rows(nn.RMSNorm(n)),
    "attention": attention,
    "lstm": lambda spatial, n, width: Recurrent(nn.LSTMCell(n, width, key=KEY), 2),
    "gru": lambda spatial, n, width: Recurrent(nn.GRUCell(n, width, key=KEY), 1),
}
