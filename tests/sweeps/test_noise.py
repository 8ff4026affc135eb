"""Noise labels score at chance on rows held out, though the best epoch is chosen."""

import jax
import numpy as np
from sklearn.model_selection import KFold

import jdl

REPEATS, ROWS = 20, 60


def recipe(hyper):
    network = jdl.nn.chain(jdl.nn.dense(8), jax.nn.relu, jdl.nn.dense(2))
    metrics = {"accuracy": jdl.metrics.accuracy()}
    optimizer = jdl.optim.adamw(hyper["rate"])
    loss = jdl.losses.cross_entropy
    return jdl.Recipe(network, loss, optimizer, 16, 8, metrics=metrics, monitor="accuracy")


def test_noise_labels_score_at_chance():
    """Twenty repeats in one sweep: each has rows, labels and folds of its own."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(REPEATS * ROWS, 5)).astype(np.float32)
    y = rng.integers(0, 2, size=REPEATS * ROWS)
    cuts = list(KFold(3).split(np.zeros(ROWS)))
    folds = [(train + i * ROWS, held + i * ROWS) for i in range(REPEATS) for train, held in cuts]
    runs = jdl.sweep(recipe, {"rate": [0.03]}, jax.random.key(0), {"x": x, "y": y}, folds=folds, stop=0.25)
    held = runs.scores("accuracy").reshape(REPEATS, 3).mean(1)
    error = held.std(ddof=1) / np.sqrt(REPEATS)
    assert abs(held.mean() - 0.5) < 2 * error < 0.05
    chosen = [np.max(trained.run.history["valid_accuracy"]) for trained in runs.results.values()]
    by_repeat = np.reshape(chosen, (REPEATS, 3)).mean(1)
    assert by_repeat.mean() - 0.5 > 5 * error  # the rows that choose are predicted far too well
