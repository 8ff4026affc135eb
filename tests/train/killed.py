"""A training run to be killed, by ``test_resume``: imported once, forked for every life.

    python -m tests.train.killed FOLDER CACHE

For every line on standard input a child trains in FOLDER. It says its number, then every step it reaches.
"""

import os
import sys

import jax
import orbax.checkpoint  # noqa: F401  (imported before the fork, once for all children)

import jdl
from jdl import losses, metrics, nn, optim


def recipe():
    """Everything a checkpoint must hold: batch statistics, masks, moments, an average, a best epoch."""
    return jdl.Recipe(
        nn.chain(nn.batch_norm(), nn.dense(4), nn.dropout(0.3), nn.dense(1)),
        losses.squared_error,
        optim.adamw(0.02),
        batch_size=8,
        epochs=25,
        metrics={"mse": metrics.mse()},
        ema=0.95,
        precision="float16",
    )


def data(rows, seed):
    """Rows drawn from a seed, some of them of weight zero."""
    x, weight = jax.random.normal(jax.random.key(seed), (rows, 3)), jax.numpy.arange(rows) % 5
    return {"x": x, "y": x @ jax.numpy.ones((3, 1)), "weight": weight}


def train(folder, *callbacks):
    """The run, of 8 steps an epoch in dispatches of 3."""
    return jdl.loop(
        recipe(),
        jax.random.key(5),
        data(61, 0),
        data(20, 1),
        directory=folder,
        steps_per_dispatch=3,
        checkpoint_every=1,
        callbacks=callbacks,
    )


def main(folder, cache):
    """Fork a child for every line of standard input, and wait for its end."""
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            jax.config.update("jax_compilation_cache_dir", cache)
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
            print(os.getpid(), flush=True)
            train(folder, lambda step, row: print(step, flush=True))
            os._exit(0)
        os.waitpid(child, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
