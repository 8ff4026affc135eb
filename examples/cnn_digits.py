"""A convolutional network with batch norm and dropout, on 8x8 images of digits.

The running statistics of batch norm are a tree of their own, beside the parameters: `run.state`.
"""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jdl
from jdl import nn


@nn.constructor  # so that it prints as block(16), and equal calls are the same value
def block(width):
    return nn.chain(nn.conv(width), nn.batch_norm(), nn.relu, nn.max_pool(2))


network = nn.chain(block(16), block(32), nn.flatten, nn.dropout(0.3), nn.dense(10))

EPOCHS, BATCH = 10, 32


def recipe(hyper):
    return jdl.Recipe(
        network=network,
        loss=jdl.losses.cross_entropy,
        optimizer=jdl.optim.sgd(jdl.optim.cosine(hyper["peak"], steps=hyper["steps"]), momentum=0.9),
        batch_size=BATCH,
        epochs=EPOCHS,
        metrics={"accuracy": jdl.metrics.accuracy()},
    )


images, digits = load_digits(return_X_y=True)
images = (images / 16).astype("float32").reshape(-1, 8, 8, 1)  # one channel
x, test_x, y, test_y = train_test_split(images, digits, test_size=360, random_state=0, stratify=digits)

print(nn.summary(network, x[0]), end="\n\n")

hyper = {"peak": 0.05, "steps": EPOCHS * -(-len(x) // BATCH)}
run = jdl.run(recipe, hyper, jax.random.key(0), {"x": x, "y": y})

for epoch in 0, EPOCHS // 2, EPOCHS - 1:
    loss, accuracy = run.history["loss"][epoch], run.history["accuracy"][epoch]
    print(f"epoch {epoch}  training loss {loss:.3f}  training accuracy {accuracy:.3f}")
print("state:", *(f"{path} {mean.shape}" for path, mean in jdl.tree.items(run.state)), sep="  ")

# Without a key the pass is prediction: nothing is dropped, and the running statistics are used.
logits, _ = nn.batched(network)(run.params, run.state, test_x)
print(f"test accuracy: {jnp.mean(logits.argmax(-1) == test_y):.3f}")
