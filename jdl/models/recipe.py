"""Recipes for a table: from its schema to everything that defines a training run."""

import math
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jdl import features, losses, metrics, optim
from jdl.metrics import Metric
from jdl.models.mlp import mlp
from jdl.models.mlp_plr import mlp_plr
from jdl.models.target import in_units_of_target, with_target
from jdl.nn.layer import Layer
from jdl.train.recipe import Recipe, RecipeError

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema

Hyper = dict[str, Any]

# The registry of networks by name, each with the names of the hyper-parameters that are its own arguments.
# A saved model names one of them.
NETWORKS: dict[str, tuple[Callable[..., Layer], tuple[str, ...]]] = {
    "mlp": (mlp, ()),
    "mlp_plr": (mlp_plr, ("embedding", "frequencies", "lowest", "highest")),
}

STEPS = 1400  # at least so many steps where the epochs allow it
FEWEST, MOST = 12, 100  # epochs


def recipe(schema: "Schema", rows: int, network: str = "mlp_plr") -> tuple[Callable[[Hyper], Recipe], Hyper]:
    """Give a good start for a table: ``(recipe function, hyper-parameters)`` for ``jdl.run`` or ``jdl.fit``.

    ``rows`` counts the training rows. See ``tabular`` and ``defaults``.

    >>> from jdl.data import Number, Schema, Target
    >>> schema = Schema(Target("y", "classification", classes=("no", "yes")), numbers=(Number("age"),))
    >>> function, hyper = recipe(schema, rows=1000)
    >>> function(hyper | {"epochs": 5}).batch_size
    32
    """
    return tabular(schema, network), defaults(rows, network)


def defaults(rows: int, network: str = "mlp_plr") -> Hyper:
    """Give the hyper-parameters that ``tabular(schema, network)`` takes, for a number of training rows.

    Small tables get small batches, more epochs, and no waves so short that they only tell row from row.
    ``rows`` itself is one: the learning rate falls to 0 over ``epochs * ceil(rows / batch_size)`` steps.
    """
    _, own = _entry(network)
    batch = 2 ** round(math.log2(min(max(rows / 100, 32), 1024)))
    epochs = min(max(round(STEPS * batch / rows), FEWEST), MOST)
    every = {
        "widths": (128, 128),
        "dropout": 0.2,
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "batch_size": batch,
        "epochs": epochs,
        "rows": rows,
        "embedding": 8,
        "frequencies": 32,
        "lowest": 0.05,
        "highest": min(max(rows / 1000, 1.0), 30.0),
    }
    others = {name for _, names in NETWORKS.values() for name in names} - set(own)
    return {name: value for name, value in every.items() if name not in others}


def tabular(schema: "Schema", network: str = "mlp_plr") -> Callable[[Hyper], Recipe]:
    """Make the recipe function of a schema; the same schema gives the same function.

    ``network`` is ``"mlp"`` or ``"mlp_plr"``. Rows are prepared by ``features.table``. Classes are learned by
    cross-entropy of logits ``(classes,)``; a number by the squared error of the output ``(1,)``, standardised
    by the mean and spread of the training rows inside the run. AdamW, its learning rate warmed up over a
    tenth of the steps, then falling on a cosine to 0; biases are not decayed.

    Raises:
        RecipeError: an unknown network; in the function, an unknown or missing hyper-parameter.
    """
    return _tabular(schema, network)


@lru_cache(maxsize=64)
def _tabular(schema: "Schema", network: str) -> Callable[[Hyper], Recipe]:
    build, own = _entry(network)
    known = defaults(1, network).keys()
    regression = schema.task == "regression"
    outputs = 1 if regression else len(schema.classes)
    prepare = features.table(schema)

    def recipe(hyper: Hyper) -> Recipe:
        _check(hyper, known)
        net = build(
            outputs,
            tuple(hyper["widths"]),
            cardinalities=features.cardinalities(schema),
            dropout=hyper["dropout"],
            **{name: hyper[name] for name in own},
        )
        return Recipe(
            in_units_of_target(net) if regression else net,
            losses.squared_error if regression else losses.cross_entropy,
            _optimizer(hyper),
            hyper["batch_size"],
            hyper["epochs"],
            prepare=with_target(prepare) if regression else prepare,
            metrics={"r2": metrics.r2()} if regression else _class_metrics(outputs),
        )

    return recipe


def _optimizer(hyper: Hyper) -> Any:
    steps = hyper["epochs"] * -(-hyper["rows"] // hyper["batch_size"])
    rate = optim.warmup_cosine(hyper["learning_rate"], max(steps // 10, 1), steps)
    return optim.adamw(rate, weight_decay=hyper["weight_decay"], decay={"*/b": 0.0})


def _class_metrics(classes: int) -> dict[str, Metric]:
    found = {"accuracy": metrics.accuracy()}
    return found | {"roc_auc": metrics.roc_auc()} if classes == 2 else found


def _entry(network: str) -> tuple[Callable[..., Layer], tuple[str, ...]]:
    if network not in NETWORKS:
        raise RecipeError(f"network: found {network!r}, needs one of {', '.join(NETWORKS)}")
    return NETWORKS[network]


def _check(hyper: Mapping[str, Any], known: Collection[str]) -> None:
    for name in hyper:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"needs {', '.join(known)}"
            raise RecipeError(f"hyper-parameter {name!r} is unknown; {hint}")
    missing = [name for name in known if name not in hyper]
    if missing:
        raise RecipeError(f"hyper-parameter {missing[0]!r} is missing; start from models.defaults(rows)")
    for name in ("batch_size", "epochs", "rows"):
        if not isinstance(hyper[name], int) or hyper[name] < 1:
            raise RecipeError(
                f"hyper-parameter {name!r}: found {hyper[name]!r}, needs an integer of at least 1"
            )
