"""A model as one ONNX file, preparation included, that ONNX Runtime runs without JAX."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl

from jdl import disk
from jdl.data import WORDS, Schema
from jdl.io.export import as_days, as_ids, description, predicted
from jdl.io.model import Model
from jdl.io.onnx import raw
from jdl.io.onnx.convert import compare, model_of, run

CHECKED = 64  # rows that are drawn and predicted by both, before the file is written


def export_onnx(model: Model, path: str | os.PathLike) -> None:
    """Write a model as one ONNX file: raw columns in, predictions out.

    Inputs are columns of any number of rows: numbers, booleans, times and durations (in seconds) as float32
    ``(n,)``, NaN where missing, and as float64 where float32 has too few digits or too narrow a range for
    them; categories as strings ``(n,)``, empty where missing, and one that is no level counts as missing;
    dates as int32 ``(n, 2)``, see ``jdl.io.as_days``, and free texts as int32 ``(n, 32)``, see
    ``jdl.io.as_ids``. Outputs are ``prediction`` and ``probability``, as ``jdl.io.export`` has them.
    The names of columns, targets and classes are in the file's metadata, under ``jdl``, as JSON.

    The file is run by ONNX Runtime on rows drawn at random, missing values and unknown levels among them, and
    written only where its outputs are those of JAX. Needs ``pip install 'jdl[onnx]'``.

    Raises:
        ModelError: a primitive that has no translation, or an error above 1e-4.

    >>> import tempfile, jdl
    >>> frame = jdl.data.read_table({"x": [1.0, 2.0, 3.0, 4.0], "c": ["a", "b"] * 2, "y": ["n", "y"] * 2})
    >>> schema = jdl.data.infer_schema(frame, "y")
    >>> recipe, hyper = jdl.models.recipe(schema, rows=4, network="linear")
    >>> data = {"x": schema.encode(frame), "y": schema.encode_target(frame)}
    >>> model = Model.of(schema, "linear", hyper, jdl.run(recipe, hyper, jax.random.key(0), data))
    >>> path = tempfile.mkdtemp() + "/model.onnx"
    >>> export_onnx(model, path)
    >>> rows = {"x": np.float32([1.5, np.nan]), "c": np.array(["b", ""], object)}
    >>> run(Path(path).read_bytes(), rows)["probability"].shape
    (2, 2)
    """
    schema = model.schema
    names = [category.name for category in schema.categories]

    def outputs(columns: Mapping[str, Any]) -> dict[str, Any]:
        count = next(iter(columns.values())).shape[0]
        codes = jnp.stack([columns[name] for name in names], 1) if names else jnp.zeros((count, 0), jnp.int32)
        return predicted(model, columns, codes)

    inputs = {number.name: jax.ShapeDtypeStruct((), jnp.float32) for number in schema.numbers}
    inputs |= {name: jax.ShapeDtypeStruct((), jnp.int32) for name in names}
    inputs |= {date.name: jax.ShapeDtypeStruct((2,), jnp.int32) for date in schema.dates}
    inputs |= {text.name: jax.ShapeDtypeStruct((WORDS,), jnp.int32) for text in schema.texts}
    read = {category.name: raw.levels(category.levels) for category in schema.categories}
    read |= {number.name: raw.shifted(number) for number in schema.numbers if raw.is_shifted(number)}
    written = model_of(
        outputs,
        inputs,
        read,
        {"jdl": description(model, [name for name in read if name not in names]).decode()},
    )
    content = written.SerializeToString()
    given, read = _drawn(model)
    needed, found = jax.jit(outputs)(read), run(content, given)
    told = (
        "probability" if "probability" in needed else "prediction"
    )  # of classes that are level either will do
    compare({told: needed[told]}, found)
    disk.put(Path(path), content)


def _drawn(model: Model) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw rows, as the file takes them and as the model's function does."""
    rng, schema = np.random.default_rng(0), model.schema
    given: dict[str, Any] = {}
    for number in schema.numbers:
        low, high = number.low or 0.0, number.high or 1.0
        share = rng.random(CHECKED)  # of a range that may be wider than float64
        with np.errstate(over="ignore"):  # infinity is missing
            values = ((1 - share) * low + share * high) * rng.choice([1, 1, 1, -2], CHECKED)
        values[rng.random(CHECKED) < 0.2] = rng.choice([np.nan, np.inf, -np.inf, 0])
        given[number.name] = values.astype(np.float64 if raw.is_shifted(number) else np.float32)
    for category in schema.categories:
        texts = rng.choice([*category.levels, "", "no such level"], CHECKED)
        given[category.name] = texts.astype(object)
    for date in schema.dates:
        seconds = rng.integers(0, 2**31, CHECKED).astype("datetime64[s]")
        given[date.name] = as_days(np.where(rng.random(CHECKED) < 0.2, np.datetime64("NaT"), seconds))
    for text in schema.texts:
        given[text.name] = as_ids(rng.choice(["", "a big dog", "Ein großer Hund"], CHECKED).tolist())
    read = dict(given)
    for number, values in zip(schema.numbers, _encoded(schema, given).T, strict=True):
        read[number.name] = values
    for category in schema.categories:
        places = {level: 1 + i for i, level in enumerate(category.levels)}
        read[category.name] = np.array([places.get(text, 0) for text in given[category.name]], np.int32)
    return given, read


def _encoded(schema: Schema, given: Mapping[str, Any]) -> np.ndarray:
    """Read the numbers as the table's reader does, whatever their kind: they are numbers already."""
    numbers = tuple(replace(number, kind="number") for number in schema.numbers)
    frame = pl.DataFrame({number.name: given[number.name] for number in numbers})
    return Schema(numbers=numbers).encode(frame)["numbers"] if numbers else np.zeros((0, 0), np.float32)
