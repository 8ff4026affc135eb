"""A saved model, checked before it is believed."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from jdl import models, tree
from jdl.data import WORDS, DataError, Schema
from jdl.io import files, weights
from jdl.io.errors import ModelError
from jdl.io.hyper import checked
from jdl.io.model import Model
from jdl.nn import LayerError
from jdl.nn.trees import nest
from jdl.train import Recipe, RecipeError


def load(folder: str | os.PathLike, registry: Sequence[models.Network] = ()) -> Model:
    """Read a model that ``save`` wrote: data alone, nothing in the folder is ever run.

    Checksums are compared, the network is a name from a closed registry, and every array has the shape and
    type that the recipe asks for, by the header of their file, or nothing is loaded. Models of older formats
    are read as what they are today.

    Args:
        folder: where the model is.
        registry: networks of one's own, which the model may be of besides those of ``models.NETWORKS``.

    Raises:
        ModelError: no model there, or one that is damaged, foreign or of another version; of arrays, all that
            are missing, unknown or of another shape are told at once.
    """
    path = files.standing(Path(folder))
    body = files.read_description(path)
    about = path / files.DESCRIPTION
    history = _history(path, files.read_checked(path, files.METRICS, body["files"][files.METRICS]))
    needed = body["files"][files.WEIGHTS]
    small = needed["bytes"] <= files.LARGEST
    content = files.read_checked(path, files.WEIGHTS, needed) if small else b""
    entries = weights.header(path, files.WEIGHTS)
    try:
        schema = Schema.from_json(json.dumps(body["schema"]))
        network = _network(body["network"], registry)
        hyper = checked(body["hyper"], schema, network, entries)
        recipe = models.tabular(schema, network)(hyper)
        stats = _stats(schema, recipe, hyper["rows"])
        wanted = _wanted(schema, recipe, stats)
    except (DataError, RecipeError, LayerError) as error:
        raise ModelError(f"{about}: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # What is sealed may still ask for a network that cannot be: of a width that no array can have, say.
        raise ModelError(
            f"{about}: network: no {body['network']} can be made as it says ({error})"
        ) from error
    weights.check(path / files.WEIGHTS, entries, wanted)
    held = sum(math.prod(leaf.shape) * np.dtype(leaf.dtype).itemsize for leaf in wanted.values())
    content = content or files.read_checked(path, files.WEIGHTS, needed, 8 + weights.HEADER + held)
    try:
        arrays = safetensors.load(content)
    except SafetensorError as error:
        raise files.damaged(path, f"{files.WEIGHTS} cannot be read ({error})") from error
    whole = {"params": {}, "state": {}} | nest(arrays)
    stats = tree.map_by_path(lambda name, _: arrays[name], {"stats": stats})["stats"]
    rest = {"history": history, "metrics": body["metrics"], "data": body["data"]}
    return Model(schema, network, hyper, whole["params"], whole["state"], stats, **rest)


def _network(name: str, registry: Sequence[models.Network]) -> str | models.Network:
    taken = [network.name for network in registry if network.name in models.NETWORKS]
    if taken:
        raise RecipeError(f"registry: the name {taken[0]!r} is taken; give your network another")
    return next((network for network in registry if network.name == name), name)


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


def _history(path: Path, content: bytes) -> tuple[dict[str, float], ...]:
    try:
        return tuple(_row(line) for line in content.splitlines())
    except (ValueError, AttributeError):
        raise files.damaged(path, f"{files.METRICS} cannot be read") from None


def _row(line: bytes) -> dict[str, float]:
    """Read one epoch's values; null stands for what is not finite."""
    values = files.parsed(line)
    return {name: math.nan if value is None else value for name, value in values.items() if name != "step"}
