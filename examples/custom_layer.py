"""Layers of one's own: a layer is one function of a scope, `my`, and the inputs of one example.

`my.param`, `my.key` and `my.state` are all there is to parameters, noise and running statistics.
"""

import jax
import jax.numpy as jnp

import jdl
from jdl import nn


@nn.constructor
def fourier(width):
    """Waves of learned frequencies, with which a network can bend sharply."""

    @nn.layer
    def fourier(my, x):
        w = my.param("w", (x.shape[-1], width), nn.init.normal(6.0))
        return jnp.concatenate([jnp.sin(x @ w), jnp.cos(x @ w)], -1)

    return fourier


@nn.layer
def centre(my, x):
    """Subtract the mean of the batch in training, the running mean in prediction."""
    mean = my.state("mean", x.shape, nn.init.zeros)
    if my.stochastic:
        now = my.batch_mean(x)
        my.update(mean=0.9 * mean + 0.1 * now)
        return x - now
    return x - mean


@nn.constructor
def jitter(scale):
    """Add Gaussian noise in training; without a key, in prediction, add none."""

    @nn.layer
    def jitter(my, x):
        key = my.key()
        return x if key is None else x + scale * jax.random.normal(key, x.shape)

    return jitter


network = nn.chain(jitter(0.01), fourier(32), centre, nn.dense(32), nn.gelu, nn.dense(1))
print(network)


def recipe(hyper):
    optimizer = jdl.optim.adamw(hyper["learning_rate"])
    return jdl.Recipe(network, jdl.losses.squared_error, optimizer, batch_size=64, epochs=100)


def chirp(x):
    return jnp.sin(8 * x**2)


x = jnp.linspace(-1.5, 1.5, 512)[:, None]
run = jdl.run(recipe, {"learning_rate": 3e-3}, jax.random.key(0), {"x": x, "y": chirp(x)})
print("parameters:", *(f"{path} {leaf.shape}" for path, leaf in jdl.tree.items(run.params)), sep="  ")
print("state:", *(f"{path} {leaf.shape}" for path, leaf in jdl.tree.items(run.state)), sep="  ")


def predict(x):
    outputs, _ = network.apply(run.params, run.state, x)  # no key: no noise, and the state stays as it is
    return outputs[0]


# The network is a function like any other: here its derivative in the input, on 100 points at once.
points = jnp.linspace(-1.4, 1.4, 100)[:, None]
error = jax.vmap(predict)(points) - chirp(points)[:, 0]
slopes = jax.vmap(jax.grad(predict))(points)[:, 0]
slope_error = slopes - jax.vmap(jax.grad(chirp))(points[:, 0])
print(f"the curve spans -1 to 1, root mean squared error {jnp.sqrt(jnp.mean(error**2)):.3f}")
print(f"its slope spans -22 to 22, root mean squared error {jnp.sqrt(jnp.mean(slope_error**2)):.2f}")
