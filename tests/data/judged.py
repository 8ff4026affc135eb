"""Columns of recurring values, judged and coded."""

from typing import Any

import polars as pl

from jdl.data import infer_schema
from jdl.data.judge import judge

N = 60


def judged(values: list, name: str = "x") -> Any:
    """Judge a column in which the values recur."""
    return judge(pl.Series(name, [values[i % len(values)] for i in range(N)]))


def encoded(values: list, rows: list, kind: str) -> Any:
    """Infer from recurring values, and code some rows."""
    frame = pl.DataFrame({"x": [values[i % len(values)] for i in range(N)]})
    return infer_schema(frame).encode(pl.DataFrame({"x": rows}))[kind][:, 0]
