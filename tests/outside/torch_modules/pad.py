"""Padding."""

from functools import partial

from jdl import nn
from tests.outside.torch_modules.layout import each, run_image


def pad(module, weights, x, spatial, mode):
    sides = each(module.padding, 2 * spatial)  # torch gives the last axis first
    widths = tuple(zip(sides[::2], sides[1::2], strict=True))[::-1]
    value = {"value": module.value} if mode == "constant" else {}
    return run_image(nn.pad(widths, mode=mode, **value), {}, x, spatial)


MODES = {
    "CircularPad": "circular",
    "ConstantPad": "constant",
    "ReflectionPad": "reflect",
    "ReplicationPad": "replicate",
    "ZeroPad": "constant",
}
TWINS = {
    f"nn.{kind}{n}d": partial(pad, spatial=n, mode=mode) for kind, mode in MODES.items() for n in (1, 2, 3)
}
