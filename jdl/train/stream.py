"""Batches from the host: in memory or from any iterable, grouped into chunks by a thread that reads ahead."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

import jax
import numpy as np

from jdl import tree
from jdl.nn.layer import batch_size
from jdl.train.check import check_data
from jdl.train.fit import order
from jdl.train.objective import Batch, rows_of
from jdl.train.recipe import Recipe, RecipeError, batch_sizes

AHEAD = 2  # chunks read before they are asked for


class InMemory:
    """The batches of a data set in memory, one epoch an iteration: those of ``jdl.fit``, row by row.

    Its state goes on exactly there, with the same number of rows and the same batch size.
    """

    def __init__(self, recipe: Recipe, key: Any, data: Batch):
        self._data, self._key = jax.tree.map(np.asarray, {name: data[name] for name in rows_of(data)}), key
        self._rows = batch_size(data["y"])
        self._size, self._steps = batch_sizes(recipe, self._rows)
        self._weight = None
        if "weight" in data or self._steps * self._size > self._rows:
            self._weight = np.asarray(data.get("weight", np.ones(self._rows)), np.float32)
        self._epoch, self._batch = 0, 0
        self.first = jax.tree.map(lambda leaf: leaf[: self._size], self._data)

    def get_state(self) -> dict[str, int]:
        return {"rows": self._rows, "size": self._size, "epoch": self._epoch, "batch": self._batch}

    def set_state(self, state: dict[str, int]) -> None:
        self._epoch, self._batch = state["epoch"], state["batch"]
        if state != self.get_state():
            found, needed = (f"{s['rows']} rows in batches of {s['size']}" for s in (self.get_state(), state))
            raise RecipeError(f"data: has {found}, but the run to resume had {needed}")

    def __iter__(self) -> Iterator[Batch]:
        chosen = np.asarray(order(self._key, self._epoch, self._rows, self._steps * self._size))
        while self._batch < self._steps:
            first = self._batch * self._size
            self._batch += 1
            yield self._take(chosen[first : first + self._size], self._rows - first)
        self._epoch, self._batch = self._epoch + 1, 0

    def _take(self, chosen: np.ndarray, inside: int) -> Batch:
        """Give a batch, rows of weight zero replaced by one that counts; from ``inside`` on it is padding."""
        if self._weight is None:
            return jax.tree.map(lambda leaf: leaf[chosen], self._data)
        weight = np.where(np.arange(self._size) < inside, self._weight[chosen], np.float32(0))
        chosen = np.where(self._weight[chosen] > 0, chosen, (self._weight > 0).argmax())
        return jax.tree.map(lambda leaf: leaf[chosen], self._data) | {"weight": weight}


class Given:
    """The batches of any iterable, one pass over it an epoch, each filled up to ``Recipe.batch_size`` rows.

    It resumes where the iterable has ``get_state`` and ``set_state``; else its state is None. One that can
    be iterated only once serves one epoch.
    """

    def __init__(self, recipe: Recipe, batches: Any):
        if not isinstance(batches, Iterable):
            found = type(batches).__name__
            raise RecipeError(f"batches: found {found}, needs a data set or an iterable of batches")
        self._batches, self._recipe = batches, recipe
        state = self.get_state()
        iterator = iter(batches)
        first = next(iterator, None)
        if first is None:
            raise RecipeError("batches: is empty, needs at least one batch")
        if state is not None:
            self.set_state(state)
        elif iterator is batches:
            self._batches = chain([first], batches)
        batch_sizes(recipe, recipe.batch_size)
        self.first = padded(first, recipe.batch_size)

    def get_state(self) -> Any:
        return self._batches.get_state() if hasattr(self._batches, "get_state") else None

    def set_state(self, state: Any) -> None:
        self._batches.set_state(state)  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[Batch]:
        like = _shapes(self.first)
        for batch in self._batches:
            whole = padded(batch, self._recipe.batch_size)
            if (found := _shapes(whole)) != like:
                raise RecipeError(f"batch: has {found}, needs what the first batch has: {like}")
            yield whole


def padded(batch: Batch, size: int) -> Batch:
    """Fill a batch up to ``size`` rows with copies of its last, of weight zero; every batch gets a weight.

    What it holds beside inputs and target, such as the rows' inner folds, is filled up as they are.
    """
    check_data(batch, "batch")
    rows = batch_size(batch["y"])
    if rows > size:
        raise RecipeError(f"batch: has {rows} rows, needs at most Recipe.batch_size = {size}")
    weight = np.zeros(size, np.float32)
    weight[:rows] = batch.get("weight", 1.0)
    filled = np.minimum(np.arange(size), rows - 1) if rows < size else slice(None)
    inputs = {name: batch[name] for name in rows_of(batch)}
    return jax.tree.map(lambda leaf: np.asarray(leaf)[filled], inputs) | {"weight": weight}


def _shapes(batch: Batch) -> dict[str, Any]:
    """Describe the rows of a batch: the shape and type of each leaf."""
    return {path: (leaf.shape[1:], leaf.dtype.name) for path, leaf in tree.items(batch)}


class Chunk(NamedTuple):
    """Batches stacked on a leading axis, of which ``steps`` are meant, and where their source then stands."""

    batches: dict[str, Any]
    steps: int
    state: Any
    ends_epoch: bool


def chunks(source: InMemory | Given, length: int, epochs: int) -> Generator[Chunk]:
    """Group ``epochs`` passes over ``source`` into chunks of ``length`` batches.

    A chunk never crosses the end of an epoch; a shorter last one is filled up with zeros that do not count.
    """
    for epoch in range(epochs):
        group: list[Batch] = []
        held: Chunk | None = None
        for batch in source:
            if held is not None:
                yield held
                held = None
            group.append(batch)
            if len(group) == length:
                held = _stack(group, length, source.get_state())
                group = []
        if group:
            if held is not None:
                yield held
            held = _stack(group, length, None)
        if held is None:
            raise RecipeError(
                f"batches: pass {epoch + 1} gave none; needs an iterable that starts anew each epoch"
            )
        yield held._replace(state=source.get_state(), ends_epoch=True)


def _stack(group: list[Batch], length: int, state: Any) -> Chunk:
    def stack(*leaves: np.ndarray) -> np.ndarray:
        whole = np.zeros((length, *leaves[0].shape), leaves[0].dtype)
        np.stack(leaves, out=whole[: len(leaves)])
        return whole

    return Chunk(jax.tree.map(stack, *group), len(group), state, False)


@contextmanager
def read_ahead(items: Generator[Any], place: Callable[[Any], Any]) -> Iterator[Iterator[Any]]:
    """Draw ``items`` in a thread, ``place`` each, and give them in order; an error there is raised here."""
    ready: queue.Queue = queue.Queue(AHEAD)
    stop = threading.Event()

    def offer(item: Any) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not offer((place(item), None)):
                    return
            offer((None, StopIteration()))
        except BaseException as error:  # noqa: BLE001  (handed over, whatever it is)
            offer((None, error))

    def taken() -> Iterator[Any]:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item

    thread = threading.Thread(target=work, name="jdl-read-ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stop.set()
        thread.join()
        items.close()
