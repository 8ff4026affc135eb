"""Convolutions against torch and Flax, in float64: values, and gradients by input and parameters."""

import flax.linen as linen
import pytest
import torch
import torch.nn.functional as F

from jdl import nn
from tests.nn.test_layers_oracle import agree, in_jax, normal, run

FORWARD = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}

CONVS = [
    # window, channels, width, arguments
    ((3,), 2, 4, {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}),
    ((3, 2), 4, 6, {"stride": (1, 2), "padding": 1, "groups": 2}),
    ((3, 3, 2), 2, 3, {"padding": 1, "stride": (1, 2, 1)}),
]


@pytest.mark.parametrize(("window", "channels", "width", "how"), CONVS)
def test_conv_equals_torch(window, channels, width, how):
    net = nn.conv(width, window, **how)

    def theirs(x, w, b):
        kernel = w.permute(-1, -2, *range(len(window)))
        return FORWARD[len(window)](x.movedim(-1, 1), kernel, b, **how).movedim(1, -1)

    kernel = normal(*window, channels // how.get("groups", 1), width)
    lengths = (6, 5, 4)[: len(window)]
    agree(
        lambda x, w, b: run(net, {"w": w, "b": b}, x),
        theirs,
        normal(2, *lengths, channels),
        kernel,
        normal(width),
    )


def test_depthwise_and_separable_convolutions_equal_torch():
    net = nn.separable_conv(5, multiplier=2, stride=2, padding=1)

    def ours(x, depthwise, w, b):
        return run(net, {"depthwise": {"w": depthwise}, "pointwise": {"w": w, "b": b}}, x)

    def theirs(x, depthwise, w, b):
        y = F.conv2d(x.movedim(-1, 1), depthwise.permute(3, 2, 0, 1), None, 2, 1, groups=3)
        return F.linear(y.movedim(1, -1), w.T, b)

    agree(ours, theirs, normal(2, 5, 6, 3), normal(3, 3, 1, 6), normal(6, 5), normal(5))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_a_convolution_after_padding_equals_torchs_padding_mode(mode):
    module = torch.nn.Conv1d(2, 3, 3, padding=2, padding_mode=mode, dtype=torch.float64)
    ours_mode = "constant" if mode == "zeros" else mode
    net = nn.chain(nn.pad(2, mode=ours_mode), nn.conv(3, (3,), padding="VALID"))

    def theirs(x, w, b):
        named = {"weight": w.permute(2, 1, 0), "bias": b}
        return torch.func.functional_call(module, named, (x.movedim(-1, 1),)).movedim(1, -1)

    agree(
        lambda x, w, b: run(net, {"conv": {"w": w, "b": b}}, x),
        theirs,
        normal(2, 5, 2),
        normal(3, 2, 3),
        normal(3),
    )


BACK = [
    # window, channels, width, arguments
    ((2,), 3, 2, {"stride": 3, "output_padding": 2}),
    ((3,), 4, 6, {"stride": 2, "padding": 1, "output_padding": 1, "dilation": 3, "groups": 2}),
    ((3, 4), 2, 3, {"stride": (1, 2), "padding": 1}),
    ((3, 2), 4, 4, {"stride": (2, 1), "dilation": (1, 2), "groups": 4, "padding": (1, 0)}),
    ((2, 3, 2), 2, 2, {"stride": (2, 2, 1)}),
]


@pytest.mark.parametrize(("window", "channels", "width", "how"), BACK)
def test_conv_transpose_equals_torch(window, channels, width, how):
    pads, groups, axes = how.get("padding", 0), how.get("groups", 1), len(window)
    pads = pads if isinstance(pads, int) else tuple((pad, pad) for pad in pads)
    net = nn.conv_transpose(width, window, **{**how, "padding": pads})

    def theirs(x, w, b):  # torch's weight: (channels, width / groups, …)
        split = w.reshape(*window, channels // groups, groups, -1)
        kernel = split.permute(axes + 1, axes, axes + 2, *range(axes)).reshape(channels, -1, *window)
        return TRANSPOSED[axes](x.movedim(-1, 1), kernel, b, **how).movedim(1, -1)

    lengths = (3, 4, 3)[:axes]
    kernel = normal(*window, channels // groups, width)
    agree(
        lambda x, w, b: run(net, {"w": w, "b": b}, x),
        theirs,
        normal(2, *lengths, channels),
        kernel,
        normal(width),
    )


@pytest.mark.parametrize(("window", "stride"), [((3, 4), 2), ((2, 2), 3)])
def test_conv_transpose_with_same_padding_equals_flax(window, stride):
    net = nn.conv_transpose(3, window, stride=stride)
    module = linen.ConvTranspose(3, window, (stride, stride), "SAME")

    def theirs(x, w, b):
        return module.apply({"params": {"kernel": w[::-1, ::-1], "bias": b}}, x)

    args = normal(2, 3, 4, 2), normal(*window, 2, 3), normal(3)
    agree(lambda x, w, b: run(net, {"w": w, "b": b}, x), in_jax(theirs), *args)
