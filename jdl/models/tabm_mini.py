"""TabM-mini: an ensemble of networks of a table's rows that differ in first factors and head alone."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jdl import nn
from jdl.models.row import Row
from jdl.models.tabm import beginning, dropped, inputs, laid_out, rest
from jdl.models.tabm import defaults as defaults
from jdl.models.tabm import recipe as recipe_of
from jdl.models.task import Hyper
from jdl.nn.layer import Layer, Scope
from jdl.nn.members import by_chunk
from jdl.train.recipe import Recipe

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema


@nn.constructor
def tabm_mini(
    outputs: int,
    width: int = 256,
    blocks: int = 2,
    members: int = 16,
    *,
    cardinalities: tuple[int, ...] = (),
    dropout: Any = 0.1,
    numbers: str = "pieces",
    embedding: int = 16,
    start: Any = None,
    **waves: Any,
) -> Layer:
    """Make a ``tabm`` whose members differ by the first factors and the head alone.

    The blocks are ``nn.dense(width)``, the same for all members. The rest is as in ``tabm``.

    Source: TabM-mini of https://arxiv.org/abs/2410.24210, and its package ``tabm``.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import models
    >>> row = {"numbers": jnp.zeros(2), "categories": jnp.array([1]), "flat": jnp.zeros(3)}
    >>> net = models.tabm_mini(5, 8, members=4, cardinalities=(6,), numbers="linear", embedding=7)
    >>> params, _ = net.init(jax.random.key(0), row)
    >>> net(params, row).shape, params["block_0"]["w"].shape, params["r"].shape
    ((4, 5), (23, 8), (4, 23))
    """
    block = nn.dense(width, init=nn.init.variance_scaling(1 / 3, "fan_in", "uniform"))
    layers = {f"block_{i}": block for i in range(blocks)}

    @nn.layer(**inputs(numbers, embedding, cardinalities, waves), **layers, **rest(outputs, dropout))
    def tabm_mini(my: Scope, row: Row) -> Any:
        x, chunks = laid_out(my, row, cardinalities)
        x = x * my.param("r", (members, x.size), by_chunk(beginning(start, numbers), chunks))
        for i in range(blocks):
            x = dropped(my, jnp.maximum(getattr(my, f"block_{i}")(x), 0.0))
        return my.head(x)

    return tabm_mini


def recipe(schema: "Schema", hyper: Hyper) -> Recipe:
    """Make the recipe of a ``tabm_mini``, as that of ``tabm``."""
    return recipe_of(schema, hyper, tabm_mini)
