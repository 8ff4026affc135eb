"""Flax Linen: a ``TrainState`` and a jitted step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax.training.train_state import TrainState
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


class State(TrainState):
    """Training state with batch statistics."""

    statistics: dict


def build(size: Size):
    """Loop in Python over a jitted step."""
    x, y = make_data(size)
    network = NETWORKS[size.kind](size.width)
    variables = network.init({"params": jax.random.key(0), "dropout": jax.random.key(1)}, x[: size.batch])
    state = State.create(
        apply_fn=network.apply,
        params=variables["params"],
        tx=optax.adamw(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
        statistics=variables.get("batch_stats", {}),
    )
    rng, key = np.random.default_rng(0), jax.random.key(2)

    def train(epochs: int) -> float:
        nonlocal state
        for rows, targets in batches(size, x, y, epochs, rng):
            state, loss = step(state, rows, targets, key)
        return float(loss)

    return train


@jax.jit
def step(state: State, x: jax.Array, y: jax.Array, key: jax.Array) -> tuple[State, jax.Array]:
    """Take one training step."""

    def objective(params: dict) -> tuple[jax.Array, dict]:
        logits, changed = state.apply_fn(
            {"params": params, "batch_stats": state.statistics},
            x,
            mutable=["batch_stats"],
            rngs={"dropout": jax.random.fold_in(key, state.step)},
        )
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), changed

    (loss, changed), gradients = jax.value_and_grad(objective, has_aux=True)(state.params)
    statistics = changed.get("batch_stats", {})
    return state.apply_gradients(grads=gradients, statistics=statistics), loss


class Mlp(nn.Module):
    """Two hidden layers."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for _ in range(2):
            x = nn.relu(nn.Dense(self.width)(x))
        return nn.Dense(2)(x)


class Cnn(nn.Module):
    """Two convolutions with batch norm, a dense layer with dropout."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for width in (self.width, 2 * self.width):
            x = nn.BatchNorm(use_running_average=False, momentum=0.9)(nn.Conv(width, (3, 3))(x))
            x = nn.max_pool(nn.relu(x), (2, 2), (2, 2))
        x = nn.relu(nn.Dense(128)(x.reshape(x.shape[0], -1)))
        return nn.Dense(CLASSES)(nn.Dropout(DROPOUT, deterministic=False)(x))


class Transformer(nn.Module):
    """Pre-norm blocks over token and position embeddings."""

    width: int

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = nn.Embed(VOCABULARY, self.width)(tokens)
        x = x + self.param("positions", nn.initializers.normal(0.02), (LENGTH, self.width))
        mask = nn.make_causal_mask(jnp.ones((1, LENGTH)))
        for _ in range(DEPTH):
            x = x + nn.MultiHeadDotProductAttention(HEADS)(nn.LayerNorm()(x), mask=mask)
            h = nn.gelu(nn.Dense(4 * self.width)(nn.LayerNorm()(x)))
            x = x + nn.Dense(self.width)(h)
        return nn.Dense(VOCABULARY)(nn.LayerNorm()(x))


NETWORKS = {"mlp": Mlp, "cnn": Cnn, "transformer": Transformer}
