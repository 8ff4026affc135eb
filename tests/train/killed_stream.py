"""A training run on a stream, to be killed, by ``test_streamed``.

python -m tests.train.killed_stream TABLE FOLDER
"""

import sys
import time

import jax.numpy as jnp

import jdl
from jdl import losses, nn, optim
from jdl.features.prepare import Summary, from_summary
from tests.data.streamed import KEY, opened

STOP = 11  # of 7 steps an epoch


def centred():
    """Give numbers about their mean, the missing ones 0."""

    def part(key, rows, target, weight, first=0):
        return weight @ jnp.nan_to_num(rows["numbers"]), weight.sum()

    def apply(stats, row, fold=None, key=None):
        return jnp.where(jnp.isfinite(row["numbers"]), row["numbers"] - stats, 0.0) / 10

    add = lambda left, right: (left[0] + right[0], left[1] + right[1])
    return from_summary(Summary(part, add, lambda parts: parts[0] / parts[1]), apply)


PREPARE = centred()


def recipe(**changes):
    """Batch statistics, masks and moments: all that makes the order of rows tell."""
    settings = {"batch_size": 4, "epochs": 4, "prepare": PREPARE}
    network = nn.chain(nn.batch_norm(), nn.dense(4), nn.dropout(0.3), nn.dense(1), lambda x: x[0])
    return jdl.Recipe(network, losses.squared_error, optim.adamw(0.02), **settings | changes)


RECIPE = recipe()


def train(table, folder, *callbacks):
    """The run: 25 rows an epoch, in dispatches of two steps, each with a checkpoint."""
    batches = opened(table, weight="w")
    stats = jdl.features.collect(PREPARE, batches)
    options = {"steps_per_dispatch": 2, "checkpoint_every": 1, "directory": folder, "callbacks": callbacks}
    return jdl.loop(RECIPE, KEY, batches, stats=stats, **options)


def main(table, folder):
    """Train until some step is said, and wait."""

    def tell(step, row):
        print(step, flush=True)
        if step >= STOP:
            time.sleep(600)

    train(table, folder, tell)


if __name__ == "__main__":
    main(*sys.argv[1:])
