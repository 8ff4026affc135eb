"""The network of a table's rows that embeds its numbers."""

from typing import Any

import jax.numpy as jnp

from jdl import nn
from jdl.models.levels import levels
from jdl.models.mlp import body
from jdl.nn.layer import Layer, Scope


@nn.constructor
def mlp_plr(
    outputs: int,
    widths: tuple[int, ...] = (128, 128),
    *,
    cardinalities: tuple[int, ...] = (),
    dropout: Any = 0.0,
    embedding: int = 8,
    frequencies: int = 32,
    lowest: Any = 0.05,
    highest: Any = 30.0,
) -> Layer:
    """Make a multi-layer perceptron of one row and the periodic embeddings of its numbers.

    As ``mlp``, with ``nn.periodic(embedding, frequencies=…, lowest=…, highest=…)`` of the numbers beside the
    numbers themselves. Waves let it bend sharply along a column, as trees do. ``dropout``, ``lowest`` and
    ``highest`` may be traced.

    Source: MLP-PLR of Gorishniy, Rubachev and Babenko 2022, https://arxiv.org/abs/2203.05556.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import models
    >>> row = {"numbers": jnp.zeros(2), "categories": jnp.array([1]), "flat": jnp.zeros(1)}
    >>> net = models.mlp_plr(3, (16,), cardinalities=(4,))
    >>> params, _ = net.init(jax.random.key(0), row)
    >>> net(params, row).shape, params["body"]["dense"]["w"].shape
    ((3,), (23, 16))
    """
    waves = nn.periodic(embedding, frequencies=frequencies, lowest=lowest, highest=highest)

    @nn.layer(waves=waves, categories=levels(cardinalities), body=body(outputs, widths, dropout))
    def mlp_plr(my: Scope, row: dict[str, Any]) -> Any:
        numbers, categories = row["numbers"], my.categories(row["categories"])
        waves = my.waves(numbers).reshape(-1)
        return my.body(jnp.concatenate([numbers, waves, row["flat"], categories]))

    return mlp_plr
