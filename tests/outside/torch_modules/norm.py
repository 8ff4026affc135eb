"""Normalisation."""

from functools import partial
from math import prod

import jax
import jax.numpy as jnp

from jdl import nn
from tests.outside.torch_modules.layout import renamed, run, run_image


def scale_and_bias(weights, shape):
    """Give torch's scale and bias, or what stands for those it has not."""
    stand_in = {"scale": jnp.ones(shape), "bias": jnp.zeros(shape)}
    return stand_in | renamed(weights, scale="weight", bias="bias")


def batch_norm(module, weights, x):
    momentum = 0.1 if module.momentum is None else module.momentum  # it moves the state, and is in no output
    net, n = nn.batch_norm(momentum=1 - momentum, eps=module.eps), module.num_features
    state = renamed(weights, mean="running_mean", var="running_var")
    key = jax.random.key(0) if module.training or not state else None
    state = state or {"mean": jnp.zeros(n), "var": jnp.ones(n)}
    y, _ = nn.batched(net)(scale_and_bias(weights, n), state, jnp.moveaxis(x, 1, -1), key=key)
    return jnp.moveaxis(y, -1, 1)


def over_last_axes(net, params, shape, x):
    """Run a norm of the last axis on all the axes that torch normalises together."""
    flat = x.reshape(*x.shape[: x.ndim - len(shape)], prod(shape))
    return run(net, {name: leaf.reshape(-1) for name, leaf in params.items()}, flat, axes=1).reshape(x.shape)


def layer_norm(module, weights, x):
    shape = module.normalized_shape
    return over_last_axes(nn.layer_norm(eps=module.eps), scale_and_bias(weights, shape), shape, x)


def rms_norm(module, weights, x):
    shape = module.normalized_shape
    params = {"scale": scale_and_bias(weights, shape)["scale"]}
    return over_last_axes(nn.rms_norm(eps=module.eps), params, shape, x)


def group_norm(module, weights, x):
    params = scale_and_bias(weights, module.num_channels)
    return run_image(nn.group_norm(module.num_groups, eps=module.eps), params, x, x.ndim - 2)


def instance_norm(module, weights, x, spatial):
    params = scale_and_bias(weights, module.num_features)
    return run_image(nn.instance_norm(eps=module.eps), params, x, spatial)


def local_response_norm(module, weights, x):
    options = {"alpha": module.alpha, "beta": module.beta, "offset": module.k}
    return run_image(nn.local_response_norm(module.size, **options), {}, x, x.ndim - 2)


TWINS = {
    "nn.GroupNorm": group_norm,
    "nn.LayerNorm": layer_norm,
    "nn.LocalResponseNorm": local_response_norm,
    "nn.RMSNorm": rms_norm,
}
TWINS |= {f"nn.BatchNorm{n}d": batch_norm for n in (1, 2, 3)}
TWINS |= {f"nn.InstanceNorm{n}d": partial(instance_norm, spatial=n) for n in (1, 2, 3)}
