"""A schema by hand, and schemas inferred from few columns."""

from typing import Any

import polars as pl

from jdl.data import Category, Number, Schema, Target, infer_schema

ROWS = 40
Y = ["no", "yes"] * (ROWS // 2)
SCHEMA = Schema(
    Target("y", "classification", classes=("no", "yes")), (Number("age"),), (Category("work", ("a", "b")),)
)


def infer(y: Any = Y, target: str = "y", task: Any = None, **columns: Any) -> Schema:
    return infer_schema(pl.DataFrame({**columns, "y": y}, strict=False), target, task)
