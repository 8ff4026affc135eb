"""What a schema's task asks of any network: outputs, loss, metrics, and a usual course of training."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from jdl import features, losses, metrics, optim
from jdl.features import Prepare
from jdl.metrics import Metric
from jdl.models.target import in_units_of_target, with_target
from jdl.train.recipe import Recipe

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema

Hyper = dict[str, Any]

FEWEST, MOST = 12, 100  # epochs


class Task(NamedTuple):
    """A task: ``"classification"``, ``"regression"`` or ``"multilabel"``, and what it asks for."""

    name: str
    outputs: int
    loss: Callable[..., Any]
    metrics: dict[str, Metric]


def task(schema: "Schema") -> Task:
    """Give a schema's task: logits of classes, numbers, or logits of labels that exclude none.

    >>> from jdl.data import Number, Schema, Target
    >>> schema = Schema(Target("y", "classification", classes=("no", "yes")), numbers=(Number("age"),))
    >>> task(schema).outputs, sorted(task(schema).metrics)
    (2, ['accuracy', 'roc_auc'])
    """
    count = len(schema.targets)
    if schema.task == "regression":
        return Task("regression", count, losses.squared_error, {"r2": metrics.r2(outputs=count)})
    if schema.task == "multilabel":
        return Task("multilabel", count, losses.binary_cross_entropy, {})
    classes = len(schema.classes)
    found = {"accuracy": metrics.accuracy()} | ({"roc_auc": metrics.roc_auc()} if classes == 2 else {})
    return Task("classification", classes, losses.cross_entropy, found)


def assembled(
    about: Task,
    network: Any,
    prepare: Prepare,
    optimizer: Any,
    hyper: Hyper,
    *,
    clamp: bool = False,
    **others: Any,
) -> Recipe:
    """Put a recipe together; ``others`` are settings of ``Recipe``.

    Numbers that are targets are standardised by the training rows, inside the run; with ``clamp`` predictions
    stay within those rows' range.
    """
    if about.name == "regression":
        network, prepare = in_units_of_target(network, clamp=clamp), with_target(prepare, limits=clamp)
    parts: dict[str, Any] = {"loss": about.loss, "metrics": about.metrics} | others
    return Recipe(
        network,
        optimizer=optimizer,
        batch_size=hyper["batch_size"],
        epochs=hyper["epochs"],
        prepare=prepare,
        **parts,
    )


def ranked() -> Prepare:
    """Make numbers normal by their rank, a missing one the median: what the papers' networks are given."""
    return features.chain(features.quantile_normal(), features.impute_constant(0.0))


def robust() -> Prepare:
    """Scale numbers by their median and quartiles, a missing one becomes the median."""
    return features.chain(features.robust(), features.impute_constant(0.0))


def course(rows: int, steps: int, smallest: int = 32, largest: int = 1024) -> Hyper:
    """Give batch size and epochs: small tables get small batches, and more epochs to make up the steps.

    >>> course(3000, 1400)
    {'batch_size': 32, 'epochs': 15, 'rows': 3000}
    """
    batch = 2 ** round(math.log2(min(max(rows / 100, smallest), largest)))
    return {"batch_size": batch, "epochs": min(max(round(steps * batch / rows), FEWEST), MOST), "rows": rows}


def steps_of(hyper: Hyper) -> int:
    """Count the steps of training."""
    return hyper["epochs"] * -(-hyper["rows"] // hyper["batch_size"])


def cosine_adamw(hyper: Hyper, decay: dict[str, float] | None = None) -> Any:
    """AdamW, its learning rate warmed up over a tenth of the steps, then falling on a cosine to 0."""
    steps = steps_of(hyper)
    rate = optim.warmup_cosine(hyper["learning_rate"], max(steps // 10, 1), steps)
    return optim.adamw(rate, weight_decay=hyper["weight_decay"], decay=decay or {"*/b": 0.0})
