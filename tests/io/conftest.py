"""Models that nobody trained: parameters as drawn, statistics of a few rows."""

from collections.abc import Callable

import jax
import numpy as np
import polars as pl
import pytest

from jdl import models
from jdl.data import Schema, infer_schema
from jdl.io import Model

ROWS = 40


def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.normal(40, 10, ROWS)
    age[::9] = np.nan
    work = [None if i % 13 == 0 else "abc"[i % 3] for i in range(ROWS)]
    return pl.DataFrame(
        {
            "age": age,
            "work": work,
            "old": [bool(i % 2) for i in range(ROWS)],
            "pay": rng.normal(1e6, 10.0, ROWS),
        }
    )


def untrained(schema: Schema, frame: pl.DataFrame, network: object = "mlp_plr", **hyper: object) -> Model:
    recipe, values = models.recipe(schema, frame.height, network)
    values |= ({"widths": (8,)} if "widths" in values else {}) | hyper
    made = recipe(values)
    rows, target = schema.encode(frame), schema.encode_target(frame)
    stats = jax.jit(lambda rows, target: made.prepare.fit(None, rows, target, None))(rows, target)
    row = {name: values[0] for name, values in rows.items()}
    prepared = jax.eval_shape(made.prepare.apply, stats, row)
    params, state = made.network.init(jax.random.key(0), prepared)
    history = ({"loss": 0.5, "valid_loss": float("nan")}, {"loss": 0.25, "valid_loss": 0.75})
    return Model(schema, network, values, *jax.device_get((params, state, stats)), history)


@pytest.fixture(scope="session")
def frame() -> pl.DataFrame:
    return table()


@pytest.fixture(scope="session")
def classifier(frame: pl.DataFrame) -> Model:
    return untrained(infer_schema(frame, "old"), frame)


@pytest.fixture(scope="session")
def regressor(frame: pl.DataFrame) -> Model:
    return untrained(infer_schema(frame, "pay"), frame, "mlp")


@pytest.fixture
def make() -> Callable[..., Model]:
    return untrained
