"""Training on a table that is read as it goes: the loop's part of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import jdl
from jdl.train import checkpoint
from jdl.train.recipe import RecipeError
from jdl.train.stream import Given, padded
from tests.data.streamed import KEY, files, opened
from tests.train import killed_stream
from tests.train.tiny import assert_same_bits, line, plain, regressor

loop = sys.modules["jdl.train.loop"]  # the package holds the function by this name


def test_a_run_that_is_killed_goes_on_to_the_same_end(tmp_path):
    table = files(tmp_path, [5, 4, 6], [3, 7])
    expected = killed_stream.train(table, tmp_path / "whole")
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.train.killed_stream",
        str(table),
        str(tmp_path / "run"),
    ]
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True) as child:
        while int(child.stdout.readline()) < killed_stream.STOP:
            pass
        os.kill(child.pid, signal.SIGKILL)
    stopped = checkpoint.latest(tmp_path / "run" / "checkpoints")
    assert stopped in (7, 9, 11)  # of 28 steps
    assert_same_bits(killed_stream.train(table, tmp_path / "run"), expected)
    logs = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("run", "whole")]
    assert logs[0] == logs[1]
    assert np.isfinite(expected.history["loss"]).all()
    assert expected.history["loss"][-1] < expected.history["loss"][0]


def test_another_table_cannot_go_on(tmp_path):
    batches = opened(files(tmp_path, [5, 4]))
    source = Given(regressor(), batches)
    assert source.get_state() == batches.get_state()
    files(tmp_path, [5, 5])
    with pytest.raises(jdl.data.DataError, match="stream: has 10 rows in 2 row groups, .* had 9 rows"):
        Given(regressor(), opened(tmp_path)).set_state(source.get_state())


def test_inner_folds_are_filled_up_with_the_batch(monkeypatch):
    monkeypatch.setattr("jdl.train.stream.check_data", lambda *_: None)
    batch = line(3) | {"fold": np.array([2, 0, 1], np.int32)}
    assert padded(batch, 5)["fold"].tolist() == [2, 0, 1, 1, 1]


def test_a_trial_of_placement_counts_all_steps_of_an_epoch(monkeypatch):
    """Of a source that knows its length; the first batch alone is a short run."""
    found = []
    monkeypatch.setattr(loop.place, "choose", lambda *given: found.append(given[3:]) or loop.place.on_one(""))
    batches = [line(8, seed=seed) for seed in range(5)]
    jdl.loop(regressor(epochs=1), KEY, batches)
    jdl.loop(regressor(epochs=1), KEY, iter(batches), devices=1)
    assert found == [(None, 5), (1, None)]


def test_the_number_of_devices_may_be_asked_for(tmp_path):
    batches = [line(8, seed=seed) for seed in range(2)]
    with pytest.raises(RecipeError, match="devices: found 3, needs 1 or all of the 4"):
        jdl.loop(regressor(), KEY, batches, devices=3)
    jdl.loop(regressor(epochs=1), KEY, batches, devices=1, directory=tmp_path)
    with pytest.raises(RecipeError, match="devices: found 4, but the run to resume began on 1"):
        jdl.loop(regressor(epochs=2), KEY, batches, devices=4, directory=tmp_path)


def test_a_long_stream_of_large_steps_is_tried_on_all_devices(monkeypatch):
    monkeypatch.setattr(loop.place, "STEP_WORTH_A_TRIAL", 0)
    tried = []
    monkeypatch.setattr(loop.place, "_trial", lambda *given: tried.append(given[3]) or [2.0, 1.0])
    recipe, batch = plain(batch_size=8), {"x": np.ones((8, 4), np.float32), "y": np.zeros(8, np.int32)}
    progress = jax.eval_shape(lambda: loop.begin(recipe, KEY, batch, False))
    assert not loop.place.choose(recipe, progress, batch).sharded
    assert loop.place.choose(recipe, progress, batch, None, 10**12).sharded and tried
