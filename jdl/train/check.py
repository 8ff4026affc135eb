"""Errors about the rows of a run that say where."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jdl import tree
from jdl.train.recipe import Recipe, RecipeError

NO_NUMBERS = "OSUMm"  # NumPy's kinds of objects, texts, dates and spans of time


def check_data(data: dict[str, Any], name: str = "data") -> None:
    """Raise a RecipeError unless ``data`` is ``{"x": …, "y": …}`` with one common leading axis."""
    if not isinstance(data, Mapping) or not {"x", "y"} <= set(data) <= {"x", "y", "weight", "fold"}:
        found: Any = sorted(map(str, data)) if isinstance(data, Mapping) else type(data).__name__
        raise RecipeError(f"{name}: found {found}, needs 'x' and 'y', and optionally 'weight'")
    lengths = {path: jnp.shape(leaf)[:1] for path, leaf in tree.items(dict(data))}
    for path, length in lengths.items():
        if not length:
            raise RecipeError(f"{name}/{path}: is a single number, needs an array with one row an example")
    if len(set(lengths.values())) != 1:
        found = {path: length for path, (length,) in lengths.items()}
        raise RecipeError(f"{name}: has {found} rows, needs one common length")
    if set(lengths.values()) == {(0,)}:
        raise RecipeError(f"{name}: has no rows, needs at least one")
    for path, leaf in tree.items(dict(data)):
        dtype = getattr(leaf, "dtype", None)
        if isinstance(dtype, np.dtype) and dtype.kind in NO_NUMBERS:
            advice = "code classes as integers" if path == "y" else "code it as numbers"
            raise RecipeError(f"{name}/{path}: holds {dtype}, needs numbers; {advice}")
    if "weight" in data and jnp.ndim(data["weight"]) != 1:
        raise RecipeError(f"{name}/weight: has shape {jnp.shape(data['weight'])}, needs one number a row")


def check_values(recipe: Recipe, data: dict[str, Any], name: str = "data") -> None:
    """Raise a RecipeError at the first weight, target or (unless they are prepared) input that cannot train.

    Rows of weight zero may hold anything. Only ``run`` and ``loop`` look: within a transform nothing can.
    """
    check_data(data, name)
    weight = np.ones(1) if "weight" not in data else np.asarray(data["weight"], np.float64)
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        row = int(bad.argmax())
        raise RecipeError(f"{name}/weight: row {row} has {weight[row]}, needs finite weights of at least 0")
    if not weight.any():
        raise RecipeError(f"{name}/weight: is 0 in every row, needs a row that counts")
    for path, values, bad in nonfinite(recipe, data):
        row = int(bad.argmax())
        found = values[row][~np.isfinite(values[row])].ravel()[0]
        raise RecipeError(
            f"{name}/{path}: row {row} holds {found} ({int(bad.sum())} such rows), needs finite numbers; "
            "clean them, give them weight 0, or let Recipe.prepare treat missing values"
        )


def nonfinite(recipe: Recipe, data: dict[str, Any]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Give ``(path, values, which rows)`` where rows that count hold NaN or infinity; prepared inputs may."""
    looked_at = ("y",) if recipe.prepare is not None else ("x", "y")
    for path, leaf in tree.items({key: data[key] for key in looked_at}):
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            values = np.asarray(leaf)
            bad = ~np.isfinite(values).reshape(len(values), -1).all(1)
            if "weight" in data:
                bad &= np.asarray(data["weight"]) > 0
            if bad.any():
                yield path, values, bad
