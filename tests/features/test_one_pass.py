"""Statistics of a streamed table: those of its rows in memory, whoever works out which part."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest

from jdl.data import DataError
from jdl.features import collect
from jdl.features.prepare import Prepare, Summary, draws, from_summary, inner_folds
from tests.data.streamed import KEY, SCHEMA, files, opened, table, write
from tests.train.tiny import assert_close, assert_same_bits

SIZES = [3, 9, 1, 16], [7, 2], [5, 5]


def summed(power=1.0):
    """Sums, whose last digits depend on their order, a random sample, and sums by inner fold."""

    def part(key, rows, target, weight, first=0):
        x = jnp.nan_to_num(rows["numbers"]) ** power
        counts = weight > 0
        chance = jnp.where(counts, draws(key, "sample", len(x), first), jnp.uint32(2**32 - 1))
        lowest = jnp.argmin(chance)
        folds = inner_folds(key, first + jnp.arange(len(x)), 3)
        by_fold = jnp.zeros(3).at[folds].add(weight * target)
        return {
            "sum": weight @ jnp.sin(x),
            "rows": weight.sum(),
            "drawn": (chance[lowest], x[lowest, 0]),
            "y": by_fold,
        }

    def merge(left, right):
        added = jax.tree.map(jnp.add, left, right)
        first = left["drawn"][0] <= right["drawn"][0]
        return added | {"drawn": jax.tree.map(partial(jnp.where, first), left["drawn"], right["drawn"])}

    return from_summary(
        Summary(part, merge, lambda parts: parts | {"mean": parts["sum"] / parts["rows"]}), None
    )


SUMMED = summed()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return files(tmp_path_factory.mktemp("table"), *SIZES)


@pytest.fixture(scope="module")
def alone(folder):
    return jax.device_get(collect(SUMMED, opened(folder, weight="w")))


def test_the_statistics_are_those_of_the_rows_in_memory(alone):
    whole = table(sum(map(sum, SIZES)))
    weight = jnp.asarray(whole["w"].to_numpy())
    expected = SUMMED.fit(KEY, SCHEMA.encode(whole), SCHEMA.encode_target(whole), weight)
    assert_close(alone, jax.device_get(expected))
    assert alone["drawn"] == expected["drawn"]
    assert alone["rows"] == whole["w"].sum()


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_threads_give_the_same_bits(folder, alone, workers, monkeypatch):
    monkeypatch.setattr("jdl.features.one_pass.MOST_TASKS", workers)
    with ThreadPoolExecutor(workers) as executor:
        assert_same_bits(collect(SUMMED, opened(folder, weight="w"), executor), alone)


def test_processes_give_the_same_bits(folder, alone):
    """They are sent the function that makes the preparation, and compile for themselves."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        stream = opened(folder, weight="w")
        assert_same_bits(collect(partial(summed, power=1.0), stream, executor), alone)


def test_a_share_collects_from_the_whole_table(folder, alone):
    assert_same_bits(collect(SUMMED, opened(folder, weight="w", share=(1, 3))), alone)


def test_another_key_draws_another_sample(folder, alone):
    other = collect(SUMMED, opened(folder, weight="w", key=jax.random.key(11)))
    assert_same_bits(other["sum"], alone["sum"])
    assert other["drawn"][1] != alone["drawn"][1]


def test_a_preparation_given_by_its_function_is_made_once(folder):
    made = []

    def preparation(power):
        made.append(power)
        return SUMMED

    for _ in range(2):
        collect(partial(preparation, 2.0), opened(folder))
    assert made == [2.0]


def test_errors_say_where(folder, tmp_path):
    stream = opened(folder)
    with pytest.raises(ValueError, match="collect: the preparation has no summary, which says how"):
        collect(Prepare(lambda *_: None, lambda *_: None), stream)
    with pytest.raises(ValueError, match="collect: the stream has no key"):
        collect(SUMMED, opened(folder, key=None))
    bad = table(4).with_columns(x=pl.Series(["1", "2", "3", "four"]))
    write(tmp_path / "t.parquet", bad, [2, 2])
    with (
        pytest.raises(DataError, match="t.parquet, row group 1: column 'x', row 2: found 'four'"),
        ThreadPoolExecutor(2) as executor,
    ):
        collect(SUMMED, opened(tmp_path), executor)


def test_rows_of_no_weight_fill_up_a_row_group():
    from jdl.features.one_pass import padded

    rows = {"x": np.ones((3, 2), np.float32), "weight": np.ones(3, np.float32)}
    whole = padded(rows, 5)
    assert whole["weight"].tolist() == [1, 1, 1, 0, 0] and whole["x"].shape == (5, 2)
    assert padded(rows, 3) is rows
