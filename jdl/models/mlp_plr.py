"""The network of a table's rows that embeds its numbers."""

from functools import partial
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jdl import features, losses, nn
from jdl.models.hidden import hidden
from jdl.models.levels import MOST, levels
from jdl.models.members import mean_of_members, member_losses
from jdl.models.mlp import body
from jdl.models.mlp import defaults as of_mlp
from jdl.models.row import Row, vector
from jdl.models.smoothing import unsmoothed
from jdl.models.task import Hyper, Task, assembled, cosine_adamw, course, ranked, robust, task
from jdl.nn.layer import Layer, Scope
from jdl.train.recipe import Recipe, RecipeError, identity

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema

# Vectors of levels begin near nothing, learn fast and forget fast, within ten steps at first: what a row
# taught its own level is gone when the row comes again, what other rows of the level taught is not.
START, PACE, FORGETTING = nn.init.normal(3e-4), 30.0, 1e3
MOST_HIDDEN = 0.5
WAVES = ("embedding", "frequencies", "lowest", "highest")
NUMBERS = {"ranked": ranked, "robust": robust}
SMALL = 3000  # training rows below which several networks answer together
SEVERAL = 100_000  # so many rows, of all networks that tell a quantity of a larger table; at most 4 of them


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

    What one network learns from few rows depends much on where it began. Below ``SMALL`` rows several small
    ones answer together, the more the fewer the rows: 8 up to 667, which take no longer than one of a larger
    table. A quantity's numbers are then scaled robustly, as ranks of few rows bend what is straight, and its
    epochs are fewer. More than five classes take wider ones, and their labels are smoothed, by a tenth from
    ten classes on. Networks that tell a quantity differ on larger tables too: four answer together up to
    28,571 rows, one from 66,667 on. Of classes the mean of several told no more there.
    """
    waves = {"embedding": 8, "frequencies": 32, "lowest": 0.05, "hide": 1.0}
    regression, small = schema.task == "regression", rows < SMALL
    hyper = of_mlp(rows, schema) | waves | {"members": 1, "numbers": "ranked", "label_smoothing": 0.0}
    if regression:
        hyper |= course(rows, 6000) | {"dropout": 0.1, "learning_rate": 3e-3}
        hyper |= {"highest": 1.0 if small else 3.0}
        hyper |= {"members": min(max(round(SEVERAL / rows), 1), 4)}
    else:
        hyper |= {"highest": min(max(rows / 1000, 1.0), 30.0)}
    if small:
        hyper |= {"widths": (64, 64), "embedding": 4, "frequencies": 8}
        hyper |= {"members": min(max(round(5000 / rows), 2), 8)}
        hyper |= _few_quantities(hyper) if regression else _few_classes(len(schema.classes))
    return hyper


def _few_quantities(hyper: Hyper) -> Hyper:
    return {"numbers": "robust", "epochs": min(hyper["epochs"], 30)}


def _few_classes(classes: int) -> Hyper:
    wide = {"widths": (256, 256), "learning_rate": 2e-3} if classes > 5 else {}
    return wide | {"label_smoothing": min(max(0.02 * (classes - 5), 0.0), 0.1)}


def recipe(schema: "Schema", hyper: Hyper) -> Recipe:
    """Make the recipe of one ``mlp_plr``, or of several ``members``: AdamW, the learning rate falling to 0.

    ``numbers`` are prepared by rank (``"ranked"``) or by median and quartiles (``"robust"``). Each member
    learns by its own loss, and the mean of what they say is the prediction; what ``label_smoothing`` takes
    from the probabilities of classes is given back to them.
    """
    if hyper["numbers"] not in NUMBERS:
        needed = " or ".join(map(repr, NUMBERS))
        raise RecipeError(f"hyper-parameter 'numbers': found {hyper['numbers']!r}, needs {needed}")
    about, members, sizes = task(schema), hyper["members"], features.cardinalities(schema)
    net = mlp_plr(
        about.outputs,
        tuple(hyper["widths"]),
        cardinalities=sizes,
        dropout=hyper["dropout"],
        gaps=tuple(i for i, number in enumerate(schema.numbers) if number.missing),
        hide=_as_many_as_miss(schema, hyper),
        **{name: hyper[name] for name in WAVES},
    )
    parts = _smoothed(about, hyper["label_smoothing"])
    if members > 1:
        net = nn.ensemble(net, members)
        mean, said = mean_of_members(about.name), parts["predict"]
        parts = {"loss": member_losses(parts["loss"]), "predict": lambda outputs: said(mean(outputs))}
    prepare = features.table(schema, numbers=NUMBERS[hyper["numbers"]]())
    decay = {"*/b": 0.0}
    if max(sizes, default=0) > MOST:
        decay["*/table/w"] = _forgetting(hyper["weight_decay"]) / hyper["learning_rate"]
    return assembled(about, net, prepare, cosine_adamw(hyper, decay), hyper, **parts)


def _forgetting(weight_decay: Any) -> Any:
    """Give the factor of the decay: a step takes half of a vector at most, as all of it and more diverges."""
    return FORGETTING / jnp.maximum(1.0, 2 * FORGETTING * weight_decay)


def _smoothed(about: Task, smoothing: Any) -> dict[str, Any]:
    if about.name != "classification":
        return {"loss": about.loss, "predict": identity}
    loss = partial(losses.cross_entropy, label_smoothing=smoothing)
    return {"loss": loss, "predict": partial(unsmoothed, smoothing=smoothing)}


def _as_many_as_miss(schema: "Schema", hyper: Hyper) -> tuple[Any, ...]:
    """Give for each number that may be missing how often to hide it: ``hide`` times the share that misses."""
    missing = [number.missing for number in schema.numbers if number.missing]
    return tuple(hyper["hide"] * min(count / hyper["rows"], MOST_HIDDEN) for count in missing)
