"""What went wrong in a run that stopped: the step taken again, and looked at."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl import tree
from jdl.nn.combine import intermediates
from jdl.nn.layer import abstract_pass, batched
from jdl.train.check import nonfinite
from jdl.train.objective import example_weight, network, objective
from jdl.train.recipe import Recipe, TrainState


class TrainingError(RuntimeError):
    """A training run that could not go on; the message says at which step and in which path it began."""


def explain_failure(
    recipe: Recipe, train: TrainState, batch: dict[str, Any], stats: Any, class_weight: Any, at: str
) -> TrainingError:
    """Take the first bad step again (skipped steps changed nothing) and say where it became non-finite."""
    began = _where(recipe, train, batch, stats, class_weight)
    return TrainingError(
        f"step {int(train.health.since)} ({at}): from here on the loss or its gradient was not finite, in "
        f"{int(train.health.streak)} steps in a row; it began in {began}. Lower the learning rate, clip the "
        "gradient (jdl.optim.clip_by_norm), or look at the rows of that batch"
    )


def check_steps(recipe: Recipe, history: dict[str, Any], steps: Any) -> None:
    """Raise a TrainingError where no step was taken, or validation rows could choose no epoch."""
    if int(history["skipped"]) == int(steps):
        raise TrainingError(
            f"all {int(steps)} steps were skipped: in each the loss or its gradient was not finite. Look at "
            "the rows, or lower the learning rate; Recipe.max_bad_steps below this number says where it began"
        )
    if int(history["best_epoch"]) < 0:
        raise TrainingError(
            f"no epoch is the best: on validation rows {recipe.monitor!r} was never a finite number; "
            "needs rows on which it is defined (of both classes, say), or another Recipe.monitor"
        )


def _where(recipe: Recipe, train: TrainState, batch: dict[str, Any], stats: Any, class_weight: Any) -> str:
    for path, leaf in tree.items(train.params):
        if not _finite(leaf):
            return f"the parameter {path}"
    for path, _, rows in nonfinite(recipe, batch):
        return f"the batch's {path}, row {int(rows.argmax())}"
    key = jax.random.fold_in(train.key, train.health.since)
    net, weight = network(recipe, stats), example_weight(batch)
    watched = batched(intermediates(net))
    (outputs, inside), _ = watched(train.params, train.state, batch["x"], key=key, weight=weight)
    example = jax.tree.map(lambda leaf: leaf[0], batch["x"])
    order = [path for path, *_ in abstract_pass(net, (example,), {}).calls]
    for path in order:
        if path in inside and not _finite(inside[path]):
            return f"the output of {path}"
    if not _finite(outputs):
        return "the network's output"
    evaluate = objective(recipe, stats, class_weight)
    loss, _ = evaluate(train.params, train.state, batch, key)
    if not _finite(loss):
        return "the loss, of finite outputs"
    gradient = jax.grad(lambda params: evaluate(params, train.state, batch, key)[0])(train.params)
    bad = [path for path, leaf in tree.items(gradient) if not _finite(leaf)]
    if bad:
        return f"the gradient of {bad[0]}"
    return "the scaled loss (the range of float16)" if train.scale is not None else "one of the batch's parts"


def _finite(values: Any) -> bool:
    return all(
        bool(jnp.isfinite(leaf).all())
        for leaf in jax.tree.leaves(values)
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    )
