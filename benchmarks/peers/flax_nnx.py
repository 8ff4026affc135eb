"""Flax NNX: ``nnx.jit`` over a step that updates the model and the optimizer."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from sizes import (
    CLASSES,
    DEPTH,
    DROPOUT,
    HEADS,
    LEARNING_RATE,
    LENGTH,
    VOCABULARY,
    WEIGHT_DECAY,
    Size,
    batches,
    make_data,
)


def build(size: Size):
    """Loop in Python over a jitted step."""
    x, y = make_data(size)
    model = NETWORKS[size.kind](size.width, rngs=nnx.Rngs(0))
    tx = optax.adamw(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    optimizer, rng = nnx.Optimizer(model, tx, wrt=nnx.Param), np.random.default_rng(0)

    def train(epochs: int) -> float:
        for rows, targets in batches(size, x, y, epochs, rng):
            loss = step(model, optimizer, rows, targets)
        return float(loss)

    return train


@nnx.jit
def step(model: nnx.Module, optimizer: nnx.Optimizer, x: jax.Array, y: jax.Array) -> jax.Array:
    """Take one training step, in place."""

    def objective(model: nnx.Module) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

    loss, gradients = nnx.value_and_grad(objective)(model)
    optimizer.update(model, gradients)
    return loss


class Mlp(nnx.Module):
    """Two hidden layers."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.first, self.second = nnx.Linear(30, width, rngs=rngs), nnx.Linear(width, width, rngs=rngs)
        self.out = nnx.Linear(width, 2, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(nnx.relu(self.second(nnx.relu(self.first(x)))))


class Cnn(nnx.Module):
    """Two convolutions with batch norm, a dense layer with dropout."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.conv1 = nnx.Conv(1, width, (3, 3), rngs=rngs)
        self.conv2 = nnx.Conv(width, 2 * width, (3, 3), rngs=rngs)
        self.norm1 = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
        self.norm2 = nnx.BatchNorm(2 * width, momentum=0.9, rngs=rngs)
        self.hidden, self.out = nnx.Linear(98 * width, 128, rngs=rngs), nnx.Linear(128, CLASSES, rngs=rngs)
        self.dropout = nnx.Dropout(DROPOUT, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.max_pool(nnx.relu(self.norm1(self.conv1(x))), (2, 2), (2, 2))
        x = nnx.max_pool(nnx.relu(self.norm2(self.conv2(x))), (2, 2), (2, 2))
        return self.out(self.dropout(nnx.relu(self.hidden(x.reshape(x.shape[0], -1)))))


class Block(nnx.Module):
    """Pre-norm attention and a two-layer network."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.norm1, self.norm2 = nnx.LayerNorm(width, rngs=rngs), nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(HEADS, width, decode=False, rngs=rngs)
        self.up, self.down = nnx.Linear(width, 4 * width, rngs=rngs), nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.norm1(x), mask=nnx.make_causal_mask(jnp.ones((1, LENGTH))))
        return x + self.down(nnx.gelu(self.up(self.norm2(x))))


class Transformer(nnx.Module):
    """Token and position embeddings, blocks, a head."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.tokens = nnx.Embed(VOCABULARY, width, rngs=rngs)
        self.positions = nnx.Param(0.02 * jax.random.normal(rngs.params(), (LENGTH, width)))
        self.blocks = nnx.List([Block(width, rngs=rngs) for _ in range(DEPTH)])
        self.norm, self.head = nnx.LayerNorm(width, rngs=rngs), nnx.Linear(width, VOCABULARY, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = self.tokens(tokens) + self.positions[...]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


NETWORKS = {"mlp": Mlp, "cnn": Cnn, "transformer": Transformer}
