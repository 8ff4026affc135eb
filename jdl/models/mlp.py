"""The plain network of a table's rows."""

from typing import Any

import jax.numpy as jnp

from jdl import nn
from jdl.models.levels import levels
from jdl.nn.layer import Layer, Scope


@nn.constructor
def mlp(
    outputs: int,
    widths: tuple[int, ...] = (128, 128),
    *,
    cardinalities: tuple[int, ...] = (),
    dropout: Any = 0.0,
) -> Layer:
    """Make a multi-layer perceptron of one row ``{"numbers": (p,), "categories": (q,), "flat": (f,)}``.

    ``cardinalities`` are the numbers of codes of the q categories (``features.cardinalities``); numbers are
    expected to be of about unit variance, as ``features.table`` makes them. Output ``(outputs,)``: logits, or
    the predicted numbers. ``dropout`` may be traced.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import models
    >>> row = {"numbers": jnp.zeros(2), "categories": jnp.array([1]), "flat": jnp.zeros(1)}
    >>> net = models.mlp(3, (16,), cardinalities=(4,))
    >>> params, _ = net.init(jax.random.key(0), row)
    >>> net(params, row).shape, params["body"]["dense"]["w"].shape
    ((3,), (7, 16))
    """

    @nn.layer(categories=levels(cardinalities), body=body(outputs, widths, dropout))
    def mlp(my: Scope, row: dict[str, Any]) -> Any:
        return my.body(jnp.concatenate([row["numbers"], row["flat"], my.categories(row["categories"])]))

    return mlp


def body(outputs: int, widths: tuple[int, ...], dropout: Any) -> Layer:
    """Stack hidden layers of rectified units with dropout, and a linear head."""
    hidden = [
        part
        for width in widths
        for part in (nn.dense(width, init=nn.init.he_normal()), nn.relu, nn.dropout(dropout))
    ]
    return nn.chain(*hidden, head=nn.dense(outputs))
