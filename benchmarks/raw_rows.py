"""Raw rows of a table as the files of an exported model take them: a dict of columns."""

from typing import Any

import numpy as np
import polars as pl

from jdl import io
from jdl.io import Model


def with_texts(model: Model, rows: pl.DataFrame) -> dict[str, Any]:
    """Give categories as texts, as ONNX takes them."""
    texts = {
        part.name: np.array(rows[part.name].fill_null("").to_list(), object)
        for part in model.schema.categories
    }
    return _numbers(model, rows) | texts


def with_bytes(model: Model, rows: pl.DataFrame) -> dict[str, Any]:
    """Give categories as bytes, as StableHLO takes them."""
    coded = {part.name: io.as_bytes(rows[part.name].to_list()) for part in model.schema.categories}
    return _numbers(model, rows) | coded


def _numbers(model: Model, rows: pl.DataFrame) -> dict[str, Any]:
    return {
        part.name: rows[part.name].cast(pl.Float32).fill_null(np.nan).to_numpy()
        for part in model.schema.numbers
    }
