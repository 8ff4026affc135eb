"""jdl as its command line trains: the schema judged from the rows, a recipe by name, one run, a model."""

import jax
import numpy as np
from tables import Table

import jdl
from jdl import models
from jdl.cli.study import VALID
from jdl.data import holdout, infer_schema, read_table
from jdl.io import Model
from jdl.train import compiled
from tabular_peers import Fitted, timed


def fit(table: Table, seed: int, network: str | None = None) -> Fitted:
    """Train ``network`` on nine tenths of the training rows, the best epoch chosen by the others."""
    network = network or models.DEFAULT
    seconds: dict[str, float] = {}
    with timed(seconds, "prepare"):
        rows = read_table(table.folder / "train.parquet")
        schema = infer_schema(rows, table.target, table.task)
        x, y = schema.encode(rows), schema.encode_target(rows)
        parts = holdout(y, VALID, seed, stratify=schema.task == "classification")
        data, valid = (
            {"x": {name: values[part] for name, values in x.items()}, "y": y[part]} for part in parts
        )
    recipe, hyper = models.recipe(schema, len(parts[0]), network)
    key = jax.random.key(seed)
    with timed(seconds, "compile"):
        compiled(recipe, hyper, key, data, valid)
    with timed(seconds, "fit"):
        run = jdl.run(recipe, hyper, key, data, valid)
        model = Model.of(schema, network, hyper, run)
    with timed(seconds, "predict"):
        test = read_table(table.folder / "test.parquet").drop(table.target)
        found = model.predict_table(test)
    if not table.classes:
        return Fitted(found["prediction"].to_numpy(), seconds, hyper["epochs"])
    if tuple(schema.classes) != table.classes:
        raise ValueError(f"{table.name}: classes {schema.classes}, needs {table.classes}")
    columns = [name for name in found.columns if name.startswith("probability_")]
    return Fitted(found.select(columns).to_numpy().astype(np.float64), seconds, hyper["epochs"])
