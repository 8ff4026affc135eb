"""Requests to answers, many at once: read each alone, predict all rows together."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from jdl.data import DataError, read_table
from jdl.data.targets import decoded_rows
from jdl.io import Model, ModelError
from jdl.serve import arrow, body
from jdl.serve.body import ARROW, JSON, Columns, Request, Style
from jdl.serve.refused import Refused, of_data
from jdl.train.predict import SIZES

Answer = tuple[str, bytes]  # its kind and content


class Read(NamedTuple):
    """A request as arrays, and how its answer is to be written."""

    style: Style
    arrays: dict[str, np.ndarray]
    rows: int


def answering(model: Model, most_rows: int) -> Callable[[list[Request]], list[Answer | Refused]]:
    """Make the function that answers requests, its programs compiled.

    Raises:
        ModelError: a model whose answers are not finite numbers.
    """
    _warm(model)

    def answers(requests: list[Request]) -> list[Answer | Refused]:
        read = [_read(model, request, most_rows) for request in requests]
        whole = [each for each in read if isinstance(each, Read)]
        if whole:
            kinds = whole[0].arrays
            rows = {kind: np.concatenate([each.arrays[kind] for each in whole]) for kind in kinds}
            outputs = model.predict_rows(rows)
            ends = np.cumsum([each.rows for each in whole])[:-1]
            parts = iter(np.split(outputs, ends))
        return [_written(model, each, next(parts)) if isinstance(each, Read) else each for each in read]

    return answers


def _warm(model: Model) -> None:
    """Predict a row without a value by each program."""
    row = model.read_row({part.name: None for part in model.schema.columns})
    for size in SIZES:
        found = model.predict_rows({name: np.repeat(values, size, 0) for name, values in row.items()})
    if not np.isfinite(found).all():
        raise ModelError("the model answers a row without values by what is no finite number; fit it again")


def _read(model: Model, request: Request, most: int) -> Read | Refused:
    try:
        if request.kind == ARROW:
            return _of_table(model, "arrow", arrow.read(request.content, model.schema, most))
        style, columns = body.parse(request.content, model.schema, most)
        return _of_columns(model, style, columns)
    except Refused as refused:
        return refused


def _of_columns(model: Model, style: Style, columns: Columns) -> Read:
    if len(next(iter(columns.values()))) > 1:
        return _of_table(model, style, columns)
    try:
        return Read(style, model.read_row({name: values[0] for name, values in columns.items()}), 1)
    except DataError as error:
        raise of_data(error, 1, {}) from None


def _of_table(model: Model, style: Style, table: pl.DataFrame | Columns) -> Read:
    try:
        frame = read_table(table)
        return Read(style, model.schema.encode(frame), frame.height)
    except DataError as error:
        columns = table if isinstance(table, dict) else table.to_dict(as_series=False)
        first = {
            name: next((i for i, value in enumerate(values, 1) if value is not None), 1)
            for name, values in columns.items()
        }
        raise of_data(error, len(next(iter(columns.values()))), first) from None


def _written(model: Model, read: Read, outputs: np.ndarray) -> Answer | Refused:
    finite = np.isfinite(outputs.reshape(read.rows, -1)).all(1)
    if not finite.all():
        return Refused(422, "the model has no finite answer to this row", row=int(finite.argmin()) + 1)
    if read.style == "arrow":
        return ARROW, arrow.write(model.schema.decode(outputs))
    rows = decoded_rows(model.schema, outputs)
    found: Any = rows if read.style == "rows" else {name: [row[name] for row in rows] for name in rows[0]}
    try:
        return JSON, json.dumps({read.style: found}, allow_nan=False).encode()
    except ValueError:
        return Refused(422, "the model's answer is beyond the numbers of 64 bits")
