"""One member of a sweep, from its start to its held-out predictions, as pure functions of row numbers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jdl.nn.layer import batch_size, batched
from jdl.sweeps.splits import Fold
from jdl.train.fit import Data, Progress, begin, epochs, finish, stopped
from jdl.train.objective import compute_metrics, empty_metrics, example_weight, merge_metrics, scored
from jdl.train.prepared import applied, fitted, in_chunks, settled, with_folds
from jdl.train.recipe import Recipe, Run


class Part(NamedTuple):
    """Numbers of rows, ``(n,)``, and their weight: 0 for padding; None where all count alike."""

    index: Any
    weight: Any


class Parts(NamedTuple):
    """Row numbers of one fold, or of several on a leading axis; None where a part has no rows."""

    train: Part
    stop: Part | None
    held: Part | None


class Prepared(NamedTuple):
    """What a preparation learned from the rows trained on, and what it makes of the rows of each part."""

    stats: Any
    train: Data
    stop: Data | None
    held: Data | None


class Started(NamedTuple):
    """What a member carries from rung to rung: its progress, and a row of history for each epoch."""

    progress: Progress
    history: dict[str, Any]


class Trained(NamedTuple):
    """A member at its end: the run, and the scores and outputs on the rows held out (None without)."""

    run: Run
    scores: dict[str, Any] | None
    outputs: Any


def stacked(folds: Sequence[Fold]) -> Parts:
    """Stack folds of about one size, each padded with rows of its own that weigh nothing."""
    return Parts(*(_stack(part) for part in zip(*folds, strict=True)))  # type: ignore[arg-type]


def _stack(parts: Sequence[Any]) -> Part | None:
    longest, shortest = (choose(len(part) for part in parts) for choose in (max, min))
    if longest == 0:
        return None
    index = np.stack([np.concatenate([part, np.repeat(part[:1], longest - len(part))]) for part in parts])
    if longest == shortest:
        return Part(index, None)
    return Part(index, np.stack([np.arange(longest) < len(part) for part in parts]).astype(np.float32))


def rows_at(data: Data, part: Part) -> Data:
    """Gather a part's rows: nothing of any other row is read."""
    rows = jax.tree.map(lambda leaf: jnp.asarray(leaf)[part.index], data)
    if part.weight is None:
        return rows
    own = example_weight(rows)
    return rows | {"weight": part.weight if own is None else part.weight * own}


def prepared(recipe: Recipe, key: Any, data: Data, parts: Parts, stats: Any = None) -> Prepared:
    """Fit a recipe's preparation on the rows trained on, unless ``stats`` are given, and prepare all."""
    train = with_folds(recipe, key, rows_at(data, parts.train))
    stats = fitted(recipe, key, train) if stats is None else stats
    stop, held = (
        None if part is None else applied(recipe, stats, rows_at(data, part))
        for part in (parts.stop, parts.held)
    )
    return Prepared(stats, applied(recipe, stats, train), stop, held)


def started(recipe: Recipe, key: Any, rows: Prepared) -> Started:
    """Initialise a member on its rows."""
    progress = begin(settled(recipe), key, rows.train, rows.stop is not None, rows.stats)
    row = compute_metrics(recipe, empty_metrics(recipe))
    if rows.stop is not None:
        row |= {f"valid_{name}": value for name, value in row.items()}
    empty = lambda value: jnp.full((recipe.epochs, *value.shape), jnp.nan, value.dtype)
    return Started(progress, jax.tree.map(empty, row))


def advanced(recipe: Recipe, begun: Started, rows: Prepared, first: Any, last: Any) -> Started:
    """Train the epochs from ``first`` up to ``last``, which may be traced, or until training stops."""
    steady = replace(settled(recipe), patience=None)  # the loop itself ends where training stops

    def going(carry: tuple[Any, Started]) -> Any:
        epoch, (progress, _) = carry
        return (epoch < last) & ~stopped(recipe, progress)

    def one(carry: tuple[Any, Started]) -> tuple[Any, Started]:
        epoch, (progress, history) = carry
        progress, row = epochs(steady, progress, rows.train, rows.stop, epoch, 1)
        history = {name: history[name].at[epoch].set(values[0]) for name, values in row.items()}
        return epoch + 1, Started(progress, history)

    return jax.lax.while_loop(going, one, (jnp.int32(first), begun))[1]


def finished(recipe: Recipe, begun: Started, held: Data | None, last: Any) -> Trained:
    """Give the best epoch's parameters, the last one's where nothing chose, and the held-out scores."""
    run = finish(settled(recipe), begun.progress, begun.history)
    if begun.progress.best is None:
        run.history["best_epoch"] = jnp.int32(last) - 1
    if held is None:
        return Trained(run, None, None)
    scores, outputs = evaluated(settled(recipe), run, held)
    sound = (run.history["failed_at"] < 0) & (run.history["best_epoch"] >= 0)
    return Trained(run, jax.tree.map(lambda value: jnp.where(sound, value, jnp.nan), scores), outputs)


def trained(recipe: Recipe, key: Any, rows: Prepared, last: Any) -> Trained:
    """Train a member from its start for ``last`` epochs."""
    begun = advanced(recipe, started(recipe, key, rows), rows, 0, last)
    return finished(recipe, begun, rows.held, last)


def evaluated(recipe: Recipe, run: Run, data: Data) -> tuple[dict[str, Any], Any]:
    """Give a run's loss and metrics on some rows, and what it predicts of each, ``(n, …)``."""
    data = applied(recipe, run.stats, data)
    one = batched(scored(settled(recipe), run.stats))
    weight = example_weight(data)
    weight = jnp.ones(batch_size(data["y"])) if weight is None else weight

    def chunk(x: Any, y: Any) -> Any:  # without weights: a row that weighs nothing is predicted all the same
        return one(run.params, run.state, x, y)[0]

    losses, outputs = in_chunks(chunk, (data["x"], data["y"]), len(weight))
    found = {
        name: metric.update(metric.init(), outputs, data["y"], weight)
        for name, metric in recipe.metrics.items()
    }
    found["loss"] = (jnp.sum(jnp.where(weight > 0, losses * weight, 0.0)), jnp.sum(weight))
    return compute_metrics(recipe, merge_metrics(recipe, empty_metrics(recipe), found)), outputs
