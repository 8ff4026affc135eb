"""The host loop: for data that does not fit on the device, and for long runs with logs and checkpoints."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jdl.train import checkpoint, place
from jdl.train.check import check_values
from jdl.train.checkpoint import CheckpointError
from jdl.train.failure import check_steps, explain_failure
from jdl.train.fit import Data, Progress, begin, close_epoch, finish, greater, steps_key, stopped
from jdl.train.log import metrics_log
from jdl.train.log import progress as progress_line
from jdl.train.objective import (
    compute_metrics,
    device_number,
    empty_metrics,
    merge_across,
    merge_metrics,
)
from jdl.train.prepared import for_loop
from jdl.train.recipe import Recipe, RecipeError, Run, check_count, check_key, check_recipe
from jdl.train.step import step
from jdl.train.stream import Chunk, Given, InMemory, chunks, read_ahead

Row = dict[str, Any]
Callback = Callable[[int, Row], Any]

CHECKPOINTS = "checkpoints"
CACHED = 8  # recipes whose programs are kept, as a run that is resumed at once needs them again


class Carry(NamedTuple):
    """What the loop carries and a checkpoint holds: the run's progress and the epoch's metrics so far."""

    progress: Progress
    seen: Any


class Dispatch(NamedTuple):
    """One chunk sent to the devices: the step after it, epochs finished before it, its metrics to come."""

    at: int
    epoch: int
    chunk: Chunk
    metrics: Any


def loop(
    recipe: Recipe,
    key: Any,
    batches: Data | Iterable[Data],
    valid: Data | None = None,
    *,
    directory: str | Path | None = None,
    stats: Any = None,
    steps_per_dispatch: int = 32,
    checkpoint_every: int = 50,
    keep: int = 1,
    callbacks: tuple[Callback, ...] = (),
    devices: int | None = None,
) -> Run:
    """Train from the host, ``steps_per_dispatch`` steps a dispatch, and give what ``jdl.fit`` gives.

    ``batches`` is a data set as for ``jdl.fit`` (the steps are then those of ``jdl.fit``), or any iterable of
    batches, such as ``jdl.data.stream``, iterated once an epoch: with ``get_state`` and ``set_state`` it
    resumes exactly; ``stats`` are those of the recipe's preparation, as of ``jdl.features.collect``, and
    ``Recipe.start`` sees its first batch. A thread reads ahead; metrics are fetched one dispatch late, so
    that the device does not wait for the host. ``devices`` settles whether a batch is shared among them, as
    for ``jdl.run``.

    With a ``directory``, ``metrics.jsonl`` there gets a line a dispatch and an epoch, and ``checkpoints/``
    the whole state after every epoch and, where the batches can resume, every ``checkpoint_every``
    dispatches: the last ``keep`` and the best. Called again with the same directory, the run goes on from
    the last checkpoint, bit for bit. Each of ``callbacks`` is called as ``callback(step, metrics)`` whenever
    a line is written; ``metrics["epoch"]`` counts the epochs finished.

    Raises:
        RecipeError: data and ``devices`` as for ``jdl.run``; batches that are empty, too large, or differ in
            shape.
        CheckpointError: a checkpoint that is damaged or of another recipe, or a full disk.
        TrainingError: as for ``jdl.run``.

    >>> import jax, jax.numpy as jnp, jdl
    >>> recipe = jdl.Recipe(jdl.nn.dense(1), jdl.losses.squared_error, jdl.optim.sgd(0.1), 8, 20)
    >>> x = jnp.linspace(-1, 1, 32)[:, None]
    >>> done = jdl.loop(recipe, jax.random.key(0), {"x": x, "y": 3 * x})
    >>> bool(done.history["loss"][-1] < 0.1)
    True
    """
    check_recipe(recipe)
    check_key(key)
    check_count("steps_per_dispatch", steps_per_dispatch)
    check_count("checkpoint_every", checkpoint_every)
    if valid is not None:
        check_values(recipe, valid, "valid")
    if isinstance(batches, Mapping):
        check_values(recipe, dict(batches))
    recipe, stats, batches, valid = for_loop(recipe, key, batches, valid, stats)
    source, rows = _open(recipe, key, batches)
    carry = _start(recipe, valid is not None)(key, rows, stats)
    history: list[Row] = []
    folder = None if directory is None else Path(directory)
    held = None if folder is None else _resume(recipe, folder / CHECKPOINTS, carry, source)
    if held is not None:
        carry, history = held.tree, json.loads(held.data["history"])
    placement = _placement(recipe, carry.progress, batches, source, held, devices)
    carry, valid = placement.replicate((carry, valid))
    with ExitStack() as stack:
        tell, save = list(callbacks), None
        if folder is not None:
            log, save = stack.enter_context(_files(recipe, folder, keep, placement, held))
            tell.append(log)
        show = stack.enter_context(progress_line(recipe.epochs))
        left = 0 if bool(stopped(recipe, carry.progress)) else recipe.epochs - len(history)
        grouped = chunks(source, steps_per_dispatch, left)
        ready = stack.enter_context(read_ahead(grouped, placement.put_chunk))
        programs = _programs(recipe, placement._replace(reason=""))
        carry = _train(recipe, programs, carry, valid, ready, history, tell, show, save, checkpoint_every)
    done = finish(recipe, carry.progress, _stacked(recipe, history))
    check_steps(recipe, done.history, carry.progress.train.step)
    return done


def _train(
    recipe: Recipe,
    programs: tuple[Callable, Callable],
    carry: Carry,
    valid: Data | None,
    ready: Iterator[Chunk],
    history: list[Row],
    tell: list[Callback],
    show: Callback,
    save: Callable[..., None] | None,
    checkpoint_every: int,
) -> Carry:
    """Dispatch the chunks as they come; at the end of an epoch add its row to ``history``."""
    advance, close = programs
    last, suspect = None, None
    at = int(carry.progress.train.step)
    for number, chunk in enumerate(ready, 1):
        carry, metrics = advance(carry, chunk.batches, chunk.steps)
        suspect = _report(recipe, carry, last, suspect, tell)
        at += chunk.steps
        last = Dispatch(at, len(history), chunk, metrics)
        resumable = save is not None and chunk.state is not None
        if not chunk.ends_epoch and not (resumable and number % checkpoint_every == 0):
            continue
        suspect, last = _report(recipe, carry, last, suspect, tell), None
        scores: Row = {}
        if chunk.ends_epoch:
            carry, row = close(carry, valid, jnp.int32(len(history)))
            scores = _plain(row)
            history.append(scores)
            _tell(tell, at, {"epoch": len(history), **scores})
            show(len(history), scores)
        if save is not None:
            save(at, carry, chunk, history, scores)
        if chunk.ends_epoch and bool(stopped(recipe, carry.progress)):
            break
    return carry


def _open(recipe: Recipe, key: Any, batches: Any) -> tuple[InMemory | Given, Data]:
    """Give the source of batches, and the rows on which the run is begun: all of them only where it must."""
    if isinstance(batches, Mapping):
        source = InMemory(recipe, steps_key(key), dict(batches))
        whole = recipe.start is not None or isinstance(recipe.class_weight, str)
        return source, dict(batches) if whole else source.first
    if isinstance(recipe.class_weight, str):
        raise RecipeError("loop: class_weight='balanced' needs all rows; give an array of weights by class")
    given = Given(recipe, batches)
    return given, given.first


@lru_cache(CACHED)
def _start(recipe: Recipe, validated: bool) -> Callable[..., Carry]:
    """Compile what a run begins with."""
    return jax.jit(
        lambda key, rows, stats: Carry(begin(recipe, key, rows, validated, stats), empty_metrics(recipe))
    )


@lru_cache(CACHED)
def _programs(recipe: Recipe, placement: place.Placement) -> tuple[Callable, Callable]:
    """Compile the two functions of the loop: some steps, and the end of an epoch."""

    def advance(across: tuple[str, ...], carry: Carry, batches: Data, count: Any) -> tuple[Carry, Any]:
        progress, seen = carry
        fitted = {"stats": progress.stats, "class_weight": progress.class_weight}

        def body(i: Any, carry: Any) -> Any:
            train, seen, latest = carry
            batch = jax.tree.map(lambda leaf: leaf[i], batches)
            train, metrics = step(recipe, train, batch, **fitted, across=across)
            return train, merge_metrics(recipe, seen, metrics), merge_metrics(recipe, latest, metrics)

        empty = empty_metrics(recipe)
        first = device_number(across) == 0  # what all devices have seen goes on with the first alone
        mine = jax.tree.map(lambda a, b: jnp.where(first, a, b), seen, empty) if across else seen
        train, *told = jax.lax.fori_loop(0, count, body, (progress.train, mine, empty))
        seen, latest = (merge_across(recipe, metrics, across) for metrics in told)
        row = compute_metrics(recipe, latest) | train.health._asdict()
        return Carry(progress._replace(train=train), seen), row

    def close(across: tuple[str, ...], carry: Carry, valid: Data | None, epoch: Any) -> tuple[Carry, Any]:
        progress, row = close_epoch(recipe, carry.progress, carry.seen, valid, epoch, across)
        return Carry(progress, empty_metrics(recipe)), row

    return (
        jax.jit(placement.spread(advance, placement.chunk_specs), donate_argnums=0),
        jax.jit(placement.spread(close), donate_argnums=0),
    )


def _report(
    recipe: Recipe, carry: Carry, last: Dispatch | None, suspect: Dispatch | None, tell: list[Callback]
) -> Dispatch | None:
    """Fetch the metrics of an earlier dispatch; stop the run where its steps went wrong.

    Gives the dispatch in which the present row of skipped steps began, for the error that may come.
    """
    if last is None:
        return suspect
    values = _plain(last.metrics)
    streak, since = values.pop("streak"), values.pop("since")
    if since >= last.at - last.chunk.steps:
        suspect = last
    if streak >= recipe.max_bad_steps:
        assert suspect is not None
        raise _failure(recipe, carry.progress, suspect)
    _tell(tell, last.at, {"epoch": last.epoch, **values})
    return suspect


def _failure(recipe: Recipe, progress: Progress, began: Dispatch) -> Exception:
    i = int(progress.train.health.since) - (began.at - began.chunk.steps)
    batch = jax.tree.map(lambda leaf: leaf[i], began.chunk.batches)
    at = f"epoch {began.epoch}"
    return explain_failure(recipe, progress.train, batch, progress.stats, progress.class_weight, at)


def _tell(tell: list[Callback], at: int, metrics: Row) -> None:
    for callback in tell:
        callback(at, dict(metrics))


def _resume(
    recipe: Recipe, folder: Path, carry: Carry, source: InMemory | Given
) -> checkpoint.Checkpoint | None:
    """Read the last checkpoint, if there is one, and set the source of batches where it stood."""
    if checkpoint.latest(folder) is None:
        return None
    held = checkpoint.restore(folder, carry)
    finished = len(json.loads(held.data["history"]))
    if finished > recipe.epochs:
        raise CheckpointError(
            f"{folder}: holds a run of {finished} epochs, Recipe.epochs is {recipe.epochs}; "
            "use another folder"
        )
    if held.data["source"] is not None:
        source.set_state(held.data["source"])
    return held


def _placement(
    recipe: Recipe,
    progress: Progress,
    batches: Any,
    source: InMemory | Given,
    held: checkpoint.Checkpoint | None,
    devices: int | None,
) -> place.Placement:
    """Choose the devices; a run that goes on stays where it was, as other devices give other last digits."""
    if held is not None:
        began = held.data["devices"]
        if devices not in (None, began):
            raise RecipeError(f"devices: found {devices}, but the run to resume began on {began}")
        if began == 1:
            return place.on_one("the run began on one device")
        if began == len(jax.local_devices()):
            return place.on_all(f"the run began on {began} devices")
    if isinstance(batches, Mapping):
        return place.choose(recipe, progress, dict(batches), devices)
    length = len(batches) if hasattr(batches, "__len__") else None
    return place.choose(recipe, progress, source.first, devices, length)


@contextmanager
def _files(
    recipe: Recipe, folder: Path, keep: int, placement: place.Placement, held: checkpoint.Checkpoint | None
) -> Iterator[tuple[Callback, Callable[..., None]]]:
    """Open the log and the checkpoints of a run: how to add a line, and how to save."""
    after = None if held is None else held.step
    monitor = f"valid_{recipe.monitor}"
    with (
        metrics_log(folder / "metrics.jsonl", after) as log,
        checkpoint.writer(folder / CHECKPOINTS, keep, monitor, greater(recipe)) as write,
    ):

        def save(at: int, carry: Carry, chunk: Chunk, history: list[Row], scores: Row) -> None:
            numbers = {name: value for name, value in scores.items() if isinstance(value, float)}
            told = json.dumps(history)  # a text may hold NaN and infinity
            devices = placement.mesh.size if placement.sharded else 1
            write(at, carry, numbers, {"source": chunk.state, "history": told, "devices": devices})

        yield log, save


def _plain(row: Row) -> Row:
    """Fetch a row of metrics as numbers and lists of them."""
    return {name: np.asarray(value).tolist() for name, value in row.items()}


def _stacked(recipe: Recipe, history: list[Row]) -> Row:
    """Stack rows of history, NaN in the epochs after training stopped."""
    rows = {}
    for name in history[0]:
        told = np.array([row[name] for row in history], np.float32)
        missing = np.full((recipe.epochs - len(told), *told.shape[1:]), np.nan, np.float32)
        rows[name] = jnp.concatenate([told, missing])
    return rows
