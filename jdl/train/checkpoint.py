"""Checkpoints of a training run: whole or absent, checked byte by byte, restored bit for bit.

A folder of checkpoints holds one folder a step: the arrays, written by Orbax, and ``checkpoint.json`` with
their paths, shapes, types and checksums, the metrics and the state of the data. A folder is named by its step
only once it is complete: whenever a run is killed, every numbered folder is a whole checkpoint.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jdl.train import _pack, _store
from jdl.train._store import CheckpointError

__all__ = ["Checkpoint", "CheckpointError", "best", "latest", "restore", "save", "steps", "writer"]


class Checkpoint(NamedTuple):
    """What one checkpoint holds."""

    step: int
    tree: Any
    metrics: dict[str, float]
    data: Any


def steps(directory: str | Path) -> list[int]:
    """List the steps of the complete checkpoints in ``directory``, the oldest first.

    >>> steps("/nowhere")
    []
    """
    folder = Path(directory)
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: found a file, needs a folder of checkpoints")
    names = (entry.name for entry in folder.iterdir() if entry.is_dir())
    return sorted(int(name) for name in names if re.fullmatch("0|[1-9][0-9]*", name))


def latest(directory: str | Path) -> int | None:
    """Give the step of the newest complete checkpoint, or None where there is none."""
    return max(steps(directory), default=None)


def best(directory: str | Path) -> int | None:
    """Give the step with the best metric, as the writer's ``monitor`` and ``greater`` said when it was saved.

    The earliest among equals; None where no checkpoint has a finite value.
    """
    return _best(_scores(Path(directory)))


def restore(directory: str | Path, like: Any, step: int | None = None) -> Checkpoint:
    """Read the checkpoint of ``step``, the newest by default, into a tree like ``like``.

    Args:
        directory: where the checkpoints are.
        like: a tree of arrays or ``jax.ShapeDtypeStruct``, for instance from ``jax.eval_shape``. Only shapes,
            types and shardings are read: an array goes where its counterpart was placed, else to the default
            device.
        step: one of ``steps(directory)``.

    Raises:
        CheckpointError: no such checkpoint, a damaged or foreign one, or one of other paths, shapes or types.
            An earlier checkpoint is never taken instead.
    """
    folder = Path(directory)
    found = steps(folder)
    if not found:
        raise CheckpointError(f"{folder}: holds no complete checkpoint")
    wanted = found[-1] if step is None else step
    if wanted not in found:
        raise CheckpointError(f"{folder}: has no step {wanted}, only {', '.join(map(str, found))}")
    path = folder / str(wanted)
    description = _store.describe(path)
    leaves = description["leaves"]
    _pack.check(path, leaves, like)
    values = _pack.unpack(leaves, _store.read(path, description), like)
    return Checkpoint(wanted, values, description["metrics"], description["data"])


def save(
    directory: str | Path,
    step: int,
    tree: Any,
    metrics: dict[str, Any] | None = None,
    data: Any = None,
    **options: Any,
) -> None:
    """Write one checkpoint and wait for it; ``options`` as for ``writer``, which serves a loop better."""
    with writer(directory, **options) as write:
        write(step, tree, metrics, data)


@contextmanager
def writer(
    directory: str | Path, keep: int = 2, monitor: str = "loss", greater: bool = False
) -> Iterator[Callable[..., None]]:
    """Open ``directory`` for checkpoints and give ``write(step, tree, metrics=None, data=None)``.

    ``write`` copies the tree to the host and returns; a thread does the rest. The next ``write`` waits for
    it, and so does the end of the block: the tree may be donated at once, and no failure is lost. What a
    killed run left unfinished is removed on opening. The leaves may be arrays of any number type, JAX's typed
    keys, numbers and strings; ``data`` is the state of the data iterator: anything that JSON gives back as it
    was.

    Args:
        directory: made where absent; one writer at a time.
        keep: how many of the newest checkpoints stay, beside the best one.
        monitor: the metric that decides which is best; a checkpoint without a finite value is not.
        greater: whether a greater value of it is better.

    Raises:
        CheckpointError: the folder holds a damaged checkpoint, a step does not follow the last one, something
            cannot be saved, or the disk is full. The checkpoints before stay as they are.

    >>> import tempfile, jax.numpy as jnp
    >>> folder = tempfile.mkdtemp()
    >>> with writer(folder, keep=1) as write:
    ...     for step in 10, 20, 30:
    ...         write(step, {"w": jnp.full(2, step)}, {"loss": abs(step - 20)}, data={"row": step})
    >>> steps(folder), best(folder)
    ([20, 30], 20)
    >>> restore(folder, {"w": jnp.zeros(2, int)})
    Checkpoint(step=30, tree={'w': Array([30, 30], dtype=int32)}, metrics={'loss': 10.0}, data={'row': 30})
    """
    if keep < 1:
        raise CheckpointError(f"keep: found {keep}, needs at least 1")
    folder = Path(directory)
    scores = _scores(folder)
    _store.clean(folder)
    pending: list[Future[None]] = []

    def finish() -> None:
        if pending:
            pending.pop().result()

    def commit(step: int, description: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        _store.write(folder / str(step), description, arrays)
        scores[step] = _score(description)
        kept = {*sorted(scores)[-keep:], _best(scores)}
        for old in set(scores) - kept:
            _store.remove(folder / str(old))
            del scores[old]

    def write(step: int, tree: Any, metrics: dict[str, Any] | None = None, data: Any = None) -> None:
        finish()
        if scores and step <= max(scores):
            raise CheckpointError(
                f"{folder}: holds step {max(scores)} already, step {step} cannot follow; "
                "resume from there, or use another folder"
            )
        leaves, arrays = _pack.pack(tree)
        description = {
            "step": int(step),
            "monitor": monitor,
            "greater": greater,
            "metrics": {name: float(value) for name, value in (metrics or {}).items()},
            "data": _plain(data),
            "leaves": leaves,
        }
        pending.append(thread.submit(commit, int(step), description, arrays))

    with ThreadPoolExecutor(1, "jdl-checkpoint") as thread:
        try:
            yield write
        finally:
            finish()


def _plain(data: Any) -> Any:
    """Give ``data`` back if JSON keeps it exactly: a tuple or an array would return as something else."""
    try:
        if json.loads(json.dumps(data, allow_nan=False)) == data:
            return data
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"data: cannot be written as JSON: {error}") from None
    raise CheckpointError(
        "data: does not return from JSON as it was; use lists, string keys, numbers and strings"
    )


def _scores(folder: Path) -> dict[int, float | None]:
    return {step: _score(_store.describe(folder / str(step))) for step in steps(folder)}


def _score(description: dict[str, Any]) -> float | None:
    """Give the monitored value so that less is better; None where there is no finite one."""
    value = description["metrics"].get(description["monitor"])
    if value is None or not math.isfinite(value):
        return None
    return -value if description["greater"] else value


def _best(scores: dict[int, float | None]) -> int | None:
    known = [(score, -step) for step, score in scores.items() if score is not None]
    return -min(known)[1] if known else None  # of equal ones the latest, as in fit
