"""Flax Linen: modules of a batch."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from layer_peers.cases import Case
from layer_peers.loop import scanned


def build(case: Case):
    """Loop in a scan."""
    x = jnp.asarray(case.input())
    module = LAYERS[case.kind](spatial=case.spatial, **case.options)
    variables = module.init(jax.random.key(0), x)
    params, state = variables.get("params", {}), variables.get("batch_stats", {})

    def apply(params: dict, state: dict, x: jax.Array) -> tuple[jax.Array, dict]:
        y, changed = module.apply({"params": params, "batch_stats": state}, x, mutable=["batch_stats"])
        return y, changed.get("batch_stats", {})

    return scanned(apply, params, state, x, case.steps)


class Function(nn.Module):
    """A function as a module."""

    function: object

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return self.function(x)


class CausalAttention(nn.Module):
    """Attention with a causal mask."""

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        mask = nn.make_causal_mask(x[..., 0])
        return nn.MultiHeadDotProductAttention(self.heads)(x, mask=mask)


def conv(spatial: int, width: int, window: int, stride: int, groups: int) -> nn.Module:
    """Convolve with zeros around."""
    return nn.Conv(width, (window,) * spatial, strides=stride, feature_group_count=groups)


def conv_transpose(spatial: int, width: int, window: int, stride: int) -> nn.Module:
    """Convolve the other way round."""
    return nn.ConvTranspose(width, (window,) * spatial, strides=(stride,) * spatial)


def pool(function: object):
    """Make a module of a pooling function."""

    def build(spatial: int, window: int, stride: int) -> nn.Module:
        return Function(lambda x: function(x, (window,) * spatial, strides=(stride,) * spatial))

    return build


def attention(spatial: int, heads: int, causal: bool = False) -> nn.Module:
    """Attend within each sequence."""
    return CausalAttention(heads) if causal else nn.MultiHeadDotProductAttention(heads)


LAYERS = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "max_pool": pool(nn.max_pool),
    "average_pool": pool(nn.avg_pool),
    "batch_norm": lambda spatial: nn.BatchNorm(use_running_average=False, momentum=0.9, epsilon=1e-5),
    "layer_norm": lambda spatial: nn.LayerNorm(epsilon=1e-5),
    "group_norm": lambda spatial, groups: nn.GroupNorm(groups, epsilon=1e-5),
    "instance_norm": lambda spatial: nn.InstanceNorm(epsilon=1e-5),
    "rms_norm": lambda spatial: nn.RMSNorm(epsilon=1e-5),
    "attention": attention,
    "rnn": lambda spatial, width: nn.RNN(nn.SimpleCell(width)),
    "lstm": lambda spatial, width: nn.RNN(nn.OptimizedLSTMCell(width)),
    "gru": lambda spatial, width: nn.RNN(nn.GRUCell(width)),
}
