"""A saved model, checked before it is believed."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from jdl import models, tree
from jdl.data import WORDS, DataError, Schema
from jdl.io import files
from jdl.io.errors import ModelError
from jdl.io.model import Model
from jdl.nn import LayerError
from jdl.nn.trees import nest
from jdl.train import Recipe, RecipeError


def load(folder: str | os.PathLike) -> Model:
    """Read a model that ``save`` wrote: data alone, nothing in the folder is ever run.

    Checksums are compared, the network is a name from a closed registry, and every array has the shape and
    type that the recipe asks for, or nothing is loaded.

    Raises:
        ModelError: no model there, or one that is damaged, foreign or of another version.
    """
    path = Path(folder)
    body = files.read_description(path)
    content = {name: files.read_checked(path, name, needed) for name, needed in body["files"].items()}
    try:
        schema = Schema.from_json(json.dumps(body["schema"]))
        network, hyper = body["network"], _hyper(body["hyper"], schema, body["network"])
        recipe = models.tabular(schema, network)(hyper)
        stats = _stats(schema, recipe, hyper["rows"])
        wanted = _wanted(schema, recipe, stats)
    except (DataError, RecipeError, LayerError) as error:
        raise ModelError(f"{path / files.DESCRIPTION}: {error}") from error
    try:
        arrays = safetensors.load(content[files.WEIGHTS])
    except SafetensorError as error:
        raise files.damaged(path, f"{files.WEIGHTS} cannot be read ({error})") from error
    _check(path / files.WEIGHTS, arrays, wanted)
    whole = {"params": {}, "state": {}} | nest(arrays)
    stats = tree.map_by_path(lambda name, _: arrays[name], {"stats": stats})["stats"]
    history = tuple(_row(line) for line in content[files.METRICS].splitlines())
    rest = {"history": history, "metrics": body["metrics"], "data": body["data"]}
    return Model(schema, network, hyper, whole["params"], whole["state"], stats, **rest)


def _hyper(found: Mapping[str, Any], schema: Schema, network: str) -> dict[str, Any]:
    """Give the hyper-parameters with tuples where JSON has lists, each of the type of its default."""
    hyper = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    for name, default in models.defaults(1, schema, network).items():
        value = hyper.get(name, default)
        if not (type(value) is type(default) and _is_plain(value)):
            kind = "a list of whole numbers above 0" if isinstance(default, tuple) else type(default).__name__
            raise RecipeError(f"hyper-parameter {name!r}: found {found[name]!r}, needs {kind}, finite")
    return hyper


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(type(part) is int and part > 0 for part in value)
    return value is None or isinstance(value, str) or math.isfinite(value)


def _stats(schema: Schema, recipe: Recipe, count: int) -> Any:
    """Give what the preparation learns from ``count`` rows, as shapes alone."""
    prepare = recipe.prepare
    assert prepare is not None
    shape = (count,) if len(schema.targets) == 1 else (count, len(schema.targets))
    target = jax.ShapeDtypeStruct(shape, jnp.int32 if schema.task == "classification" else jnp.float32)
    fit = lambda key, rows, target: prepare.fit(key, rows, target, None)
    return jax.eval_shape(fit, jax.random.key(0), _rows(schema, count), target)


def _rows(schema: Schema, count: int) -> dict[str, Any]:
    """Give what ``schema.encode`` makes of ``count`` rows, as shapes alone."""
    return {
        "numbers": jax.ShapeDtypeStruct((count, len(schema.numbers)), jnp.float32),
        "categories": jax.ShapeDtypeStruct((count, len(schema.categories)), jnp.int32),
        "dates": jax.ShapeDtypeStruct((count, len(schema.dates), 2), jnp.int32),
        "texts": jax.ShapeDtypeStruct((count, len(schema.texts), WORDS), jnp.int32),
    }


def _wanted(schema: Schema, recipe: Recipe, stats: Any) -> dict[str, Any]:
    """Give the arrays that the recipe needs, by path, from shapes alone."""
    assert recipe.prepare is not None
    row = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), _rows(schema, 1))
    features = jax.eval_shape(recipe.prepare.apply, stats, row)
    entries = recipe.network.specs(features)
    wanted = {f"{kind}/{path}": spec for kind in entries for path, spec in entries[kind].items()}
    return wanted | dict(tree.items({"stats": stats}))


def _check(path: Path, arrays: Mapping[str, np.ndarray], wanted: Mapping[str, Any]) -> None:
    """Compare the arrays with those the recipe needs; the error names the first that differs."""
    for name, leaf in wanted.items():
        if name not in arrays:
            raise ModelError(f"{path}: lacks {name!r}, which the network needs")
        found, needed = (f"{np.dtype(each.dtype)}{list(each.shape)}" for each in (arrays[name], leaf))
        if found != needed:
            raise ModelError(f"{path}: {name!r} is {found}, the network needs {needed}")
    unknown = sorted(arrays.keys() - wanted.keys())
    if unknown:
        raise ModelError(f"{path}: has {unknown[0]!r}, which the network lacks")


def _row(line: bytes) -> dict[str, float]:
    """Read one epoch's values; null stands for what is not finite."""
    values = json.loads(line)
    return {name: math.nan if value is None else value for name, value in values.items() if name != "step"}
