"""FT-Transformer: a transformer whose tokens are the columns of a table's row."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jdl import features, nn
from jdl.models.row import Row, flat
from jdl.models.task import Hyper, assembled, cosine_adamw, course, ranked, task
from jdl.nn.attention import dropping
from jdl.nn.layer import Layer, Scope
from jdl.train.recipe import Recipe

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema

UNIFORM = nn.init.variance_scaling(1 / 3, "fan_in", "uniform")  # within 1 / sqrt(n): PyTorch's default


@nn.constructor
def ft_transformer(
    outputs: int,
    width: int = 96,
    blocks: int = 2,
    heads: int = 8,
    hidden: int | None = None,
    *,
    cardinalities: tuple[int, ...] = (),
    attention_dropout: Any = 0.15,
    dropout: Any = 0.05,
    residual_dropout: Any = 0.0,
) -> Layer:
    r"""Make a transformer of one row ``{"numbers": (p,), "categories": (q,), "flat": (f,)}``.

    ``nn.feature_tokens(width, cardinalities)`` makes the columns tokens, after one of its own (CLS). Each of
    ``blocks`` adds to them attention of ``heads``, then a feed-forward network of ``hidden`` units gated by
    rectifiers (default four thirds of ``width``), both of normalised tokens, but that the first attention
    sees them as they are. In the last block only CLS looks at the others; the output ``(outputs,)`` is
    :math:`W\,\mathrm{relu}(\mathrm{norm}(\mathrm{CLS}))`. Rates, which may be traced: ``attention_dropout``
    of attention weights, ``dropout`` of hidden units, ``residual_dropout`` of both branches.

    Source: Gorishniy, Rubachev, Khrulkov and Babenko 2021, "Revisiting Deep Learning Models for Tabular
    Data", https://arxiv.org/abs/2106.11959, section 3.3 (``FTTransformer`` of the package
    ``rtdl_revisiting_models``).

    >>> import jax, jax.numpy as jnp
    >>> from jdl import models
    >>> row = {"numbers": jnp.zeros(2), "categories": jnp.array([1]), "flat": jnp.zeros(3)}
    >>> net = models.ft_transformer(5, 12, heads=2, cardinalities=(6,))
    >>> params, _ = net.init(jax.random.key(0), row)
    >>> net(params, row).shape, sorted(params["block_1"])
    ((5,), ['attention', 'feed_forward', 'norm1', 'norm2'])
    """
    inner = nn.feed_forward(
        2 * (hidden or int(width * 4 / 3)), activation=nn.reglu, dropout=dropout, init=UNIFORM
    )
    looks = nn.attention(heads, dropout=attention_dropout, init=UNIFORM)
    block = lambda i: _block(looks, inner, residual_dropout, i == 0, i == blocks - 1)
    layers = {f"block_{i}": block(i) for i in range(blocks)}

    @nn.layer(
        tokens=nn.feature_tokens(width, cardinalities),
        **layers,
        norm=nn.layer_norm(),
        head=nn.dense(outputs, init=UNIFORM),
    )
    def ft_transformer(my: Scope, row: Row) -> Any:
        x = my.tokens(row["numbers"], row["categories"], flat(row))
        for name in layers:
            x = getattr(my, name)(x)
        return my.head(jnp.maximum(my.norm(x[0]), 0.0))

    return ft_transformer


def _block(attention: Layer, feed_forward: Layer, rate: Any, first: bool, last: bool) -> Layer:
    drops = dropping(rate)
    norm = {} if first else {"norm1": nn.layer_norm()}

    @nn.layer(**norm, attention=attention, norm2=nn.layer_norm(), feed_forward=feed_forward, **drops)
    def block(my: Scope, x: Any) -> Any:
        drop = my.drop if drops else lambda y: y
        seen = my.norm1(x) if norm else x
        looking = slice(1) if last else slice(None)  # what the others see is used no more
        x = x[looking] + drop(my.attention(seen[looking], seen))
        return x + drop(my.feed_forward(my.norm2(x)))

    return block


def defaults(rows: int, schema: "Schema") -> Hyper:
    """Give the hyper-parameters for a table of ``rows`` training rows."""
    return course(rows, 1400, 64, 512) | {
        "width": 64,
        "blocks": 2,
        "heads": 4,
        "attention_dropout": 0.15,
        "dropout": 0.05,
        "residual_dropout": 0.0,
        "learning_rate": 1e-3,
        "weight_decay": 1e-5,
    }


def recipe(schema: "Schema", hyper: Hyper) -> Recipe:
    """Make the recipe of an ``ft_transformer``: AdamW, the learning rate falling to 0.

    Embeddings, norms and biases are not decayed.
    """
    about = task(schema)
    names = ("width", "blocks", "heads", "attention_dropout", "dropout", "residual_dropout")
    net = ft_transformer(
        about.outputs, cardinalities=features.cardinalities(schema), **{name: hyper[name] for name in names}
    )
    decay = {"*/b": 0.0, "*norm*/*": 0.0, "*tokens/*": 0.0}
    return assembled(about, net, features.table(schema, ranked()), cosine_adamw(hyper, decay), hyper)
