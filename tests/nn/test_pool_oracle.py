"""Pooling against torch, in float64: values, and gradients by the input."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from jdl import nn
from tests.nn.test_layers_oracle import agree, normal, run

# Of each number of spatial axes several layers at once, for one compilation: ours, and torch's function.
LENGTHS = {1: (7,), 2: (6, 7), 3: (4, 5, 4)}


def pairs(axes):
    max_pool, average, lp = (getattr(F, f"{kind}_pool{axes}d") for kind in ("max", "avg", "lp"))
    adaptive_max, adaptive_average = (getattr(F, f"adaptive_{kind}_pool{axes}d") for kind in ("max", "avg"))
    window, size = (3,) * axes, (3, 2, 5)[:axes]
    uneven = tuple(range(2, 2 + axes))
    every = tuple(range(2, 2 + axes))
    return [
        (nn.max_pool(window, stride=2, padding=1), lambda x: max_pool(x, 3, 2, 1)),
        (nn.max_pool(uneven, stride=1, dilation=2), lambda x: max_pool(x, uneven, 1, 0, 2)) if axes < 3 else
        (nn.max_pool((2, 2, 2), stride=1, dilation=2), lambda x: max_pool(x, 2, 1, 0, 2)),
        (nn.average_pool(window, stride=2, padding=1), lambda x: average(x, 3, 2, 1)),
        (
            nn.average_pool(window, stride=1, padding=1, count_padding=False),
            lambda x: average(x, 3, 1, 1, count_include_pad=False),
        ),
        (nn.lp_pool(2, (2,) * axes), lambda x: lp(x, 2, 2)),
        (nn.chain(jnp.exp, nn.lp_pool(3.0, (2,) * axes, stride=1)), lambda x: lp(x.exp(), 3.0, 2, 1)),
        (nn.adaptive_average_pool(size), lambda x: adaptive_average(x, size)),
        (nn.adaptive_max_pool(size), lambda x: adaptive_max(x, size)),
        (nn.global_average_pool, lambda x: x.mean(every)),
        (nn.global_max_pool, lambda x: x.amax(every)),
    ]  # fmt: skip


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_pools_equal_torchs(axes):
    nets, functions = zip(*pairs(axes), strict=True)

    def ours(x):
        return jnp.concatenate([run(nn.chain(net), {}, x).reshape(len(x), -1) for net in nets], 1)

    def theirs(x):
        outputs = [function(x.movedim(-1, 1)) for function in functions]
        outputs = [y.movedim(1, -1) if y.ndim > 2 else y for y in outputs]
        return torch.cat([y.reshape(len(x), -1) for y in outputs], 1)

    agree(ours, theirs, normal(2, *LENGTHS[axes], 2))


def test_the_first_of_equals_is_torchs():
    x = np.random.default_rng(1).integers(0, 3, (1, 6, 7, 2)).astype(float)  # many equals
    net = nn.max_pool(3, stride=2, padding=1)
    agree(lambda x: run(net, {}, x), lambda x: F.max_pool2d(x.movedim(-1, 1), 3, 2, 1).movedim(1, -1), x)
