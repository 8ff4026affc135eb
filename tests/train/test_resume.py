"""A run that is stopped and taken up again is the run that was never stopped, to the last bit."""

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
import numpy as np
import pytest

import jdl
from jdl.train import CheckpointError, checkpoint
from jdl.train.recipe import RecipeError
from tests.train import killed
from tests.train.tiny import KEY, assert_same_bits, classifier, line, plain, regressor, table

pytestmark = pytest.mark.usefixtures("optimised")  # programs are compared bit for bit
loop = sys.modules["jdl.train.loop"]  # the package holds the function by this name


def carry(recipe, folder, data, validated=False, step=None):
    """All that a checkpoint holds, the optimizer's state too."""
    like = jax.eval_shape(loop._start(recipe, validated), KEY, data, None)
    return checkpoint.restore(Path(folder) / "checkpoints", like, step)


@pytest.mark.slow
def test_from_every_checkpoint_of_every_epoch(tmp_path):
    """Also in the middle of an epoch, where the metrics so far must be taken up as well."""
    data, valid = table(50), table(20, seed=1)
    recipe = classifier(patience=1, ema=0.9)
    options = {"steps_per_dispatch": 1, "checkpoint_every": 1, "keep": 100}
    expected = jdl.loop(recipe, KEY, data, valid, directory=tmp_path / "whole", **options)
    log = (tmp_path / "whole" / "metrics.jsonl").read_text()
    final = carry(recipe, tmp_path / "whole", data, True).tree
    made = checkpoint.steps(tmp_path / "whole" / "checkpoints")
    assert made == list(range(1, 13))  # four batches, three epochs
    for stopped in made:
        folder = tmp_path / str(stopped)
        shutil.copytree(tmp_path / "whole", folder)
        for later in made[stopped:]:
            shutil.rmtree(folder / "checkpoints" / str(later))
        assert_same_bits(jdl.loop(recipe, KEY, data, valid, directory=folder, **options), expected)
        assert_same_bits(carry(recipe, folder, data, True).tree, final)
        assert (folder / "metrics.jsonl").read_text() == log


def test_a_run_may_be_given_more_epochs(tmp_path):
    data = line(20)
    jdl.loop(regressor(epochs=2), KEY, data, data, directory=tmp_path)
    longer = jdl.loop(regressor(epochs=4), KEY, data, data, directory=tmp_path)
    assert_same_bits(longer, jdl.loop(regressor(epochs=4), KEY, data, data))
    with pytest.raises(
        CheckpointError, match="holds a run of 4 epochs, Recipe.epochs is 3; use another folder"
    ):
        jdl.loop(regressor(epochs=3), KEY, data, data, directory=tmp_path)


class Resumable:
    def __init__(self, batches, fail_at=None):
        self.batches, self.at, self.fail_at, self.drawn = batches, 0, fail_at, 0

    def get_state(self):
        return {"at": self.at}

    def set_state(self, state):
        self.at = state["at"]

    def __iter__(self):
        while self.at < len(self.batches):
            if self.drawn == self.fail_at:
                raise ConnectionError("the store is gone")
            self.drawn += 1
            self.at += 1
            yield self.batches[self.at - 1]
        self.at = 0


@pytest.mark.parametrize("fail_at", [2, 5, 7, 11])
def test_a_source_with_a_state_is_taken_up_where_it_stood(tmp_path, fail_at):
    batches, recipe = [line(8, seed=seed) for seed in range(5)], regressor()
    options = {"steps_per_dispatch": 2, "checkpoint_every": 1}
    expected = jdl.loop(recipe, KEY, Resumable(batches), **options)
    with pytest.raises(ConnectionError):
        jdl.loop(recipe, KEY, Resumable(batches, fail_at), directory=tmp_path, **options)
    assert_same_bits(jdl.loop(recipe, KEY, Resumable(batches), directory=tmp_path, **options), expected)


def test_a_source_without_a_state_is_taken_up_at_an_epoch(tmp_path):
    batches, recipe = [line(8, seed=seed) for seed in range(5)], regressor()
    options = {"steps_per_dispatch": 1, "checkpoint_every": 1}
    expected = jdl.loop(recipe, KEY, batches, **options)

    def stop(step, row):
        if step == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jdl.loop(recipe, KEY, batches, directory=tmp_path, callbacks=(stop,), **options)
    assert checkpoint.steps(tmp_path / "checkpoints") == [5]
    assert_same_bits(jdl.loop(recipe, KEY, batches, directory=tmp_path, **options), expected)


def test_a_run_stays_on_the_devices_where_it_began(tmp_path, monkeypatch):
    """A trial might choose otherwise now, and other devices give other last digits."""
    data, recipe = table(48), plain()

    def stop(step, row):
        if step == 5:
            raise KeyboardInterrupt

    placed = loop.place.on_all("")
    monkeypatch.setattr(loop.place, "choose", lambda *_: placed)
    options = {"steps_per_dispatch": 1, "checkpoint_every": 1}
    expected = jdl.loop(recipe, KEY, data, **options)
    with pytest.raises(KeyboardInterrupt):
        jdl.loop(recipe, KEY, data, directory=tmp_path, callbacks=(stop,), **options)
    monkeypatch.setattr(loop.place, "choose", None)  # is not asked
    assert_same_bits(jdl.loop(recipe, KEY, data, directory=tmp_path, **options), expected)


