"""The network of a table's rows that embeds its numbers."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jdl import features, nn
from jdl.models.hidden import hidden
from jdl.models.levels import MOST, levels
from jdl.models.mlp import body
from jdl.models.mlp import defaults as of_mlp
from jdl.models.row import Row, vector
from jdl.models.task import Hyper, assembled, cosine_adamw, course, ranked, task
from jdl.nn.layer import Layer, Scope
from jdl.train.recipe import Recipe

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema

# Vectors of levels begin near nothing, learn fast and forget fast, within ten steps at first: what a row
# taught its own level is gone when the row comes again, what other rows of the level taught is not.
START, PACE, FORGETTING = nn.init.normal(3e-4), 30.0, 1e3
MOST_HIDDEN = 0.5
WAVES = ("embedding", "frequencies", "lowest", "highest")


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
    gaps: tuple[int, ...] = (),
    hide: Any = 0.0,
) -> Layer:
    """Make a multi-layer perceptron of one row and the periodic embeddings of its numbers.

    As ``mlp``, with ``nn.periodic(embedding, frequencies=…, lowest=…, highest=…)`` of the numbers beside the
    numbers themselves. Waves let it bend sharply along a column, as trees do. ``gaps`` are the numbers that
    may be missing, ``hide`` says how many more of them to hide in training (see ``hidden``); a number that is
    not there has no waves. ``dropout``, ``lowest``, ``highest`` and ``hide`` may be traced.

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
    vectors = levels(cardinalities, start=START, pace=PACE)

    parts = {"hidden": hidden(gaps, hide)} if gaps else {}

    @nn.layer(waves=waves, categories=vectors, body=body(outputs, widths, dropout), **parts)
    def mlp_plr(my: Scope, row: Row) -> Any:
        row, there = my.hidden(row) if gaps else (row, None)
        plain, waved = vector(row, my.categories(row["categories"])), my.waves(row["numbers"])
        waved = waved if there is None else waved * there[:, None]
        return my.body(jnp.concatenate([plain, waved.reshape(-1)]))

    return mlp_plr


def defaults(rows: int, schema: "Schema") -> Hyper:
    """Give the hyper-parameters for a table of ``rows`` training rows.

    Classes are told by values of few distinct numbers, which short waves pick out; small tables get none so
    short that they only tell row from row. A quantity varies smoothly, and takes longer waves and more steps.
    """
    waves = {"embedding": 8, "frequencies": 32, "lowest": 0.05, "hide": 1.0}
    if schema.task == "regression":
        hyper = of_mlp(rows, schema) | course(rows, 6000) | {"dropout": 0.1, "learning_rate": 3e-3}
        return hyper | waves | {"highest": 3.0 if rows >= 3000 else 1.0}
    return of_mlp(rows, schema) | waves | {"highest": min(max(rows / 1000, 1.0), 30.0)}


def recipe(schema: "Schema", hyper: Hyper) -> Recipe:
    """Make the recipe of an ``mlp_plr``: numbers by rank; AdamW, the learning rate falling to 0."""
    about, sizes = task(schema), features.cardinalities(schema)
    net = mlp_plr(
        about.outputs,
        tuple(hyper["widths"]),
        cardinalities=sizes,
        dropout=hyper["dropout"],
        gaps=tuple(i for i, number in enumerate(schema.numbers) if number.missing),
        hide=_as_many_as_miss(schema, hyper),
        **{name: hyper[name] for name in WAVES},
    )
    prepare = features.table(schema, numbers=ranked())
    decay = {"*/b": 0.0}
    if max(sizes, default=0) > MOST:
        decay["*/table/w"] = FORGETTING / hyper["learning_rate"]
    return assembled(about, net, prepare, cosine_adamw(hyper, decay), hyper)


def _as_many_as_miss(schema: "Schema", hyper: Hyper) -> tuple[Any, ...]:
    """Give for each number that may be missing how often to hide it: ``hide`` times the share that misses."""
    missing = [number.missing for number in schema.numbers if number.missing]
    return tuple(hyper["hide"] * min(count / hyper["rows"], MOST_HIDDEN) for count in missing)
