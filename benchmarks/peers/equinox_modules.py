"""Equinox: modules of one example, mapped over the batch, in ``eqx.filter_jit``."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from equinox import nn
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
    if size.kind == "cnn":
        x = x.transpose(0, 3, 1, 2)
    model, state = nn.make_with_state(NETWORKS[size.kind])(size.width, key=jax.random.key(0))
    tx = optax.adamw(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    carry = model, state, tx.init(eqx.filter(model, eqx.is_inexact_array)), jax.random.key(1)
    rng = np.random.default_rng(0)

    @eqx.filter_jit
    def step(carry: tuple, x: jax.Array, y: jax.Array) -> tuple[tuple, jax.Array]:
        model, state, moments, key = carry
        key, now = jax.random.split(key)

        @eqx.filter_value_and_grad(has_aux=True)
        def objective(model: eqx.Module) -> tuple[jax.Array, nn.State]:
            keys = jax.random.split(now, x.shape[0])
            batched = jax.vmap(model, axis_name="batch", in_axes=(0, None, 0), out_axes=(0, None))
            logits, changed = batched(x, state, keys)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), changed

        (loss, state), gradients = objective(model)
        updates, moments = tx.update(gradients, moments, eqx.filter(model, eqx.is_inexact_array))
        return (eqx.apply_updates(model, updates), state, moments, key), loss

    def train(epochs: int) -> float:
        nonlocal carry
        for rows, targets in batches(size, x, y, epochs, rng):
            carry, loss = step(carry, rows, targets)
        return float(loss)

    return train


class Mlp(eqx.Module):
    """Two hidden layers."""

    layers: nn.MLP

    def __init__(self, width: int, *, key: jax.Array):
        self.layers = nn.MLP(30, 2, width, 2, key=key)

    def __call__(self, x: jax.Array, state: nn.State, key: jax.Array) -> tuple[jax.Array, nn.State]:
        return self.layers(x), state


class Cnn(eqx.Module):
    """Two convolutions with batch norm, a dense layer with dropout."""

    convs: list[nn.Conv2d]
    norms: list[nn.BatchNorm]
    pool: nn.MaxPool2d
    hidden: nn.Linear
    dropout: nn.Dropout
    out: nn.Linear

    def __init__(self, width: int, *, key: jax.Array):
        keys = jax.random.split(key, 4)
        self.convs = [
            nn.Conv2d(1, width, 3, padding=1, key=keys[0]),
            nn.Conv2d(width, 2 * width, 3, padding=1, key=keys[1]),
        ]
        self.norms = [
            nn.BatchNorm(n, axis_name="batch", momentum=0.9, mode="batch") for n in (width, 2 * width)
        ]
        self.pool, self.dropout = nn.MaxPool2d(2, 2), nn.Dropout(DROPOUT)
        self.hidden, self.out = nn.Linear(98 * width, 128, key=keys[2]), nn.Linear(128, CLASSES, key=keys[3])

    def __call__(self, x: jax.Array, state: nn.State, key: jax.Array) -> tuple[jax.Array, nn.State]:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x, state = norm(conv(x), state)
            x = self.pool(jax.nn.relu(x))
        x = self.dropout(jax.nn.relu(self.hidden(x.ravel())), key=key)
        return self.out(x), state


class Block(eqx.Module):
    """Pre-norm attention and a two-layer network."""

    norms: list[nn.LayerNorm]
    attention: nn.MultiheadAttention
    up: nn.Linear
    down: nn.Linear

    def __init__(self, width: int, *, key: jax.Array):
        keys = jax.random.split(key, 3)
        biases = {f"use_{name}_bias": True for name in ("query", "key", "value", "output")}
        self.norms = [nn.LayerNorm(width) for _ in range(2)]
        self.attention = nn.MultiheadAttention(HEADS, width, **biases, key=keys[0])
        self.up = nn.Linear(width, 4 * width, key=keys[1])
        self.down = nn.Linear(4 * width, width, key=keys[2])

    def __call__(self, x: jax.Array) -> jax.Array:
        h = jax.vmap(self.norms[0])(x)
        x = x + self.attention(h, h, h, mask=jnp.tril(jnp.ones((LENGTH, LENGTH), bool)))
        h = jax.nn.gelu(jax.vmap(self.up)(jax.vmap(self.norms[1])(x)))
        return x + jax.vmap(self.down)(h)


class Transformer(eqx.Module):
    """Token and position embeddings, blocks, a head."""

    tokens: nn.Embedding
    positions: jax.Array
    blocks: list[Block]
    norm: nn.LayerNorm
    head: nn.Linear

    def __init__(self, width: int, *, key: jax.Array):
        keys = jax.random.split(key, DEPTH + 3)
        self.tokens = nn.Embedding(VOCABULARY, width, key=keys[0])
        self.positions = 0.02 * jax.random.normal(keys[1], (LENGTH, width))
        self.blocks = [Block(width, key=key) for key in keys[3:]]
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, VOCABULARY, key=keys[2])

    def __call__(self, tokens: jax.Array, state: nn.State, key: jax.Array) -> tuple[jax.Array, nn.State]:
        x = jax.vmap(self.tokens)(tokens) + self.positions
        for block in self.blocks:
            x = block(x)
        return jax.vmap(self.head)(jax.vmap(self.norm)(x)), state


NETWORKS = {"mlp": Mlp, "cnn": Cnn, "transformer": Transformer}
