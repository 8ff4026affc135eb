"""jdl: ``jdl.sweep``."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import jdl
from jdl import features, nn
from sweep_peers import Trained
from sweep_peers.cases import Case


def build(case: Case) -> Callable[[], Trained]:
    """One call."""
    recipe, data = problem(case)
    space = [{"rate": rate} for rate in case.rates]

    def train() -> Trained:
        runs = jdl.sweep(recipe, space, jax.random.key(0), data, folds=case.folds, seeds=case.seeds, stop=0)
        return Trained(runs.mean("accuracy")[0])

    return train


def problem(case: Case) -> tuple[Callable[[dict], jdl.Recipe], dict[str, Any]]:
    """Give the recipe and the rows as it takes them."""
    prepare, x = None, case.numbers
    if case.sizes:
        prepare, x = encoded(case)
    hidden = [part for width in case.widths for part in (nn.dense(width), nn.relu)]
    body = nn.chain(*hidden, head=nn.dense(case.classes))
    network = nn.chain(row_vector, body) if case.sizes else body

    def recipe(hyper: dict) -> jdl.Recipe:
        return jdl.Recipe(
            network,
            jdl.losses.cross_entropy,
            jdl.optim.adam(hyper["rate"]),
            case.batch,
            case.epochs,
            prepare=prepare,
            metrics={"accuracy": jdl.metrics.accuracy()},
        )

    return recipe, {"x": x, "y": case.y}


def encoded(case: Case) -> tuple[features.Prepare, dict[str, Any]]:
    """Give the preparation of a table and its rows as the schema, inferred here, encodes them."""
    from jdl.data import infer_schema, read_table

    table = read_table(case.table)
    schema = infer_schema(table, "income")
    numbers = features.chain(features.quantile_normal(), features.impute_constant(0.0))
    return features.table(schema, numbers=numbers, categories=features.one_hot()), schema.encode(table)


@nn.layer
def row_vector(my: Any, row: dict[str, jax.Array]) -> jax.Array:
    """Lay a row out as one vector."""
    return jnp.concatenate([row["numbers"], row["flat"]])
