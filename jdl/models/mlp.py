"""The plain network of a table's rows."""

from typing import TYPE_CHECKING, Any

from jdl import features, nn
from jdl.models.levels import levels
from jdl.models.row import Row, vector
from jdl.models.task import Hyper, assembled, cosine_adamw, course, task
from jdl.nn.layer import Layer, Scope
from jdl.train.recipe import Recipe

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema


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
    def mlp(my: Scope, row: Row) -> Any:
        return my.body(vector(row, my.categories(row["categories"])))

    return mlp


def body(outputs: int, widths: tuple[int, ...], dropout: Any) -> Layer:
    """Stack hidden layers of rectified units with dropout, and a linear head."""
    hidden = [
        part
        for width in widths
        for part in (nn.dense(width, init=nn.init.he_normal()), nn.relu, nn.dropout(dropout))
    ]
    return nn.chain(*hidden, head=nn.dense(outputs))


def defaults(rows: int, schema: "Schema") -> Hyper:
    """Give the hyper-parameters for a table of ``rows`` training rows.

    Small tables get small batches and more epochs.
    """
    return course(rows, 1400) | {
        "widths": (128, 128),
        "dropout": 0.2,
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
    }


def recipe(schema: "Schema", hyper: Hyper) -> Recipe:
    """Make the recipe of an ``mlp``: AdamW, the learning rate falling to 0."""
    about = task(schema)
    sizes = features.cardinalities(schema)
    net = mlp(about.outputs, tuple(hyper["widths"]), cardinalities=sizes, dropout=hyper["dropout"])
    return assembled(about, net, features.table(schema), cosine_adamw(hyper), hyper)
