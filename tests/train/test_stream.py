"""Batches from the host: their order, their form, their state, and the thread that reads ahead."""

import itertools
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdl.train.fit import batch_at
from jdl.train.recipe import RecipeError
from jdl.train.stream import Given, InMemory, chunks, padded, read_ahead
from tests.train.tiny import KEY, assert_same_bits, line, regressor


def numbered(rows, start=0):
    values = np.arange(start, start + rows, dtype=np.float32)
    return {"x": values[:, None], "y": values[:, None]}


def content(batches):
    """The rows that count, by batch."""
    return [batch["x"][batch["weight"] > 0, 0].tolist() for batch in batches]


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "jdl-read-ahead"]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [16, 21])
def test_batches_in_memory_are_those_of_fit(rows, weighted):
    data, recipe = line(rows), regressor()
    if weighted:
        data["weight"] = np.arange(rows, dtype=np.int32) % 3
        data["x"][::3] = np.nan
    source = InMemory(recipe, KEY, data)
    for epoch in range(2):
        for i, batch in enumerate(source):
            assert_same_bits(batch, batch_at(recipe, KEY, jax.tree.map(jnp.asarray, data), epoch, i))
            assert np.isfinite(batch["x"]).all()
    assert source.get_state() == {"rows": rows, "size": 8, "epoch": 2, "batch": 0}


def test_batches_in_memory_go_on_from_any_state():
    data, recipe = line(21), regressor()
    source, states, seen = InMemory(recipe, KEY, data), [], []
    for _ in range(2):
        for batch in source:
            seen.append(batch)
            states.append(source.get_state())
    for i, state in enumerate(states):
        again = InMemory(recipe, KEY, data)
        again.set_state(state)
        rest = [batch for _ in range(2) for batch in again][: len(seen) - i - 1]
        assert_same_bits(rest, seen[i + 1 :])


def test_a_state_of_other_rows_or_another_batch_size():
    state = InMemory(regressor(), KEY, line(21)).get_state()
    message = "data: has 20 rows in batches of 8, but the run to resume had 21 rows in batches of 8"
    with pytest.raises(RecipeError, match=message):
        InMemory(regressor(), KEY, line(20)).set_state(state)
    with pytest.raises(RecipeError, match="data: has 21 rows in batches of 4, but"):
        InMemory(regressor(batch_size=4), KEY, line(21)).set_state(state)


class Counting:
    """Batches ``0, 1, …`` whose state is how many of an epoch were given."""

    def __init__(self, batches):
        self.batches, self.given = batches, 0

    def get_state(self):
        return {"given": self.given}

    def set_state(self, state):
        self.given = state["given"]

    def __iter__(self):
        while self.given < len(self.batches):
            self.given += 1
            yield self.batches[self.given - 1]
        self.given = 0


@given(st.lists(st.integers(1, 8), min_size=1, max_size=7), st.integers(1, 5), st.integers(1, 3))
def test_chunks_hold_every_batch_once_in_order(sizes, length, epochs):
    starts = np.cumsum([0, *sizes])
    batches = [numbered(size, start) for size, start in zip(sizes, starts, strict=False)]
    source = Given(regressor(), Counting(batches))
    found = list(chunks(source, length, epochs))
    assert {chunk.batches["x"].shape for chunk in found} == {(length, 8, 1)}
    split = [jax.tree.map(lambda leaf: leaf[i], c.batches) for c in found for i in range(c.steps)]  # noqa: B023
    assert content(split) == [batch["x"][:, 0].tolist() for batch in batches] * epochs
    ends = [i for i, chunk in enumerate(found) if chunk.ends_epoch]
    assert len(ends) == epochs and ends[-1] == len(found) - 1
    given = 0
    for chunk in found:
        given = 0 if chunk.ends_epoch else given + chunk.steps
        assert chunk.state == {"given": given}  # where the source stood, however far it was read ahead


def test_a_batch_is_filled_up_with_rows_that_do_not_count():
    whole = padded(numbered(3) | {"weight": np.array([2, 0, 1])}, 5)
    assert whole["x"][:, 0].tolist() == [0, 1, 2, 2, 2]
    assert whole["weight"].tolist() == [2, 0, 1, 0, 0]
    full = numbered(5)
    assert_same_bits(padded(full, 5), full | {"weight": np.ones(5, np.float32)})


@pytest.mark.parametrize(
    ("make", "passes"),
    [
        (lambda: [numbered(8), numbered(3, 8)], 2),
        (lambda: (numbered(8), numbered(3, 8)), 2),
        (lambda: iter([numbered(8), numbered(3, 8)]), 1),
        (lambda: (numbered(size, start) for size, start in ((8, 0), (3, 8))), 1),
        (lambda: Counting([numbered(8), numbered(3, 8)]), 2),
    ],
)
def test_nothing_is_lost_by_looking_at_the_first_batch(make, passes):
    source = Given(regressor(), make())
    for _ in range(passes):
        assert content(source) == [list(range(8)), [8, 9, 10]]
    assert content(source) == ([] if passes == 1 else [list(range(8)), [8, 9, 10]])


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "batches: is empty, needs at least one batch"),
        (None, "batches: found NoneType, needs a data set or an iterable of batches"),
        ([numbered(9)], r"batch: has 9 rows, needs at most Recipe.batch_size = 8"),
        ([{"x": np.ones(3)}], r"batch: found \['x'\], needs 'x' and 'y'"),
        ([numbered(0)], "batch: has no rows, needs at least one"),
        (
            [numbered(8), {"x": np.ones((8, 2)), "y": np.ones((8, 1))}],
            r"batch: has \{'weight'.*, needs what the first",
        ),
        (
            [numbered(8), numbered(8) | {"y": np.ones((8, 1), int)}],
            r"batch: has .*'y': \(\(1,\), 'int64'\).* needs",
        ),
    ],
)
def test_batches_that_cannot_train(batches, message):
    with pytest.raises(RecipeError, match=message):
        list(chunks(Given(regressor(), batches), 2, 1))


def test_a_generator_serves_one_epoch():
    source = Given(regressor(), (numbered(8) for _ in range(3)))
    with pytest.raises(
        RecipeError, match="batches: pass 2 gave none; needs an iterable that starts anew each epoch"
    ):
        list(chunks(source, 2, 2))


def test_reading_ahead_keeps_the_order_and_goes_only_so_far():
    drawn = []

    def items():
        for i in range(20):
            drawn.append(i)
            yield i

    with read_ahead(items(), lambda i: i * 10) as ready:
        assert next(ready) == 0
        time.sleep(0.3)
        assert len(drawn) <= 5  # two waiting, one in hand
        assert list(ready) == [i * 10 for i in range(1, 20)]
    assert readers() == []


class Broken(Exception):
    pass


def test_an_error_of_the_source_is_raised_here_with_its_type():
    def items():
        yield 1
        raise Broken("row 7")

    with pytest.raises(Broken, match="row 7") as caught, read_ahead(items(), lambda i: i) as ready:
        assert next(ready) == 1
        next(ready)
    assert any(entry.name == "items" for entry in caught.traceback)  # the place in the source is shown
    assert readers() == []


def test_the_thread_ends_and_the_source_is_closed_when_the_consumer_stops():
    closed = []

    def items():
        try:
            yield from itertools.count()
        finally:
            closed.append(True)

    with pytest.raises(Broken), read_ahead(items(), lambda i: i) as ready:
        next(ready)
        raise Broken
    assert closed == [True]
    assert readers() == []
