"""Checkpoints: bit for bit, whole or absent, and every failure said plainly."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
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

ROOT = Path(__file__).parents[2]


class Pair(NamedTuple):
    first: object
    second: object


def assert_same(found, expected):
    """The same structure, and in every leaf the same type and bits."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert type(a) is type(b)
        if not hasattr(b, "dtype"):
            assert repr(a) == repr(b)
            continue
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if jax.dtypes.issubdtype(b.dtype, jax.dtypes.prng_key):
            assert jax.random.key_impl(a) == jax.random.key_impl(b)
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


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


@pytest.mark.parametrize(
    "like, message",
    [
        (
            {"w": jnp.ones((5, 64)), "b": jnp.ones(3)},
            r"'w' is float32\[6, 64\], the tree needs float32\[5, 64\]",
        ),
        ({"w": jnp.ones((6, 64), int), "b": jnp.ones(3)}, r"'w' is float32\[6, 64\], the tree needs int32"),
        ({"w": jnp.ones((6, 64)), "b": 3.0}, r"'b' is float32\[3\], the tree needs float$"),
        ({"w": jnp.ones((6, 64)), "c": jnp.ones(3)}, "lacks 'c', which the tree needs; it has 'b' instead"),
        ({"w": jnp.ones((6, 64)), "b": jnp.ones(3), "c": 1}, "lacks 'c', which the tree needs$"),
        ({"w": jnp.ones((6, 64))}, "has 'b', which the tree lacks"),
    ],
)
def test_another_tree(tmp_path, like, message):
    checkpoint.save(tmp_path, 1, {"w": jnp.ones((6, 64)), "b": jnp.ones(3)})
    with pytest.raises(CheckpointError, match=f"{tmp_path}/1: {message}"):
        checkpoint.restore(tmp_path, like)


def test_a_key_of_another_kind(tmp_path):
    checkpoint.save(tmp_path, 1, {"key": jax.random.key(0)})
    with pytest.raises(CheckpointError, match=r"'key' is key<fry>\[\], the tree needs uint32\[2\]"):
        checkpoint.restore(tmp_path, {"key": jax.random.PRNGKey(0)})


def test_a_step_that_is_not_there(tmp_path):
    with checkpoint.writer(tmp_path) as write:
        write(1, 0)
        write(2, 0)
    with pytest.raises(CheckpointError, match="has no step 3, only 1, 2"):
        checkpoint.restore(tmp_path, 0, 3)


def test_a_file_in_place_of_the_folder(tmp_path):
    path = tmp_path / "file"
    path.write_text("x")
    for attempt in (checkpoint.latest, lambda path: checkpoint.save(path, 1, 0)):
        with pytest.raises(CheckpointError, match="file: found a file, needs a folder of checkpoints"):
            attempt(path)


def test_a_foreign_folder(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "model.bin").write_text("x")
    message = (
        r"7: not a whole checkpoint: no checkpoint.json among its files \(model.bin\); delete this folder"
    )
    for attempt in (
        lambda: checkpoint.restore(tmp_path, 0),
        lambda: checkpoint.best(tmp_path),
        lambda: checkpoint.save(tmp_path, 8, 0),
    ):
        with pytest.raises(CheckpointError, match=message):
            attempt()


def test_another_format(tmp_path):
    from jdl.train import _store

    _store.write(tmp_path / "1", {"format": "x"}, {})
    path = tmp_path / "1" / "checkpoint.json"
    body = json.loads(path.read_text()) | {"format": "jdl checkpoint 9"}
    del body["crc32"]
    path.write_text(json.dumps(body | {"crc32": _store._crc(body)}))
    with pytest.raises(
        CheckpointError, match="found 'jdl checkpoint 9', this version reads 'jdl checkpoint 1'"
    ):
        checkpoint.restore(tmp_path, 0)


def damages(path):
    """Every way a file can be hurt: a bit, its end, all of it, the whole file."""
    whole = path.read_bytes()
    middle = len(whole) // 2
    yield lambda: path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    yield lambda: path.write_bytes(whole[:middle])
    yield lambda: path.write_bytes(b"")
    yield path.unlink


