"""Resampling, shuffling and padding against torch, in float64: values, and gradients by the input."""

import jax.numpy as jnp
import torch
import torch.nn.functional as F

from jdl import nn
from tests.nn.test_layers_oracle import agree, normal, run


def together(pairs, x):
    """Compare several layers with torch's functions of channels-first images, in one compilation."""
    nets, functions = zip(*pairs, strict=True)

    def ours(x):
        return jnp.concatenate([run(net, {}, x).reshape(len(x), -1) for net in nets], 1)

    def theirs(x):
        outputs = [function(x.movedim(-1, 1)).movedim(1, -1) for function in functions]
        return torch.cat([y.reshape(len(x), -1) for y in outputs], 1)

    agree(ours, theirs, x)


def interpolate(size, mode, antialias=False):
    corners = {} if mode.startswith("nearest") else {"align_corners": False, "antialias": antialias}
    return lambda x: F.interpolate(x, size, mode=mode, **corners)


def test_resize_equals_torchs_interpolate():
    smaller, larger = (3, 4), (9, 8)
    pairs = [
        (nn.resize(larger, "nearest"), interpolate(larger, "nearest-exact")),
        (nn.resize(smaller, "nearest"), interpolate(smaller, "nearest-exact")),
        (nn.resize(larger), interpolate(larger, "bilinear")),
        (nn.resize(smaller, antialias=False), interpolate(smaller, "bilinear")),
        (nn.resize(smaller), interpolate(smaller, "bilinear", antialias=True)),
        (nn.resize((3, 9)), interpolate((3, 9), "bilinear", antialias=True)),
        (nn.resize(smaller, "cubic"), interpolate(smaller, "bicubic", antialias=True)),
        (nn.resize(larger, "cubic"), interpolate(larger, "bicubic", antialias=True)),
        (nn.resize(larger, "cubic-pytorch", antialias=False), interpolate(larger, "bicubic")),
        (nn.resize(smaller, "cubic-pytorch", antialias=False), interpolate(smaller, "bicubic")),
    ]
    together(pairs, normal(2, 6, 7, 2))


def test_resize_in_one_and_three_dimensions_equals_torchs():
    linear = lambda x: F.interpolate(x, (5,), mode="linear", align_corners=False)
    together([(nn.resize((5,)), linear)], normal(2, 4, 3))
    trilinear = lambda x: F.interpolate(x, (5, 2, 4), mode="trilinear", align_corners=False)
    together([(nn.resize((5, 2, 4), antialias=False), trilinear)], normal(1, 3, 4, 3, 2))


def test_shuffling_and_padding_equal_torchs():
    uneven = ((2, 1), (0, 3))  # torch names the last axis first
    pairs = [
        (nn.pixel_shuffle(2), lambda x: F.pixel_shuffle(x, 2)),
        (nn.pixel_unshuffle(2), lambda x: F.pixel_unshuffle(x, 2)),
        (nn.pad(2), lambda x: F.pad(x, (2, 2, 2, 2))),
        (nn.pad(uneven, value=1.5), lambda x: F.pad(x, (0, 3, 2, 1), value=1.5)),
        (nn.pad(uneven, mode="reflect"), lambda x: F.pad(x, (0, 3, 2, 1), "reflect")),
        (nn.pad(uneven, mode="replicate"), lambda x: F.pad(x, (0, 3, 2, 1), "replicate")),
        (nn.pad(uneven, mode="circular"), lambda x: F.pad(x, (0, 3, 2, 1), "circular")),
    ]
    together(pairs, normal(2, 4, 6, 8))
