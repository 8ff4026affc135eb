"""Haiku: ``transform_with_state`` and a jitted step."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
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
    network = hk.transform_with_state(lambda x: NETWORKS[size.kind](size.width, x))
    tx = optax.adamw(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    params, state = network.init(jax.random.key(0), x[: size.batch])
    carry = params, state, tx.init(params), jax.random.key(1)
    rng = np.random.default_rng(0)

    @jax.jit
    def step(carry: tuple, x: jax.Array, y: jax.Array) -> tuple[tuple, jax.Array]:
        params, state, moments, key = carry
        key, now = jax.random.split(key)

        def objective(params: dict) -> tuple[jax.Array, dict]:
            logits, changed = network.apply(params, state, now, x)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), changed

        (loss, state), gradients = jax.value_and_grad(objective, has_aux=True)(params)
        updates, moments = tx.update(gradients, moments, params)
        return (optax.apply_updates(params, updates), state, moments, key), loss

    def train(epochs: int) -> float:
        nonlocal carry
        for rows, targets in batches(size, x, y, epochs, rng):
            carry, loss = step(carry, rows, targets)
        return float(loss)

    return train


def mlp(width: int, x: jax.Array) -> jax.Array:
    """Two hidden layers."""
    return hk.nets.MLP([width, width, 2])(x)


def cnn(width: int, x: jax.Array) -> jax.Array:
    """Two convolutions with batch norm, a dense layer with dropout."""
    for channels in (width, 2 * width):
        x = hk.BatchNorm(True, True, 0.9)(hk.Conv2D(channels, 3)(x), is_training=True)
        x = hk.max_pool(jax.nn.relu(x), 2, 2, "VALID")
    x = jax.nn.relu(hk.Linear(128)(hk.Flatten()(x)))
    return hk.Linear(CLASSES)(hk.dropout(hk.next_rng_key(), DROPOUT, x))


def layer_norm(x: jax.Array) -> jax.Array:
    """Normalise the last axis."""
    return hk.LayerNorm(-1, True, True)(x)


def transformer(width: int, tokens: jax.Array) -> jax.Array:
    """Pre-norm blocks over token and position embeddings."""
    positions = hk.get_parameter("positions", (LENGTH, width), init=hk.initializers.RandomNormal(0.02))
    x = hk.Embed(VOCABULARY, width)(tokens) + positions
    mask = jnp.tril(jnp.ones((1, 1, LENGTH, LENGTH)))
    for _ in range(DEPTH):
        h = layer_norm(x)
        attention = hk.MultiHeadAttention(HEADS, width // HEADS, w_init=hk.initializers.VarianceScaling())
        x = x + attention(h, h, h, mask=mask)
        x = x + hk.Linear(width)(jax.nn.gelu(hk.Linear(4 * width)(layer_norm(x))))
    return hk.Linear(VOCABULARY)(layer_norm(x))


NETWORKS = {"mlp": mlp, "cnn": cnn, "transformer": transformer}
