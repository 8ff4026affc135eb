"""Low-rank adaptation: a trained network is frozen, and small matrices beside its own learn a new task.

A network learns the digits 0 to 4; adapted, it learns 5 to 9 from 200 images with a tenth of the parameters.
"""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

import jdl
from jdl import nn

pixels, digits = load_digits(return_X_y=True)
pixels = (pixels / 16).astype("float32")


def task(chosen, rows):
    """The first `rows` images of the chosen digits, numbered from 0, and the others to test on."""
    x, y = pixels[chosen], digits[chosen] % 5
    return {"x": x[:rows], "y": y[:rows]}, {"x": x[rows:], "y": y[rows:]}


low, low_test = task(digits < 5, rows=600)
high, high_test = task(digits >= 5, rows=200)

network = nn.chain(nn.dense(128), nn.relu, nn.dense(128), nn.relu, nn.dense(5))
adapted = nn.lora(network, 4)


def recipe(hyper):
    optimizer = jdl.optim.adamw(hyper["learning_rate"])
    return jdl.Recipe(hyper["network"], jdl.losses.cross_entropy, optimizer, batch_size=50, epochs=30)


def accuracy(network, params, state, rows):
    logits, _ = nn.batched(network)(params, state, rows["x"])
    return jnp.mean(logits.argmax(-1) == rows["y"])


trained = jdl.run(recipe, {"learning_rate": 1e-3, "network": network}, jax.random.key(0), low)
print(f"digits 0-4, the network: {accuracy(network, trained.params, {}, low_test):.3f}")
print(f"digits 5-9, the network: {accuracy(network, trained.params, {}, high_test):.3f}")


def adapt(hyper):
    def begin(params, state, key, rows, weight):
        return params, trained.params  # the frozen parameters are the state of the adapted network

    optimizer = jdl.optim.adamw(hyper["learning_rate"])
    return jdl.Recipe(adapted, jdl.losses.cross_entropy, optimizer, batch_size=20, epochs=40, start=begin)


run = jdl.run(adapt, {"learning_rate": 5e-3}, jax.random.key(1), high)
print(f"trained parameters: {nn.count(run.params):,}, frozen: {nn.count(run.state):,}")
print(f"digits 5-9, adapted: {accuracy(adapted, run.params, run.state, high_test):.3f}")

# Merged, the adapters cost nothing at prediction: a network of the first form, with parameters of its own.
merged = nn.lora_merge(run.params, run.state)
print(f"digits 5-9, merged: {accuracy(network, merged, {}, high_test):.3f}")
print(f"digits 0-4, the network as it was: {accuracy(network, trained.params, {}, low_test):.3f}")
