"""Checkpoints: bit for bit, whole or absent, and every failure said plainly."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jdl.train import checkpoint
from jdl.train.checkpoint import CheckpointError
from tests.train.same import assert_same


class Pair(NamedTuple):
    first: object
    second: object


def every_kind_of_leaf():
    params = {"dense": {"w": jax.random.normal(jax.random.key(1), (5, 3)), "b": jnp.zeros(3, jnp.bfloat16)}}
    return {
        "params": params,
        "optimizer": optax.adamw(1e-3).init(params),
        "state": {},
        "keys": Pair(jax.random.key(7), jax.random.split(jax.random.key(8, impl="rbg"), 3)),
        "nothing": None,
        "empty": (jnp.zeros((0, 3)), np.zeros((2, 0), np.int16), jax.random.split(jax.random.key(0), 0)),
        "small": [jnp.ones(3, jnp.float8_e4m3fn), jnp.arange(3, dtype=jnp.int4), jnp.array([True, False])],
        "extreme": jnp.array([jnp.nan, -jnp.nan, jnp.inf, -0.0, 1e-45]),
        "host": (
            np.arange(3),
            np.float64(0.1),
            np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            np.array(2.5),
        ),
        "plain": [3, 10**30, 0.1, float("nan"), -0.0, True, "näme"],
        "odd/name": {"": jnp.int32(1), "..": jnp.int32(2)},
    }


def test_every_kind_of_leaf_returns_bit_for_bit(tmp_path):
    tree = every_kind_of_leaf()
    data = {"file": "a.parquet", "row": 12, "inner": [1, 2.5, None, True]}
    checkpoint.save(tmp_path, 3, tree, {"loss": 0.1, "other": jnp.float32(2)}, data)
    found = checkpoint.restore(tmp_path, tree)
    assert_same(found.tree, tree)
    assert (found.step, found.metrics, found.data) == (3, {"loss": 0.1, "other": 2.0}, data)


def test_shapes_alone_are_enough(tmp_path):
    def start(key):
        params = {"w": jax.random.normal(key, (4, 2))}
        return {"params": params, "optimizer": optax.sgd(0.1, 0.9).init(params), "key": key}

    tree = start(jax.random.key(0))
    checkpoint.save(tmp_path, 0, tree)
    assert_same(checkpoint.restore(tmp_path, jax.eval_shape(start, jax.random.key(5))).tree, tree)


@given(
    hnp.arrays(
        st.sampled_from(["f2", "f4", "f8", "i1", "i4", "i8", "u2", "?", "c8"]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_any_array_returns_bit_for_bit(tmp_path_factory, array):
    folder = tmp_path_factory.mktemp("any")
    checkpoint.save(folder, 1, array)
    assert_same(checkpoint.restore(folder, array).tree, array)


@pytest.mark.parametrize("tree", [{}, None, {"n": 3}, jnp.ones(2)], ids=repr)
def test_trees_of_little(tmp_path, tree):
    checkpoint.save(tmp_path, 1, tree)
    assert_same(checkpoint.restore(tmp_path, tree).tree, tree)


def test_array_goes_where_its_counterpart_is(tmp_path):
    mesh = jax.make_mesh((4,), ("data",))
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    plain, placed = jnp.arange(8.0), jax.device_put(jnp.arange(8.0), rows)
    checkpoint.save(tmp_path, 1, [plain, placed, placed])
    like = [plain, placed, jax.ShapeDtypeStruct((8,), jnp.float32, sharding=rows)]
    a, b, c = checkpoint.restore(tmp_path, like).tree
    assert not a.committed and b.sharding == c.sharding == rows
    assert_same([a, b, c], [plain, placed, placed])


def test_donated_at_once(tmp_path):
    advance = jax.jit(lambda x: x + 1, donate_argnums=0)
    x = advance(jnp.zeros((1000, 1000)))
    with checkpoint.writer(tmp_path, keep=5) as write:
        for step in range(5):
            write(step, x)
            for _ in range(10):
                x = advance(x)
    for step in range(5):
        assert (checkpoint.restore(tmp_path, x, step).tree == 10 * step + 1).all()


def loss(params, x):
    return jnp.sum((x @ params["w"]) ** 2) + params["b"] ** 2


@jax.jit
def train(params, optimizer, key):
    key, use = jax.random.split(key)
    gradient = jax.grad(loss)(params, jax.random.normal(use, (8, 4)))
    updates, optimizer = optax.adam(0.01).update(gradient, optimizer, params)
    return optax.apply_updates(params, updates), optimizer, key


def test_resumed_run_is_bit_identical(tmp_path):
    params = {"w": jnp.ones((4, 2)), "b": jnp.float32(3)}
    state = params, optax.adam(0.01).init(params), jax.random.key(0)
    for step in range(6):
        if step == 3:
            checkpoint.save(tmp_path, step, state)
        state = train(*state)
    resumed = checkpoint.restore(tmp_path, state).tree
    for _ in range(3):
        resumed = train(*resumed)
    assert_same(resumed, state)


# -- which checkpoints stay


def test_keeps_the_last_and_the_best(tmp_path):
    losses = [5.0, 1.0, float("nan"), 1.0, 4.0, 2.0, 1.5]  # of equal ones the later
    with checkpoint.writer(tmp_path, keep=2) as write:
        for step, value in enumerate(losses):
            write(step, step, {"loss": value})
    assert checkpoint.steps(tmp_path) == [3, 5, 6]
    assert (checkpoint.best(tmp_path), checkpoint.latest(tmp_path)) == (3, 6)
    assert checkpoint.restore(tmp_path, 0, checkpoint.best(tmp_path)).tree == 3


def test_best_by_another_metric_and_across_runs(tmp_path):
    for steps in (0, 1), (2, 3):
        with checkpoint.writer(tmp_path, keep=1, monitor="auc", greater=True) as write:
            for step in steps:
                write(step, step, {"auc": [0.7, 0.9, 0.8, 0.6][step], "loss": 0.0})
    assert checkpoint.steps(tmp_path) == [1, 3]
    assert checkpoint.best(tmp_path) == 1


def test_without_metrics_none_is_best(tmp_path):
    with checkpoint.writer(tmp_path, keep=1) as write:
        for step in range(3):
            write(step, step, {"loss": float("inf")} if step == 1 else None)
    assert checkpoint.steps(tmp_path) == [2]
    assert checkpoint.best(tmp_path) is None


def test_no_folder_yet(tmp_path):
    assert checkpoint.steps(tmp_path / "none") == []
    assert checkpoint.latest(tmp_path / "none") is None
    assert checkpoint.best(tmp_path / "none") is None
    with pytest.raises(CheckpointError, match="none: holds no complete checkpoint"):
        checkpoint.restore(tmp_path / "none", 0)


def test_what_is_no_checkpoint_is_ignored(tmp_path):
    checkpoint.save(tmp_path, 5, 1)
    for name in "007", "notes", "6.unfinished", "9.deleting", "-1":
        (tmp_path / name).mkdir()
    (tmp_path / "8").write_text("a file")
    assert checkpoint.steps(tmp_path) == [5]
    assert checkpoint.restore(tmp_path, 0).step == 5
    checkpoint.save(tmp_path, 6, 2)  # cleans what a killed run left, and nothing else
    assert {entry.name for entry in tmp_path.iterdir()} == {"5", "6", "007", "notes", "-1", "8"}


# -- what cannot be saved


@pytest.mark.parametrize(
    "tree, message",
    [
        ({"f": len}, "f: found builtin_function_or_method, needs an array of numbers, a number or a string"),
        ({"a": [np.array(["x"])]}, "a/0: found an array of <U1, needs an array of numbers"),
        ({"a": np.array([None])}, "a: found an array of object, needs"),
        ({"a": {"b": 1}, "a/b": 2}, "a/b: two leaves have this path; rename one"),
    ],
)
def test_leaf_that_cannot_be_saved(tmp_path, tree, message):
    with pytest.raises(CheckpointError, match=message):
        checkpoint.save(tmp_path, 1, tree)
    assert checkpoint.steps(tmp_path) == []


@pytest.mark.parametrize(
    "data, message",
    [
        ({"at": (1, 2)}, "data: does not return from JSON as it was"),
        ({1: 2}, "data: does not return from JSON as it was"),
        ({"at": np.int64(3)}, "data: cannot be written as JSON: Object of type int64"),
        ({"at": float("nan")}, "data: cannot be written as JSON: Out of range float"),
    ],
)
def test_data_that_json_would_change(tmp_path, data, message):
    with pytest.raises(CheckpointError, match=message):
        checkpoint.save(tmp_path, 1, 0, data=data)


def test_steps_go_forward(tmp_path):
    checkpoint.save(tmp_path, 5, 0)
    for step in 5, 4:
        with pytest.raises(CheckpointError, match=f"holds step 5 already, step {step} cannot follow; resume"):
            checkpoint.save(tmp_path, step, 1)
    assert checkpoint.restore(tmp_path, 0).tree == 0


def test_keep_none(tmp_path):
    with pytest.raises(CheckpointError, match="keep: found 0, needs at least 1"):
        checkpoint.save(tmp_path, 1, 0, keep=0)


# -- what cannot be restored


# -- disks that fill, runs that are killed
