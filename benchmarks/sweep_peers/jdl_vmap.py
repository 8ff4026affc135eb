"""``jdl.fit`` under ``jit(vmap(…))``, all members at once."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jdl
from sweep_peers import Trained
from sweep_peers.cases import Case
from sweep_peers.jdl_sweep import problem
from sweep_peers.prepared import rows


def build(case: Case) -> Callable[[], Trained]:
    """One dispatch."""
    recipe, data = problem(case)
    train_rows, held_rows, weight = jax.tree.map(jnp.asarray, rows(case))
    data = jax.tree.map(jnp.asarray, data)
    take = lambda numbers: jax.tree.map(lambda leaf: leaf[numbers], data)

    def one(rate: Any, fold: Any, key: Any) -> Any:
        made = recipe({"rate": rate})
        run = jdl.fit(made, key, take(train_rows[fold]))
        held = take(held_rows[fold])

        def right(x: Any, y: Any) -> Any:
            if made.prepare is not None:
                x = made.prepare.apply(run.stats, x)
            return made.network(run.params, x).argmax() == y

        return jnp.average(jax.vmap(right)(held["x"], held["y"]), weights=weight[fold])

    swept = jax.jit(jax.vmap(one))

    def train() -> Trained:
        config, fold, _ = case.members.T
        keys = jax.random.split(jax.random.key(0), len(fold))
        return Trained(case.by_configuration(swept(np.float32(case.rates)[config], fold, keys)))

    return train
