"""The recipe of an estimator: a network by name, a layer, or the user's own function."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

import jax.numpy as jnp

from jdl import features, models, nn
from jdl.data import Schema
from jdl.models.mlp import defaults as of_mlp
from jdl.models.task import Hyper, assembled, cosine_adamw, robust, task
from jdl.nn.layer import Layer, Scope
from jdl.train.recipe import Recipe, RecipeError

Chosen = tuple[Callable[[dict], Recipe], Hyper]


def chosen(model: Any, schema: Schema, rows: int, given: Mapping[str, Any]) -> Chosen:
    """Give the recipe function of an estimator's ``model`` and its hyper-parameters, ``given`` ones included.

    Raises:
        RecipeError: no such network, or a hyper-parameter that it does not have.
    """
    if isinstance(model, str):
        name = models.DEFAULT if model == "auto" else model
        recipe, hyper = models.recipe(schema, rows, name)
    elif isinstance(model, Layer):
        recipe, hyper = of_layer(model, schema), of_mlp(rows, schema)
        hyper = {key: value for key, value in hyper.items() if key not in ("widths", "dropout")}
    elif callable(model):
        return model, dict(given)
    else:
        raise RecipeError(
            f"model: found a {type(model).__name__}, needs 'auto', the name of a network "
            f"({', '.join(models.NETWORKS)}), a layer, or a function recipe(hyper) -> jdl.Recipe"
        )
    check_known("hyper", given, hyper)
    return recipe, hyper | dict(given)


def check_known(place: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise a RecipeError at the first name that is not known."""
    for name in given:
        if name not in known:
            raise RecipeError(f"{place}: found {name!r}, needs one of {', '.join(known)}")


@lru_cache(64)
def of_layer(layer: Layer, schema: Schema) -> Callable[[Hyper], Recipe]:
    """Make the recipe function of a layer that takes a row as one vector.

    The vector holds the numbers, scaled by their quartiles, the categories as indicators, and what says that
    a number is missing. The layer gives logits of classes, or a number for each target.
    """
    prepare = features.table(schema, numbers=robust(), categories=features.one_hot())

    @nn.layer(body=layer)
    def network(my: Scope, row: dict[str, Any]) -> Any:
        return my.body(jnp.concatenate([row["numbers"], row["flat"]]))

    def recipe(hyper: Hyper) -> Recipe:
        return assembled(task(schema), network, prepare, cosine_adamw(hyper), hyper)

    return recipe
