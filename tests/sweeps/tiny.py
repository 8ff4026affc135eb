"""One recipe, one table and one sweep for the tests of sweeps: they share their compiled programs."""

import jax
import numpy as np

from jdl import features, losses, metrics, nn, optim
from jdl.train.recipe import Recipe

KEY = jax.random.key(3)
ROWS, FOLDS, STOP = 40, 4, 0.2  # 24 rows trained on, 6 that choose, 10 held out, in every fold


def table(rows=ROWS, seed=0):
    """Two classes in turn, which the first of three columns tells apart for most rows."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows, dtype=np.int32) % 2
    x = rng.normal(size=(rows, 3)).astype(np.float32)
    x[:, 0] += 2 * y
    return {"x": x, "y": y}


def recipe(hyper):
    """Everything that makes runs delicate: preparation, random masks, batch statistics, a choice of epoch."""
    network = nn.chain(
        nn.batch_norm(), nn.dense(hyper.get("width", 4)), nn.relu, nn.dropout(0.2), nn.dense(2)
    )
    return Recipe(
        network,
        losses.cross_entropy,
        optim.adam(hyper["rate"]),
        batch_size=8,
        epochs=3,
        prepare=features.standard(),
        metrics={"accuracy": metrics.accuracy()},
    )


CONFIGS = [{"rate": 0.003}, {"rate": 0.03}, {"rate": 0.3}]
