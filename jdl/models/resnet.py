"""The residual network of a table's rows."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jdl import features, nn
from jdl.models.levels import levels
from jdl.models.row import Row, vector
from jdl.models.task import Hyper, assembled, cosine_adamw, course, ranked, task
from jdl.nn.attention import dropping
from jdl.nn.layer import Layer, Scope
from jdl.train.recipe import Recipe

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema

UNIFORM = nn.init.variance_scaling(1 / 3, "fan_in", "uniform")  # within 1 / sqrt(n): PyTorch's default


@nn.constructor
def resnet(
    outputs: int,
    width: int = 192,
    blocks: int = 2,
    hidden: int | None = None,
    *,
    cardinalities: tuple[int, ...] = (),
    dropout: Any = 0.15,
    residual_dropout: Any = 0.0,
) -> Layer:
    r"""Make a residual network of one row ``{"numbers": (p,), "categories": (q,), "flat": (f,)}``.

    After an affine map to ``width``, ``blocks`` times
    :math:`x \leftarrow x + \mathrm{drop}(W_2\,\mathrm{drop}(\mathrm{relu}(W_1\,\mathrm{norm}(x))))` with
    batch norm and ``hidden`` (default twice ``width``) units; then
    :math:`W\,\mathrm{relu}(\mathrm{norm}(x))`, of ``outputs``. ``dropout`` is the rate within a block,
    ``residual_dropout`` that of its branch; both may be traced.

    Source: Gorishniy, Rubachev, Khrulkov and Babenko 2021, "Revisiting Deep Learning Models for Tabular
    Data", https://arxiv.org/abs/2106.11959, section 3.2 (``ResNet`` of the package
    ``rtdl_revisiting_models``).

    >>> import jax, jax.numpy as jnp
    >>> from jdl import models
    >>> row = {"numbers": jnp.zeros(2), "categories": jnp.array([1]), "flat": jnp.zeros(3)}
    >>> net = models.resnet(5, 8, cardinalities=(6,))
    >>> params, state = net.init(jax.random.key(0), row)
    >>> net.apply(params, state, row)[0].shape, params["block_0"]["down"]["w"].shape
    ((5,), (16, 8))
    """
    dense = lambda n: nn.dense(n, init=UNIFORM)
    ends = {"enter": dense(width), "norm": nn.batch_norm(), "head": dense(outputs)}
    block = _block(dense(hidden or 2 * width), dense(width), dropping(dropout), dropping(residual_dropout))
    layers = {f"block_{i}": block for i in range(blocks)}

    @nn.layer(categories=levels(cardinalities), **ends, **layers)
    def resnet(my: Scope, row: Row) -> Any:
        x = my.enter(vector(row, my.categories(row["categories"])))
        for name in layers:
            x = getattr(my, name)(x)
        return my.head(jnp.maximum(my.norm(x), 0.0))

    return resnet


def _block(up: Layer, down: Layer, inside: dict[str, Layer], branch: dict[str, Layer]) -> Layer:
    parts = [nn.batch_norm(), up, nn.relu, *inside.values(), down, *branch.values()]
    names = ["norm", "up", "relu", *inside, "down", *(f"branch_{name}" for name in branch)]
    return nn.residual(nn.chain(**dict(zip(names, parts, strict=True))))


def defaults(rows: int, schema: "Schema") -> Hyper:
    """Give the hyper-parameters for a table of ``rows`` training rows."""
    return course(rows, 1400) | {
        "width": 192,
        "blocks": 2,
        "dropout": 0.15,
        "residual_dropout": 0.0,
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
    }


def recipe(schema: "Schema", hyper: Hyper) -> Recipe:
    """Make the recipe of a ``resnet``: AdamW, the learning rate falling to 0."""
    about = task(schema)
    names = ("width", "blocks", "dropout", "residual_dropout")
    net = resnet(
        about.outputs, cardinalities=features.cardinalities(schema), **{name: hyper[name] for name in names}
    )
    decay = {"*/b": 0.0, "*norm/*": 0.0}
    return assembled(about, net, features.table(schema, ranked()), cosine_adamw(hyper, decay), hyper)
