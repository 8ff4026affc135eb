"""An ensemble in one program: `jax.vmap` over whole training runs, each with its own key and learning rate.

`jdl.fit` is a pure function of its key, its data and its recipe, so JAX maps and compiles it as any other.
"""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jdl
from jdl import nn

network = nn.chain(nn.dense(32), nn.relu, nn.dropout(0.2), nn.dense(10))


def recipe(hyper):
    optimizer = jdl.optim.adamw(hyper["learning_rate"])
    return jdl.Recipe(network, jdl.losses.cross_entropy, optimizer, batch_size=50, epochs=60)


pixels, digits = load_digits(return_X_y=True)
pixels = jnp.asarray(pixels / 16, jnp.float32)
x, test_x, y, test_y = train_test_split(pixels, digits, test_size=1297, random_state=0, stratify=digits)


@jax.jit
def train(keys, rates, data):
    def one(key, rate):
        return jdl.fit(recipe({"learning_rate": rate}), key, data)

    return jax.vmap(one)(keys, rates)


MEMBERS = 8
keys = jax.random.split(jax.random.key(0), MEMBERS)
rates = jnp.geomspace(2e-3, 1e-2, MEMBERS)
runs = train(keys, rates, {"x": x, "y": y})  # every leaf of the run has a leading axis of members

predict = jax.vmap(network, in_axes=(None, 0))  # over rows
logits = jax.vmap(predict, in_axes=(0, None))(runs.params, test_x)  # over members
probabilities = jax.nn.softmax(logits)  # (members, rows, classes)


def accuracy(probabilities):
    return jnp.mean(probabilities.argmax(-1) == test_y)


def log_loss(probabilities):
    return -jnp.mean(jnp.log(probabilities[jnp.arange(len(test_y)), test_y]))


print("rate     training loss  test accuracy  test log-loss")
for rate, loss, member in zip(rates, runs.history["loss"][:, -1], probabilities, strict=True):
    print(f"{rate:.4f}   {loss:.4f}         {accuracy(member):.3f}          {log_loss(member):.3f}")

together = probabilities.mean(0)
accuracies, losses = jax.vmap(accuracy)(probabilities), jax.vmap(log_loss)(probabilities)
for name, score, members in ("accuracy", accuracy, accuracies), ("log-loss", log_loss, losses):
    print(f"{name}: mean member {members.mean():.3f}, together {score(together):.3f}")
