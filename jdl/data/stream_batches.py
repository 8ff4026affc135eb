"""Batches of a table that does not fit in memory, read from Parquet files row group by row group."""

import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jdl.data.errors import DataError
from jdl.data.schema import Schema
from jdl.data.stream_files import Files, Group, Rows, columns_of, encoded, find, groups

WINDOW_ROWS, WINDOW_BYTES = 2**19, 2**28  # at most so many of both, unless a window is asked for

Folds = Callable[[Any, NDArray[np.int32]], Any]


class Window(NamedTuple):
    """Row groups that are read together, the place of their first row in the epoch, and their rows."""

    groups: tuple[Group, ...]
    first: int
    rows: int


class Held(NamedTuple):
    """A window that has been read: which one, its rows, and their order."""

    place: tuple[int, int]
    rows: Rows
    order: NDArray[np.integer] | None


class Stream:
    """One epoch of batches an iteration, with ``get_state`` and ``set_state``; made by ``stream``.

    ``rows`` counts the rows of this process's share, ``len`` its batches an epoch. ``groups`` are the row
    groups of the whole table, whatever the share.
    """

    def __init__(
        self,
        table: list[Group],
        schema: Schema,
        batch_size: int,
        key: Any,
        window: int,
        weight: str | None,
        folds: Folds | None,
        share: tuple[int, int],
    ):
        self.groups, self.schema, self.batch_size, self.key = table, schema, batch_size, key
        self.window, self.weight, self.share = window, weight, share
        self._folds = None if folds is None else jax.jit(folds)
        shares = _shares(table, share[1])
        self._mine = shares[share[0]]
        self.rows = sum(group.rows for group in self._mine)
        # As many on every process, so that all take the same number of steps.
        self._batches = -(-max(sum(group.rows for group in part) for part in shares) // batch_size)
        self._words: list[int] = [] if key is None else np.ravel(jax.random.key_data(key)).tolist()
        self._about = self._description()
        self._epoch, self._batch = 0, 0
        self._plan: tuple[int, list[Window]] | None = None
        self._held: Held | None = None
        self._memory: Rows | None = None

    def __len__(self) -> int:
        return self._batches

    def get_state(self) -> dict[str, Any]:
        """Give the epoch and the number of the next batch in it, and a line on the table they belong to."""
        return {"epoch": self._epoch, "batch": self._batch, "table": self._about}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken, with the same table, key and batch size."""
        if state["table"] != self._about:
            raise DataError(f"stream: has {self._about}, but the run to resume had {state['table']}")
        self._epoch, self._batch = state["epoch"], state["batch"]

    def __iter__(self) -> Iterator[Rows]:
        while self._batch < self._batches:
            batch = self._filled(self._batch * self.batch_size)
            self._batch += 1
            yield batch
        self._epoch, self._batch = self._epoch + 1, 0

    def read(self, group: Group) -> Rows:
        """Read one row group as arrays, in the order of the table, with its inner folds where wanted."""
        rows = encoded(group, self.schema, self.weight)
        if self._folds is not None:
            # Of one length for all groups: each row draws its own, and one shape is compiled.
            numbers = group.first + np.arange(max(each.rows for each in self.groups))
            folds = np.asarray(self._folds(self.key, numbers.astype(np.int32)))
            rows["fold"] = folds[: group.rows].astype(np.int32)
        return rows

    def _filled(self, first: int) -> Rows:
        """Give the batch that begins at row ``first`` of the epoch, filled up with rows that do not count."""
        begin = min(first, self.rows - 1)  # a larger share may have a batch more
        end = min(first + self.batch_size, self.rows)
        batch = self._rows(begin, end)
        if end - first < self.batch_size:
            batch = _taken(batch, np.minimum(np.arange(self.batch_size), end - begin - 1))
            batch["weight"][max(end - first, 0) :] = 0
        return batch

    def _rows(self, first: int, last: int) -> Rows:
        """Gather the rows ``first`` to ``last`` of the epoch."""
        parts = []
        while first < last:
            number = bisect_right(self._windows(), first, key=lambda window: window.first) - 1
            window, held = self._windows()[number], self._window(number)
            places = np.arange(first, min(last, window.first + window.rows)) - window.first
            parts.append(_taken(held.rows, places if held.order is None else held.order[places]))
            first += len(places)
        return parts[0] if len(parts) == 1 else jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)

    def _windows(self) -> list[Window]:
        """Plan an epoch: its row groups in their order, gathered into windows."""
        if self._plan is None or self._plan[0] != self._epoch:
            order = self._order(len(self._mine), self._epoch)
            mine = self._mine if order is None else [self._mine[i] for i in order]
            self._plan = self._epoch, list(_gathered(mine, self.window))
        return self._plan[1]

    def _window(self, number: int) -> Held:
        """Read a window, unless it is the one that is held; only one is."""
        place = self._epoch, number
        if self._held is None or self._held.place != place:
            self._held = None  # its memory is about to be written over
            window = self._windows()[number]
            self._held = Held(place, self._joined(window), self._order(window.rows, *place, 1))
        return self._held

    def _joined(self, window: Window) -> Rows:
        """Read a window's row groups into memory that is kept: to get it anew costs as much as to read."""
        first = 0
        for group in window.groups:
            part = self.read(group)
            if self._memory is None or len(self._memory["y"]) < window.rows:
                size = max(each.rows for each in self._windows())
                self._memory = jax.tree.map(lambda leaf: np.empty((size, *leaf.shape[1:]), leaf.dtype), part)  # noqa: B023
            for into, leaf in zip(jax.tree.leaves(self._memory), jax.tree.leaves(part), strict=True):
                into[first : first + group.rows] = leaf
            first += group.rows
        return jax.tree.map(lambda leaf: leaf[: window.rows], self._memory)

    def _order(self, count: int, *numbers: int) -> NDArray[np.integer] | None:
        """Draw an order of ``count`` things by the key and some numbers; without a key there is none."""
        return None if self.key is None else shuffled([*self._words, *numbers], count)

    def _description(self) -> str:
        sizes = np.array([group.rows for group in self.groups], np.int64).tobytes()
        setting = repr((self._words, self.weight, self._folds is not None))
        number = zlib.crc32(setting.encode(), zlib.crc32(sizes))
        return (
            f"{sum(group.rows for group in self.groups)} rows in {len(self.groups)} row groups, batches of "
            f"{self.batch_size}, windows of {self.window}, share {self.share[0]} of {self.share[1]}, "
            f"key and settings {number:08x}"
        )


def stream(
    files: Files,
    schema: Schema,
    batch_size: int,
    key: Any,
    *,
    window: int | None = None,
    weight: str | None = None,
    folds: Folds | None = None,
    share: tuple[int, int] | None = None,
) -> Stream:
    """Read batches ``{"x": …, "y": …, "weight": …}`` from Parquet files of any size, one epoch an iteration.

    ``x`` is what ``schema.encode`` gives, ``y`` what ``schema.encode_target`` gives. The order is a function
    of the key and the epoch: the row groups are shuffled, gathered into windows, and the rows of a window
    shuffled among themselves. Memory holds one window and one row group, whatever the size of the table; the
    order of the files' rows matters the less, the more row groups a window holds. Every row comes once an
    epoch; the last batch is filled up with rows of weight zero. Rows without a target get weight zero too.

    A stream goes on exactly where its ``get_state`` was taken, after reading one window at most, so
    ``jdl.loop(recipe, key, stream, stats=…)`` resumes bit for bit; ``jdl.features.collect`` gives the
    ``stats``.

    Args:
        files: a Parquet file, a folder of them, a glob pattern, or a list of these. For a CSV see
            ``to_parquet``.
        schema: what the columns are; from a part of a large table, ``infer_schema(sample(files), target)``.
            Levels it does not know are coded 0, as missing ones.
        batch_size: rows of a batch, as ``Recipe.batch_size``.
        key: of the order; None keeps the rows in the order of the files.
        window: rows that are shuffled among themselves: as many row groups as hold at least so many; by
            default 524,288 rows, or as many as take 256 MiB where that is less.
        weight: the column of the rows' weights.
        folds: gives the inner folds of rows from the key and their numbers in the table, to be added as
            ``batch["fold"]``, int32 (n,): ``partial(jdl.features.inner_folds, folds=prepare.folds)``.
        share: ``(number, count)`` of this process among those that share the table's row groups, by default
            JAX's. All have the same number of batches; where a share is smaller, the last ones do not count.

    Raises:
        DataError: files that are missing, truncated or of another form, a column that is missing or of
            another type, a class that the schema does not know: the message names the file, the row group,
            the column and the row in the group.

    >>> import tempfile, polars as pl
    >>> from jdl.data import Number, Target
    >>> folder = tempfile.mkdtemp()
    >>> table = pl.DataFrame({"x": range(10), "y": [0.5] * 10})
    >>> table.write_parquet(f"{folder}/table.parquet", row_group_size=2)
    >>> schema = Schema(Target("y", "regression"), (Number("x"),))
    >>> batches = stream(folder, schema, batch_size=4, key=jax.random.key(0))
    >>> seen = [batch["x"]["numbers"][batch["weight"] > 0, 0].astype(int).tolist() for batch in batches]
    >>> [len(batch) for batch in seen], sorted(sum(seen, [])), batches.get_state()["epoch"]
    ([4, 4, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 1)
    """
    if window is None:
        window = max(min(WINDOW_ROWS, WINDOW_BYTES // _row_bytes(schema)), 1)
    for name, value in (("batch_size", batch_size), ("window", window)):
        if not isinstance(value, int) or value < 1:
            raise DataError(f"stream: {name} is {value!r}; needs an integer of at least 1")
    if folds is not None and key is None:
        raise DataError("stream: folds are drawn from a key; found None, needs jax.random.key(seed)")
    key = None if key is None else _typed(key)
    number, count = (jax.process_index(), jax.process_count()) if share is None else share
    if not 0 <= number < count:
        raise DataError(f"stream: share is {number} of {count}; needs a number from 0 to {count - 1}")
    table = groups(find(files), columns_of(schema, weight))
    if len(table) < count:
        raise DataError(
            f"stream: {len(table)} row groups cannot be shared by {count} processes; write smaller row groups"
        )
    return Stream(table, schema, batch_size, key, window, weight, folds, (number, count))


def shuffled(words: list[int], count: int) -> NDArray[np.integer]:
    """Order the numbers below ``count`` at random, a function of ``words`` alone, on every machine.

    >>> sorted(shuffled([1, 2], 5).tolist()), bool((shuffled([1], 99) == shuffled([1], 99)).all())
    ([0, 1, 2, 3, 4], True)
    """
    # Raw bits and seeds are what NumPy keeps as they are from version to version. The numbers lie below the
    # bits that are sorted: one array to sort, no two of its entries equal.
    bits = np.random.PCG64(np.random.SeedSequence(words)).random_raw(count)
    width = np.uint64(max(count - 1, 0).bit_length())
    low = (np.uint64(1) << width) - np.uint64(1)
    packed = bits & ~low | np.arange(count, dtype=np.uint64)
    packed.sort()
    return (packed & low).astype(np.int64)


def _row_bytes(schema: Schema) -> int:
    """Count the bytes of a row of what ``schema.encode`` gives, and of its target and weight."""
    sizes = {"numbers": 4, "categories": 4, "dates": 8, "texts": 128, "targets": 4}
    return 8 + sum(size * len(getattr(schema, kind)) for kind, size in sizes.items())


def _typed(key: Any) -> Any:
    """Give a key in JAX's new form, whatever its form."""
    dtype: Any = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return key
    if dtype != np.uint32:
        raise DataError(f"stream: key is {key!r}; needs a JAX key: jax.random.key(seed)")
    return jax.random.wrap_key_data(key)


def _shares(table: list[Group], count: int) -> list[list[Group]]:
    """Deal the groups out, the largest first, each to the one with the fewest rows; in the table's order."""
    shares: list[list[Group]] = [[] for _ in range(count)]
    rows = [0] * count
    for group in sorted(table, key=lambda group: -group.rows):
        least = rows.index(min(rows))
        shares[least].append(group)
        rows[least] += group.rows
    return [sorted(share, key=lambda group: group.first) for share in shares]


def _gathered(ordered: list[Group], least: int) -> Iterator[Window]:
    first, rows = 0, 0
    held: list[Group] = []
    for group in ordered:
        held.append(group)
        rows += group.rows
        if rows >= least:
            yield Window(tuple(held), first, rows)
            first, rows, held = first + rows, 0, []
    if held:
        yield Window(tuple(held), first, rows)


def _taken(rows: Rows, places: NDArray[np.integer]) -> Rows:
    return jax.tree.map(lambda leaf: np.take(leaf, places, axis=0), rows)
