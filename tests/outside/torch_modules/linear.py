"""Linear maps and tables."""

import jax.numpy as jnp

from jdl import nn
from tests.outside.torch_modules.layout import renamed, run


def dense(module, weights, input):
    params = {**renamed(weights, b="bias"), "w": weights["weight"].T}
    net = nn.dense(module.out_features, bias=module.bias is not None)
    return run(net, params, input, axes=1)


def bilinear(module, weights, x, y):
    params = {**renamed(weights, b="bias"), "w": jnp.moveaxis(weights["weight"], 0, -1)}
    net = nn.bilinear(module.out_features, bias=module.bias is not None)
    return run(net, params, x, y, axes=1)


def embed(module, weights, x):
    return run(nn.embed(module.num_embeddings, module.embedding_dim), {"w": weights["weight"]}, x, axes=1)


TWINS = {"nn.Linear": dense, "nn.Bilinear": bilinear, "nn.Embedding": embed}
