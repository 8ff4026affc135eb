"""A first network: recognise handwritten digits.

A recipe is a plain function of its hyper-parameters, and one call trains it and keeps the best epoch.
"""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jdl
from jdl import nn


def recipe(hyper):
    return jdl.Recipe(
        network=nn.chain(nn.dense(128), nn.relu, nn.dropout(hyper["dropout"]), nn.dense(10)),
        loss=jdl.losses.cross_entropy,
        optimizer=jdl.optim.adamw(hyper["learning_rate"]),
        batch_size=64,
        epochs=40,
        metrics={"accuracy": jdl.metrics.accuracy()},
        monitor="accuracy",
    )


# Three shares of the rows: to train on, to choose the epoch on, and to be judged on.
pixels, digits = load_digits(return_X_y=True)
pixels = (pixels / 16).astype("float32")
x, test_x, y, test_y = train_test_split(pixels, digits, test_size=360, random_state=0, stratify=digits)
x, valid_x, y, valid_y = train_test_split(x, y, test_size=288, random_state=0, stratify=y)

hyper = {"learning_rate": 3e-3, "dropout": 0.2}
run = jdl.run(recipe, hyper, jax.random.key(0), {"x": x, "y": y}, {"x": valid_x, "y": valid_y})

for epoch in range(0, 40, 10):
    loss, accuracy = run.history["loss"][epoch], run.history["valid_accuracy"][epoch]
    print(f"epoch {epoch:2}  training loss {loss:.3f}  validation accuracy {accuracy:.3f}")
print(f"best epoch: {run.history['best_epoch']}")

# The network is a pure function of one example; jax.vmap makes it one of many.
network = recipe(hyper).network
logits = jax.vmap(network, in_axes=(None, 0))(run.params, test_x)
print(f"test accuracy: {jnp.mean(logits.argmax(-1) == test_y):.3f}")