def test_damage_to_any_file_is_found(tmp_path, capfd):
    tree = {"w": jnp.arange(12.0).reshape(3, 4), "n": 3}
    checkpoint.save(tmp_path, 1, tree, {"loss": 0.5}, {"row": 1})
    checkpoint.save(tmp_path, 2, tree)
    files = [path for path in (tmp_path / "2").rglob("*") if path.is_file()]
    assert len(files) > 3
    for path in files:
        whole = path.read_bytes()
        for damage in damages(path):
            damage()
            with pytest.raises(
                CheckpointError, match=f"{tmp_path}/2: not a whole checkpoint: .*; delete this"
            ) as found:
                checkpoint.restore(tmp_path, tree)
            assert path.name in str(found.value) and len(str(found.value).splitlines()) == 1
            assert_same(checkpoint.restore(tmp_path, tree, 1).tree, tree)
            path.write_bytes(whole)
    assert_same(checkpoint.restore(tmp_path, tree).tree, tree)
    assert capfd.readouterr() == ("", "")


def test_deleting_the_damaged_folder_leads_on(tmp_path):
    checkpoint.save(tmp_path, 1, 10)
    checkpoint.save(tmp_path, 2, 20)
    (tmp_path / "2" / "checkpoint.json").write_text("{")
    with pytest.raises(CheckpointError, match="checkpoint.json cannot be read; delete this folder"):
        checkpoint.restore(tmp_path, 0)
    shutil.rmtree(tmp_path / "2")
    assert checkpoint.restore(tmp_path, 0)[:2] == (1, 10)


# -- disks that fill, runs that are killed


def limit_file_size(size):
    """Let no file grow beyond `size`, as a full disk does; the old limit returns with the test."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.fixture
def small_disk():
    yield limit_file_size
    limit_file_size(resource.getrlimit(resource.RLIMIT_FSIZE)[1])


@pytest.mark.parametrize("size", [40_000, 1_000, 300, 0])
def test_full_disk(tmp_path, small_disk, capfd, size):
    small, large = jnp.arange(3.0), jax.random.normal(jax.random.key(0), (200, 200))
    checkpoint.save(tmp_path, 1, small)
    with checkpoint.writer(tmp_path) as write:
        small_disk(size)
        write(2, large)
        with pytest.raises(CheckpointError) as found:
            write(3, large)
        small_disk(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        assert str(found.value) == (
            f"{tmp_path}/2: checkpoint not written: the disk is full (File too large); free some space, "
            "or use another folder; the checkpoints before it are unharmed"
        )
        assert [entry.name for entry in tmp_path.iterdir()] == ["1"]
        assert_same(checkpoint.restore(tmp_path, small).tree, small)
        write(4, large)  # there is space again
    assert_same(checkpoint.restore(tmp_path, large).tree, large)
    assert capfd.readouterr() == ("", "")


def test_failure_of_the_last_save_is_not_lost(tmp_path, small_disk):
    with pytest.raises(CheckpointError, match="the disk is full"), checkpoint.writer(tmp_path) as write:
        small_disk(100)
        write(1, jnp.ones(1000))
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="checkpoint not written: Not a directory"):
        checkpoint.save(tmp_path / "file" / "inner", 1, 0)


SAVING = """
import sys, jax.numpy as jnp
from jdl.train import checkpoint
folder = sys.argv[1]
first = (checkpoint.latest(folder) or 0) + 1
with checkpoint.writer(folder) as write:
    print("saving", flush=True)
    for step in range(first, 10_000):
        write(step, {"w": jnp.full((50, 50), step), "n": step}, {"loss": 1 / step}, {"row": step})
"""


@pytest.mark.slow
def test_killed_at_any_time(tmp_path):
    folder, chance = tmp_path / "run", random.Random(0)
    like = {"w": jax.ShapeDtypeStruct((50, 50), jnp.int32), "n": 0}
    reached = [0]
    for _ in range(10):
        with subprocess.Popen(
            [sys.executable, "-c", SAVING, folder],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ) as child:
            assert child.stdout.readline() == b"saving\n"
            time.sleep(chance.uniform(0.5, 1.5))  # the first save imports Orbax
            child.send_signal(signal.SIGKILL)
            assert child.wait() == -signal.SIGKILL
        for step in checkpoint.steps(folder):
            found = checkpoint.restore(folder, like, step)
            assert (found.tree["n"], found.data, found.metrics) == (step, {"row": step}, {"loss": 1 / step})
            assert (found.tree["w"] == step).all()
        reached.append(checkpoint.latest(folder) or 0)
    assert reached == sorted(reached) and reached[-1] > 10
    with checkpoint.writer(folder):
        pass
    assert {entry.name for entry in folder.iterdir()} == {str(step) for step in checkpoint.steps(folder)}
