"""Checkpoints that are damaged, foreign or not there, and disks that are full."""

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

import jax
import jax.numpy as jnp
import pytest

from jdl.train import checkpoint
from jdl.train.checkpoint import CheckpointError
from tests.train.same import assert_same

ROOT = Path(__file__).parents[2]


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
