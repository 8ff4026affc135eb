"""Preparation inside a run: fitted on its training rows, then applied to every row once, where it can be."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jdl.features.prepare import inner_folds
from jdl.nn.layer import batch_size, fold
from jdl.train.objective import example_weight
from jdl.train.recipe import Recipe, RecipeError

CHUNK = 4096  # rows prepared at once
CACHED = 8  # recipes of loops that are kept, as one that is resumed at once needs its programs again
ON_DEVICE = 2**18  # rows brought to the device at once, where they do not all have to be there

Data = dict[str, Any]


def prepare(recipe: Recipe, key: Any, data: Data, valid: Data | None) -> tuple[Any, Data, Data | None]:
    """Fit a recipe's preparation and apply it: its statistics, the rows as ``settled(recipe)`` takes them."""
    data = with_folds(recipe, key, data)
    stats = fitted(recipe, key, data)
    return stats, applied(recipe, stats, data), None if valid is None else applied(recipe, stats, valid)


def on_host(
    recipe: Recipe, key: Any, data: Data, valid: Data | None, stats: Any = None
) -> tuple[Any, Data, Data | None]:
    """Do as ``prepare`` does, for rows that stay on the host; fit only where no ``stats`` are given."""
    data = with_folds(recipe, key, data)
    if stats is None:
        stats = jax.jit(partial(fitted, recipe))(key, data)
    apply = jax.jit(partial(applied, recipe))
    whole = partial(_in_parts, lambda part: apply(stats, part))
    return stats, whole(data), None if valid is None else whole(valid)


def for_loop(recipe: Recipe, key: Any, batches: Any, valid: Data | None, stats: Any) -> tuple:
    """Give ``(recipe, stats, batches, valid)`` as the host's loop takes them.

    The rows of data sets in memory are prepared here; those of other batches at every step.
    """
    if recipe.prepare is None:
        return recipe, stats, batches, valid
    if isinstance(batches, Mapping):
        return _settled(recipe), *on_host(recipe, key, dict(batches), valid, stats)
    if stats is None:
        raise RecipeError("loop: Recipe.prepare needs all rows to be fitted on; give loop its stats=…")
    return _preparing(recipe), stats, batches, valid


def settled(recipe: Recipe) -> Recipe:
    """Give the recipe of the steps: without a preparation where rows are prepared once, before the first."""
    if recipe.prepare is None or recipe.prepare.each_step:
        return recipe
    return replace(recipe, prepare=None)


_settled = lru_cache(CACHED)(settled)  # the same recipe each time, whose programs are then found again


@lru_cache(CACHED)
def _preparing(recipe: Recipe) -> Recipe:
    """Give the recipe whose every step prepares its batch."""
    assert recipe.prepare is not None
    return replace(recipe, prepare=recipe.prepare._replace(each_step=True))


def fitted(recipe: Recipe, key: Any, data: Data) -> Any:
    """Fit the recipe's preparation on the training rows of the run of this key."""
    if recipe.prepare is None:
        return None
    return recipe.prepare.fit(fold(key, "prepare"), data["x"], data["y"], example_weight(data))


def applied(recipe: Recipe, stats: Any, data: Data) -> Data:
    """Prepare the rows of a data set, unless every step has to."""
    if recipe.prepare is None or recipe.prepare.each_step:
        return data
    apply = partial(recipe.prepare.apply, stats)
    given = (data["x"], data["fold"]) if "fold" in data else (data["x"],)
    features = in_chunks(jax.vmap(apply), given, batch_size(data["y"]))
    return {name: values for name, values in data.items() if name != "fold"} | {"x": features}


def with_folds(recipe: Recipe, key: Any, data: Data) -> Data:
    """Add each training row's inner fold where the preparation reads it: the folds it is fitted with."""
    if recipe.prepare is None or not recipe.prepare.folds or "fold" in data:
        return data
    return data | {"fold": inner_folds(fold(key, "prepare"), batch_size(data["y"]), recipe.prepare.folds)}


def in_chunks(apply: Callable[..., Any], given: tuple, rows: int) -> Any:
    """Apply to ``CHUNK`` rows at a time, on the device; ``jax.lax.map`` fails at columns of no width."""
    chunks = -(-rows // CHUNK)
    size = -(-rows // chunks)

    def chunk(_: None, i: Any) -> tuple[None, Any]:
        chosen = jnp.minimum(i * size + jnp.arange(size), rows - 1)
        return None, apply(*jax.tree.map(lambda leaf: leaf[chosen], given))

    if chunks == 1:
        return apply(*given)
    _, made = jax.lax.scan(chunk, None, jnp.arange(chunks))
    return jax.tree.map(lambda leaf: leaf.reshape(chunks * size, *leaf.shape[2:])[:rows], made)


def _in_parts(apply: Callable[[Data], Data], data: Data) -> Data:
    cuts = range(0, batch_size(data["y"]), ON_DEVICE)
    parts = [apply(jax.tree.map(lambda leaf: leaf[cut : cut + ON_DEVICE], data)) for cut in cuts]  # noqa: B023
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *jax.device_get(parts))
