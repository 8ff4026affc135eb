"""Pooling over windows, and to a fixed size."""

from functools import partial
from math import prod

from jdl import nn
from tests.outside.torch_modules.layout import each, pads, run_image


def window(module, spatial):
    """Give a window, and the stride, which in torch too is the window unless given."""
    size = each(module.kernel_size, spatial)
    return size, each(module.stride or size, spatial)


def max_pool(module, weights, x, spatial):
    size, stride = window(module, spatial)
    net = nn.max_pool(size, stride=stride, padding=pads(module.padding, spatial))
    y = run_image(net, {}, x, spatial)
    return (y, None) if module.return_indices else y


def average_pool(module, weights, x, spatial):
    size, stride = window(module, spatial)
    net = nn.average_pool(size, stride=stride, padding=pads(module.padding, spatial))
    divisor = getattr(module, "divisor_override", None)
    return run_image(net, {}, x, spatial) * (1 if divisor is None else prod(size) / divisor)


def lp_pool(module, weights, x, spatial):
    size, stride = window(module, spatial)
    return run_image(nn.lp_pool(module.norm_type, size, stride=stride), {}, x, spatial)


def adaptive(layer, module, weights, x, spatial):
    size = each(module.output_size, spatial)
    size = tuple(x.shape[i - spatial] if n is None else n for i, n in enumerate(size))
    return run_image(layer(size), {}, x, spatial)


KINDS = {
    "MaxPool": max_pool,
    "AvgPool": average_pool,
    "LPPool": lp_pool,
    "AdaptiveMaxPool": lambda *args, **options: adaptive(nn.adaptive_max_pool, *args, **options),
    "AdaptiveAvgPool": lambda *args, **options: adaptive(nn.adaptive_average_pool, *args, **options),
}
TWINS = {f"nn.{kind}{n}d": partial(pool, spatial=n) for kind, pool in KINDS.items() for n in (1, 2, 3)}
