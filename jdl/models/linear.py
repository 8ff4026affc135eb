"""The linear model of a table's rows: logistic and ridge regression, the baseline of every network."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jdl import features, nn
from jdl.models.levels import levels
from jdl.models.row import Row, vector
from jdl.models.task import Hyper, assembled, cosine_adamw, course, task
from jdl.nn.dropout import never
from jdl.nn.layer import Layer, Scope
from jdl.train.recipe import Recipe

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema

LARGEST = 2**31  # codes of a category that is one-hot: all


@nn.constructor
def linear(outputs: int, *, cardinalities: tuple[int, ...] = (), penalty: Any = 0.0) -> Layer:
    r"""Make an affine map of one row, its categories one-hot: :math:`y = x W + b`.

    It begins at zero, and adds ``penalty`` (which may be traced) times :math:`\sum W^2` to the objective:
    that is ridge regression with ``alpha = rows * penalty``, and logistic regression with
    ``C = 1 / (2 * rows * penalty)``, as scikit-learn calls them. For a target standardised by
    ``with_target`` the penalty is in its units: of the mean over outputs of :math:`\sigma^2 \sum W^2`.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import models
    >>> row = {"numbers": jnp.zeros(2), "categories": jnp.array([1]), "flat": jnp.zeros(3)}
    >>> net = models.linear(2, cardinalities=(4,))
    >>> params, _ = net.init(jax.random.key(0), row)
    >>> net(params, row).tolist(), params["w"].shape
    ([0.0, 0.0], (9, 2))
    """

    @nn.layer(categories=levels(cardinalities, most=LARGEST))
    def linear(my: Scope, row: Row) -> Any:
        x = vector(row, my.categories(row["categories"]))
        w = my.param("w", (x.size, outputs), nn.init.zeros)
        if not never(penalty):
            squares = jnp.sum(jnp.square(w), 0)
            if "target" in row:  # the loss is in the target's units, so the penalty must be
                squares = jnp.mean(row["target"]["std"] ** 2 * squares)
            my.loss("ridge", penalty * jnp.sum(squares))
        return x @ w + my.param("b", (outputs,), nn.init.zeros)

    return linear


def defaults(rows: int, schema: "Schema") -> Hyper:
    """Give the hyper-parameters for a table of ``rows`` training rows."""
    return course(rows, 1400) | {"penalty": 1e-4, "learning_rate": 1e-2, "weight_decay": 0.0}


def recipe(schema: "Schema", hyper: Hyper) -> Recipe:
    """Make the recipe of a ``linear`` model: Adam, the learning rate falling to 0."""
    about = task(schema)
    net = linear(about.outputs, cardinalities=features.cardinalities(schema), penalty=hyper["penalty"])
    return assembled(about, net, features.table(schema), cosine_adamw(hyper), hyper)
