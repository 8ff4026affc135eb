"""A model as one ONNX file, preparation included, that ONNX Runtime runs without JAX."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jdl import disk
from jdl.io.export import check, description, predicted
from jdl.io.model import Model
from jdl.io.onnx.convert import compare, model_of, run

CHECKED = 64  # rows that are drawn and predicted by both, before the file is written


def export_onnx(model: Model, path: str | os.PathLike) -> None:
    """Write a model as one ONNX file: raw columns in, predictions out.

    Inputs are columns of any number of rows: numbers, booleans, times and durations (in seconds) as float32
    ``(n,)``, NaN where missing; categories as strings ``(n,)``, empty where missing, and one that is no
    level counts as missing. Outputs are ``prediction`` and ``probability``, as ``jdl.io.export`` has them.
    The names of columns, targets and classes are in the file's metadata, under ``jdl``, as JSON.

    The file is run by ONNX Runtime on rows drawn at random, missing values and unknown levels among them, and
    written only where its outputs are those of JAX. Needs ``pip install 'jdl[onnx]'``.

    Raises:
        ModelError: as ``jdl.io.export``, a primitive that has no translation, or an error above 1e-4.

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
    check(model)
    schema = model.schema
    names = [category.name for category in schema.categories]

    def outputs(columns: Mapping[str, Any]) -> dict[str, Any]:
        count = next(iter(columns.values())).shape[0]
        codes = jnp.stack([columns[name] for name in names], 1) if names else jnp.zeros((count, 0), jnp.int32)
        return predicted(model, columns, codes)

    inputs = {number.name: jax.ShapeDtypeStruct((), jnp.float32) for number in schema.numbers}
    inputs |= {name: jax.ShapeDtypeStruct((), jnp.int32) for name in names}
    levels = {category.name: category.levels for category in schema.categories}
    written = model_of(outputs, inputs, levels, {"jdl": description(model).decode()})
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
    rng, given, read = np.random.default_rng(0), {}, {}
    for number in model.schema.numbers:
        low, high = number.low or 0.0, number.high or 1.0
        values = rng.uniform(min(low, high), max(low, high), CHECKED) * rng.choice([1, 1, 1, -2], CHECKED)
        values[rng.random(CHECKED) < 0.2] = rng.choice([np.nan, np.inf, -np.inf, 0])
        given[number.name] = read[number.name] = values.astype(np.float32)
    for category in model.schema.categories:
        codes = rng.integers(0, len(category.levels) + 1, CHECKED)
        unknown = rng.choice(["", "no such level"], CHECKED)
        texts = [
            category.levels[code - 1] if code else text for code, text in zip(codes, unknown, strict=True)
        ]
        given[category.name] = np.array(texts, object)
        read[category.name] = codes.astype(np.int32)
    return given, read
