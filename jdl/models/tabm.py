"""TabM: an ensemble of networks of a table's rows, which share nearly all of their weights."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jdl import features, nn
from jdl.models.embedded import embedded
from jdl.models.levels import level_chunks, levels
from jdl.models.members import mean_of_members, member_losses
from jdl.models.row import Row, flat
from jdl.models.task import Hyper, assembled, cosine_adamw, course, ranked, task
from jdl.nn.attention import dropping
from jdl.nn.layer import Layer, Scope
from jdl.train.recipe import Recipe

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema


@nn.constructor
def tabm(
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
    r"""Make ``members`` multi-layer perceptrons of one row that share all matrices but the last.

    Each of ``blocks`` layers is ``nn.batch_ensemble(width, members)``, a rectifier and dropout; the head
    ``nn.linear_ensemble(outputs)`` is each member's own. Output ``(members, outputs)``: train it with the
    mean of the members' losses (``member_losses``), and predict with the mean of what they say
    (``mean_of_members``).

    The row is ``{"numbers": (p,), "categories": (q,), "flat": (f,)}`` and, for ``numbers="pieces"``,
    ``"pieces": (p, bins)``. ``numbers`` says how each is embedded, in ``embedding`` numbers: ``"pieces"``,
    ``"linear"``, ``"periodic"`` (with ``frequencies``, ``lowest`` and ``highest``) or ``"plain"``. Categories
    are laid out by ``levels``. The members begin apart by the first factors alone, drawn by ``start``, one
    for each column's embedding (default: normal, and random signs for plain numbers); all others begin at
    one. ``dropout``, ``lowest`` and ``highest`` may be traced.

    Source: Gorishniy, Kotelnikov and Babenko 2025, "TabM: Advancing Tabular Deep Learning with
    Parameter-Efficient Ensembling", https://arxiv.org/abs/2410.24210, and its package ``tabm``.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import models
    >>> row = {"numbers": jnp.zeros(2), "categories": jnp.array([1]), "flat": jnp.zeros(3)}
    >>> net = models.tabm(5, 8, members=4, cardinalities=(6,), numbers="linear", embedding=7)
    >>> params, _ = net.init(jax.random.key(0), row)
    >>> net(params, row).shape, params["block_0"]["w"].shape, params["block_0"]["r"].shape
    ((4, 5), (23, 8), (4, 23))
    """
    first = nn.batch_ensemble(width, members, r=beginning(start, numbers), s=nn.init.ones)
    later = nn.batch_ensemble(width, members, r=nn.init.ones, s=nn.init.ones)
    layers = {f"block_{i}": later if i else first for i in range(blocks)}

    @nn.layer(**inputs(numbers, embedding, cardinalities, waves), **layers, **rest(outputs, dropout))
    def tabm(my: Scope, row: Row) -> Any:
        x, chunks = laid_out(my, row, cardinalities)
        for i in range(blocks):
            x = getattr(my, f"block_{i}")(x, chunks=None if i else chunks)
            x = dropped(my, jnp.maximum(x, 0.0))
        return my.head(x)

    return tabm


def beginning(start: Any, numbers: str) -> Any:
    """Give how the first factors begin."""
    return start or (nn.init.random_signs if numbers == "plain" else nn.init.normal())


def inputs(way: str, width: int, cardinalities: tuple[int, ...], waves: dict[str, Any]) -> dict[str, Layer]:
    """Give the parts that read a row."""
    return {"numbers": embedded(way, width, **waves), "categories": levels(cardinalities)}


def rest(outputs: int, dropout: Any) -> dict[str, Layer]:
    """Give the head and, where something is ever dropped, ``drop``."""
    return {"head": nn.linear_ensemble(outputs), **dropping(dropout)}


def laid_out(my: Scope, row: Row, cardinalities: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    """Lay the row out as one vector, and tell how many numbers each column has in it."""
    numbers, others = my.numbers(row), flat(row)
    x = jnp.concatenate([numbers.reshape(-1), my.categories(row["categories"]), others])
    p, width = numbers.shape
    return x, (*[width] * p, *level_chunks(cardinalities), *[1] * others.size)


def dropped(my: Scope, x: Any) -> Any:
    """Drop hidden units, where there is a rate."""
    return my.drop(x) if "drop" in my._layer.parts else x


def defaults(rows: int, schema: "Schema") -> Hyper:
    """Give the hyper-parameters for a table of ``rows`` training rows.

    They are those of a processor's few cores: fewer and narrower members than the paper's 32 of 512.
    """
    return course(rows, 1500, 64, 256) | {
        "width": 128,
        "blocks": 2,
        "members": 16,
        "dropout": 0.05,
        "bins": 32,
        "embedding": 16,
        "learning_rate": 3e-3,
        "weight_decay": 3e-4,
    }


def recipe(schema: "Schema", hyper: Hyper, network: Any = tabm) -> Recipe:
    """Make the recipe of a ``tabm``, or of another ``network`` of its arguments, with numbers in pieces.

    AdamW, the learning rate falling to 0; biases and the embeddings of numbers are not decayed.
    """
    about = task(schema)
    cardinalities = features.cardinalities(schema)
    names = ("width", "blocks", "members", "dropout", "embedding")
    net = network(about.outputs, cardinalities=cardinalities, **{name: hyper[name] for name in names})
    return assembled(
        about,
        net,
        features.table(schema, ranked(), pieces=features.piecewise(hyper["bins"])),
        cosine_adamw(hyper, {"*/b": 0.0, "*numbers/*": 0.0}),
        hyper,
        loss=member_losses(about.loss),
        predict=mean_of_members(about.name),
    )
