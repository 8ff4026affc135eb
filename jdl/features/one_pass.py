"""A preparation's statistics from one pass over a table that does not fit in memory."""

from collections.abc import Callable
from concurrent.futures import Executor
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jdl.features.prepare import Prepare

if TYPE_CHECKING:  # readers of tables are not needed to prepare them
    from jdl.data.schema import Schema
    from jdl.data.stream_batches import Stream
    from jdl.data.stream_files import Group

CACHED = 8  # preparations whose compiled parts are kept
MOST_TASKS = 64  # into which a table is cut


def collect(
    prepare: Prepare | Callable[[], Prepare], stream: "Stream", executor: Executor | None = None
) -> Any:
    """Give the ``stats`` that ``prepare`` learns from all rows of a stream's table, whatever its share.

    Each row group gives its part, and the parts are merged in the order of the table: the result does not
    depend on who computed which part, bit for bit, and memory holds one row group for each that works. What
    is drawn comes from ``stream.key``, as do the stream's inner folds.

    Args:
        prepare: its ``summary`` says how its statistics are made of parts.
        stream: the table, its schema, its weights and the key.
        executor: anything of the kind of ``concurrent.futures.Executor`` maps the parts: threads, processes,
            or those of Dask or Ray; None works in this thread. Where the executor pickles what it is given,
            as ``ProcessPoolExecutor`` does, give a function of a module instead of what it makes:
            ``functools.partial(jdl.features.table, schema)``. Processes should be spawned, not forked: JAX
            has threads.

    Raises:
        ValueError: a preparation without a summary.
        DataError: a file that cannot be read or coded, named with its row group.

    >>> import tempfile, polars as pl, jdl
    >>> from jdl.features.prepare import Summary, from_summary
    >>> folder = tempfile.mkdtemp()
    >>> table = pl.DataFrame({"x": [1.0, 2.0, 3.0, 6.0], "y": [0.5] * 4})
    >>> table.write_parquet(f"{folder}/table.parquet", row_group_size=2)
    >>> def part(key, rows, target, weight, first=0):
    ...     return weight @ rows["numbers"], weight.sum()
    >>> add = lambda left, right: jax.tree.map(jnp.add, left, right)
    >>> summary = Summary(part, add, lambda parts: parts[0] / parts[1])
    >>> centred = from_summary(summary, lambda stats, row, fold=None, key=None: row["numbers"] - stats)
    >>> schema = jdl.data.Schema(jdl.data.Target("y", "regression"), (jdl.data.Number("x"),))
    >>> collect(centred, jdl.data.stream(folder, schema, 2, jax.random.key(0))).tolist()
    [3.0]
    """
    made = _made(prepare)
    if stream.key is None:
        raise ValueError("collect: the stream has no key, from which samples are drawn; give it one")
    if made.summary is None:
        raise ValueError(
            "collect: the preparation has no summary, which says how its statistics are made of parts of a "
            "table; fit it on rows in memory, and give loop its stats"
        )
    _, merge, finish = _compiled(made)
    work = partial(_parts, prepare, stream.schema, stream.weight)
    tasks = _tasks(stream)
    merged = None
    for found in map(work, tasks) if executor is None else executor.map(work, tasks):
        for part in found:
            merged = part if merged is None else merge(merged, part)
    return finish(merged)


class Task(NamedTuple):
    """Some neighbouring row groups, the key as plain data, and the rows of the largest group."""

    groups: list["Group"]
    key: np.ndarray
    kind: Any
    most: int


def _tasks(stream: "Stream") -> list[Task]:
    """Cut the table into tasks of a few row groups each, which may be sent to other processes."""
    groups = stream.groups
    data, kind = np.asarray(jax.random.key_data(stream.key)), jax.random.key_impl(stream.key)
    each = -(-len(groups) // MOST_TASKS)
    most = max(group.rows for group in groups)
    return [Task(groups[i : i + each], data, kind, most) for i in range(0, len(groups), each)]


def _parts(
    prepare: Prepare | Callable[[], Prepare], schema: "Schema", weight: str | None, task: Task
) -> list:
    """Give the parts of a task's row groups, in its process."""
    from jdl.data.stream_files import encoded

    part, *_ = _compiled(_made(prepare))
    key = jax.random.wrap_key_data(jnp.asarray(task.key), impl=task.kind)
    parts = []
    for group in task.groups:
        # Rows of no weight make up for groups of different lengths, so that few shapes are compiled.
        rows = padded(encoded(group, schema, weight), min(task.most, 1 << (group.rows - 1).bit_length()))
        first = np.int64(group.first).astype(np.int32)  # beyond 2**31 rows it begins anew, below zero
        found = part(key, rows["x"], rows["y"], rows["weight"], first)
        parts.append(jax.device_get(found))
    return parts


def padded(rows: dict[str, Any], size: int) -> dict[str, Any]:
    """Fill rows up to ``size`` with zeros, which weigh nothing."""

    def fill(leaf: np.ndarray) -> np.ndarray:
        whole = np.zeros((size, *leaf.shape[1:]), leaf.dtype)
        whole[: len(leaf)] = leaf
        return whole

    return rows if len(rows["weight"]) == size else jax.tree.map(fill, rows)


def _made(prepare: Prepare | Callable[[], Prepare]) -> Prepare:
    if isinstance(prepare, Prepare):
        return prepare
    if isinstance(prepare, partial):  # a copy of it that came to another process is equal in these
        return _called(prepare.func, prepare.args, tuple(prepare.keywords.items()))
    return _called(prepare, (), ())


@lru_cache(CACHED)
def _called(function: Callable[..., Prepare], given: tuple, named: tuple) -> Prepare:
    return function(*given, **dict(named))


@lru_cache(CACHED)
def _compiled(prepare: Prepare) -> tuple[Callable, Callable, Callable]:
    summary = prepare.summary
    assert summary is not None
    return jax.jit(summary.part), jax.jit(summary.merge), jax.jit(summary.finish)
