"""DCN-v2: a network of a table's rows that multiplies columns with one another."""

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


@nn.constructor
def dcn_v2(
    outputs: int,
    widths: tuple[int, ...] = (128, 128),
    crosses: int = 3,
    *,
    cardinalities: tuple[int, ...] = (),
    rank: int | None = None,
    stacked: bool = False,
    dropout: Any = 0.0,
) -> Layer:
    r"""Make a cross network and a deep one of a row ``{"numbers": (p,), "categories": (q,), "flat": (f,)}``.

    The cross network is ``crosses`` layers ``nn.cross(rank=rank)`` of the row's vector :math:`x_0`, whose
    categories ``levels`` lays out: :math:`x \leftarrow x_0 \odot (W x + b) + x`, polynomials of the columns
    of degree up to ``crosses + 1``. The deep one is layers of ``widths`` rectified units with dropout (whose
    rate may be traced). They stand side by side, joined before the head; or, ``stacked``, the deep one
    reads what the cross network gives. Output ``(outputs,)``.

    Source: Wang et al. 2020, "DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-scale
    Learning to Rank Systems", https://arxiv.org/abs/2008.13535.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import models
    >>> row = {"numbers": jnp.zeros(2), "categories": jnp.array([1]), "flat": jnp.zeros(3)}
    >>> net = models.dcn_v2(5, (8,), cardinalities=(6,))
    >>> params, _ = net.init(jax.random.key(0), row)
    >>> net(params, row).shape, params["cross_0"]["w"].shape, params["head"]["w"].shape
    ((5,), (11, 11), (19, 5))
    """
    drop, cross = tuple(dropping(dropout).values()), nn.cross(rank=rank)
    hidden = [
        part for width in widths for part in (nn.dense(width, init=nn.init.he_normal()), nn.relu, *drop)
    ]
    deep = {"deep": nn.chain(*hidden)} if hidden else {}
    layers = {f"cross_{i}": cross for i in range(crosses)}

    @nn.layer(categories=levels(cardinalities), **layers, **deep, head=nn.dense(outputs))
    def dcn_v2(my: Scope, row: Row) -> Any:
        x0 = vector(row, my.categories(row["categories"]))
        x = x0
        for name in layers:
            x = getattr(my, name)(x, x0)
        if deep:
            x = my.deep(x) if stacked else jnp.concatenate([x, my.deep(x0)])
        return my.head(x)

    return dcn_v2


def defaults(rows: int, schema: "Schema") -> Hyper:
    """Give the hyper-parameters for a table of ``rows`` training rows."""
    return course(rows, 1400) | {
        "widths": (128, 128),
        "crosses": 2,
        "rank": None,
        "stacked": False,
        "dropout": 0.1,
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
    }


def recipe(schema: "Schema", hyper: Hyper) -> Recipe:
    """Make the recipe of a ``dcn_v2``: AdamW, the learning rate falling to 0."""
    about = task(schema)
    net = dcn_v2(
        about.outputs,
        tuple(hyper["widths"]),
        cardinalities=features.cardinalities(schema),
        **{name: hyper[name] for name in ("crosses", "rank", "stacked", "dropout")},
    )
    return assembled(about, net, features.table(schema, ranked()), cosine_adamw(hyper), hyper)
