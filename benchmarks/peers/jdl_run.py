"""jdl: a recipe, and ``jdl.run``."""

from typing import Any

import jax
from sizes import CLASSES, DEPTH, DROPOUT, HEADS, LEARNING_RATE, VOCABULARY, WEIGHT_DECAY, Size, make_data

import jdl
from jdl import nn


def build(size: Size):
    """Train from the start at each call: the whole run is one compiled program."""
    x, y = make_data(size)
    data = {"x": x, "y": y}
    network = NETWORKS[size.kind](size)

    def recipe(hyper: dict) -> jdl.Recipe:
        optimizer = jdl.optim.adamw(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        return jdl.Recipe(network, jdl.losses.cross_entropy, optimizer, size.batch, hyper["epochs"])

    def train(epochs: int) -> float:
        run = jdl.run(recipe, {"epochs": epochs}, jax.random.key(0), data)
        return float(run.history["loss"][-1])

    return train


def mlp(size: Size) -> nn.Layer:
    """Two hidden layers."""
    return nn.chain(nn.dense(size.width), nn.relu, nn.dense(size.width), nn.relu, nn.dense(2))


def cnn(size: Size) -> nn.Layer:
    """Two convolutions with batch norm, a dense layer with dropout."""
    width = size.width
    return nn.chain(
        nn.conv(width), nn.batch_norm(), nn.relu, nn.max_pool(2),
        nn.conv(2 * width), nn.batch_norm(), nn.relu, nn.max_pool(2),
        nn.flatten, nn.dense(128), nn.relu, nn.dropout(DROPOUT), nn.dense(CLASSES),
    )  # fmt: skip


def transformer(size: Size) -> nn.Layer:
    """Pre-norm blocks over token and position embeddings."""
    width = size.width
    block = nn.chain(
        nn.residual(nn.chain(nn.layer_norm(), nn.attention(HEADS, causal=True))),
        nn.residual(nn.chain(nn.layer_norm(), nn.dense(4 * width), jax.nn.gelu, nn.dense(width))),
    )
    blocks = nn.repeat(DEPTH, block, unroll=DEPTH)
    return nn.chain(nn.embed(VOCABULARY, width), positions, blocks, nn.layer_norm(), nn.dense(VOCABULARY))


@nn.layer
def positions(my: Any, x: jax.Array) -> jax.Array:
    """Add a learnt vector for each position."""
    return x + my.param("w", x.shape, nn.init.normal(0.02))


NETWORKS = {"mlp": mlp, "cnn": cnn, "transformer": transformer}
