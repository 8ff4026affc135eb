"""Convolutions, also those that torch calls lazy."""

from functools import partial

import jax.numpy as jnp

from jdl import nn
from tests.outside.torch_modules.layout import each, pads, renamed, run_image


def conv(module, weights, x, spatial):
    window = each(module.kernel_size, spatial)
    padding = module.padding
    padding = padding.upper() if isinstance(padding, str) else pads(padding, spatial)
    net = nn.conv(
        module.out_channels, window, stride=module.stride, dilation=module.dilation, groups=module.groups,
        padding=padding, bias=module.bias is not None,
    )  # fmt: skip
    w = jnp.moveaxis(weights["weight"], (0, 1), (-1, -2))
    return run_image(net, {**renamed(weights, b="bias"), "w": w}, x, spatial)


def conv_transpose(module, weights, x, spatial):
    options = {"stride": module.stride, "dilation": module.dilation, "output_padding": module.output_padding}
    options |= {"padding": pads(module.padding, spatial), "bias": module.bias is not None}
    net = nn.conv_transpose(module.out_channels, each(module.kernel_size, spatial), **options)
    w = jnp.moveaxis(weights["weight"], (0, 1), (-2, -1))  # the transposed layer's input channels come first
    return run_image(net, {**renamed(weights, b="bias"), "w": w}, x, spatial)


KINDS = {"Conv": conv, "ConvTranspose": conv_transpose}
TWINS = {
    f"nn.{lazy}{kind}{n}d": partial(adapter, spatial=n)
    for lazy in ("", "Lazy")
    for kind, adapter in KINDS.items()
    for n in (1, 2, 3)
}
