"""jdl: layers of one example, through ``nn.batched``."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jdl import nn
from layer_peers.cases import Case
from layer_peers.loop import scanned


def build(case: Case):
    """Loop in a scan."""
    x = jnp.asarray(case.input())
    net = LAYERS[case.kind](spatial=case.spatial, **case.options)
    params, state = net.init(jax.random.key(0), x[0])
    key = jax.random.key(1)

    def apply(params: dict, state: dict, x: jax.Array) -> tuple[jax.Array, dict]:
        return nn.batched(net)(params, state, x, key=key)

    return scanned(apply, params, state, x, case.steps)


def conv(spatial: int, width: int, window: int, stride: int, groups: int) -> nn.Layer:
    """Convolve with as many axes as the input has; by channel where each is a group."""
    size, steps = (window,) * spatial, (stride,) * spatial
    return nn.conv(width, size, stride=steps, groups=groups)


def conv_transpose(spatial: int, width: int, window: int, stride: int) -> nn.Layer:
    """Convolve the other way round."""
    return nn.conv_transpose(width, (window,) * spatial, stride=(stride,) * spatial)


def pool(layer: Callable[..., nn.Layer]) -> Callable[..., nn.Layer]:
    """Pool over windows."""
    return lambda spatial, window, stride: layer((window,) * spatial, stride=(stride,) * spatial)


def lp_pool(spatial: int, p: float, window: int, stride: int) -> nn.Layer:
    """Take a norm of each window."""
    return nn.lp_pool(p, (window,) * spatial, stride=(stride,) * spatial)


LAYERS = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "max_pool": pool(nn.max_pool),
    "average_pool": pool(nn.average_pool),
    "lp_pool": lp_pool,
    "adaptive_average_pool": lambda spatial, size: nn.adaptive_average_pool((size,) * spatial),
    "batch_norm": lambda spatial: nn.batch_norm(),
    "layer_norm": lambda spatial: nn.layer_norm(),
    "group_norm": lambda spatial, groups: nn.group_norm(groups),
    "instance_norm": lambda spatial: nn.instance_norm(),
    "rms_norm": lambda spatial: nn.rms_norm(),
    "attention": lambda spatial, heads, **options: nn.attention(heads, **options),
    "rnn": lambda spatial, width: nn.rnn(width),
    "lstm": lambda spatial, width: nn.lstm(width),
    "gru": lambda spatial, width: nn.gru(width),
}