def test_other_data_another_batch_size_or_another_recipe(tmp_path):
    data = line(20)
    jdl.loop(regressor(), KEY, data, directory=tmp_path)
    with pytest.raises(
        RecipeError, match="data: has 21 rows in batches of 8, but the run to resume had 20 rows"
    ):
        jdl.loop(regressor(), KEY, line(21), directory=tmp_path)
    with pytest.raises(RecipeError, match="data: has 20 rows in batches of 4, but the run to resume had"):
        jdl.loop(regressor(batch_size=4), KEY, data, directory=tmp_path)
    with pytest.raises(
        CheckpointError, match=r"train/params/b' is float32\[1\], the tree needs float32\[2\]"
    ):
        wide = {"x": data["x"], "y": np.repeat(data["y"], 2, 1)}
        jdl.loop(regressor(network=jdl.nn.dense(2)), KEY, wide, directory=tmp_path)
    with pytest.raises(CheckpointError, match="lacks 'progress/train/opt_state/step', which"):
        jdl.loop(regressor(optimizer=jdl.optim.sgd(0.1, 0.9)), KEY, data, directory=tmp_path)
    with pytest.raises(CheckpointError, match="lacks '.*best"):
        jdl.loop(regressor(), KEY, data, data, directory=tmp_path)


def test_a_half_written_checkpoint_is_no_checkpoint(tmp_path):
    data, folder = line(20), tmp_path / "checkpoints"
    expected = jdl.loop(regressor(), KEY, data)
    jdl.loop(regressor(), KEY, data, directory=tmp_path, keep=3)
    assert checkpoint.steps(folder) == [3, 6, 9]
    (folder / "9").rename(folder / "9.unfinished")  # it gets its number once it is whole
    assert_same_bits(jdl.loop(regressor(), KEY, data, directory=tmp_path, keep=3), expected)
    assert sorted(entry.name for entry in folder.iterdir()) == ["3", "6", "9"]


def test_a_damaged_checkpoint_is_an_error(tmp_path):
    data = line(20)
    jdl.loop(regressor(), KEY, data, directory=tmp_path)
    path = tmp_path / "checkpoints" / "9" / "checkpoint.json"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        CheckpointError, match="checkpoints/9: not a whole checkpoint: .*; delete this folder"
    ):
        jdl.loop(regressor(), KEY, data, directory=tmp_path)


def test_a_full_disk_leaves_the_last_checkpoint_good(tmp_path):
    data = line(20)
    recipe = regressor(network=jdl.nn.chain(jdl.nn.dense(5000), jdl.nn.dense(1)))
    expected = jdl.loop(recipe, KEY, data)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(step, row):
        if row["epoch"] == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))

    try:
        with pytest.raises(
            CheckpointError, match="checkpoint not written: the disk is full .* free some space"
        ):
            jdl.loop(recipe, KEY, data, directory=tmp_path, callbacks=(fill,))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert checkpoint.latest(tmp_path / "checkpoints") is None or carry(recipe, tmp_path, data).step == 3
    assert_same_bits(jdl.loop(recipe, KEY, data, directory=tmp_path), expected)


def lives(folder, cache, deaths, seed=0):
    """Start the run again and again, and kill it at a random moment; the step each life was seen to reach."""
    chance = random.Random(seed)
    command = [sys.executable, "-W", "ignore", "-m", "tests.train.killed", str(folder), str(cache)]
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(
        command, cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        for _ in range(deaths):
            server.stdin.write("\n")
            server.stdin.flush()
            child = int(server.stdout.readline())
            for _ in range(chance.randint(1, 5)):
                step = int(server.stdout.readline())
            time.sleep(chance.uniform(0, 0.05))  # it trains on, or writes
            os.kill(child, signal.SIGKILL)
            while server.stdout.readline() != "dead\n":
                pass
            yield step
        server.stdin.close()


@pytest.mark.slow
def test_twenty_kills_leave_no_trace(tmp_path):
    expected = killed.train(tmp_path / "whole")
    reached = list(lives(tmp_path / "killed", tmp_path / "cache", deaths=20))
    assert reached[-1] > reached[0]
    assert (
        checkpoint.latest(tmp_path / "killed" / "checkpoints") or 0
    ) < 8 * 25  # none of them came to the end
    assert_same_bits(killed.train(tmp_path / "killed"), expected)
    found, needed = (
        carry(killed.recipe(), tmp_path / name, killed.data(61, 0), True) for name in ("killed", "whole")
    )
    assert_same_bits(found.tree, needed.tree)
    assert (found.metrics, found.data) == (needed.metrics, needed.data)
    logs = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("killed", "whole")]
    assert logs[0] == logs[1]
    names = [
        sorted(entry.name for entry in (tmp_path / name / "checkpoints").iterdir())
        for name in ("killed", "whole")
    ]
    assert names[0] == names[1]
