"""The metrics log and the progress line."""

import io
import json
import math
import os
import pty
import resource
import signal
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from jdl.train.log import metrics_log, progress


def lines(path):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_every_kind_of_value(tmp_path):
    path = tmp_path / "new" / "metrics.jsonl"
    values = {
        "jax": jnp.float32(0.1),
        "half": jnp.bfloat16(1.5),
        "numpy": np.float64(0.2),
        "count": np.int64(2**60),
        "array": np.array([1.0, np.nan, -np.inf]),
        "nan": math.nan,
        "text": "ä\n",
        "flag": np.bool_(True),
        "none": None,
    }
    with metrics_log(path) as append:
        append(jnp.int32(1), values)
    assert lines(path) == [
        {
            "step": 1,
            "jax": float(np.float32(0.1)),
            "half": 1.5,
            "numpy": 0.2,
            "count": 2**60,
            "array": [1.0, None, None],
            "nan": None,
            "text": "ä\n",
            "flag": True,
            "none": None,
        }
    ]


def test_lines_are_there_before_the_end(tmp_path):
    path = tmp_path / "m.jsonl"
    with metrics_log(path) as append:
        append(1, {"loss": 1.0})
        assert lines(path) == [{"step": 1, "loss": 1.0}]


@pytest.mark.parametrize(
    "after, kept", [(0, []), (1, [1]), (2, [1, 2, 2]), (3, [1, 2, 2, 3]), (9, [1, 2, 2, 3])]
)
@pytest.mark.parametrize("torn", ["", '{"step": 4, "lo', '{"step": 4}'])
def test_resuming_cuts_later_and_torn_lines(tmp_path, after, kept, torn):
    path = tmp_path / "m.jsonl"
    with metrics_log(path) as append:
        for step in 1, 2, 2, 3:
            append(step, {"loss": step})
    path.write_text(path.read_text() + torn)
    with metrics_log(path, after=after) as append:
        append(10, {})
    assert [line["step"] for line in lines(path)] == [*kept, 10]


def test_a_new_run_starts_anew_and_a_resumed_one_may_lack_the_file(tmp_path):
    path = tmp_path / "m.jsonl"
    for after in 5, None:
        with metrics_log(path, after=after) as append:
            append(1, {})
    assert lines(path) == [{"step": 1}]


@pytest.mark.parametrize("line", ["garbage", "[1]", '{"loss": 1}', "3"])
def test_a_file_that_is_no_log_stays_as_it_is(tmp_path, line):
    path = tmp_path / "m.jsonl"
    text = f'{{"step": 1}}\n{line}\n{{"step": 2}}\n'
    path.write_text(text)
    with pytest.raises(ValueError, match=r"m.jsonl: line 2 is no entry of a metrics log; move"):
        metrics_log(path, after=2).__enter__()
    assert path.read_text() == text


def test_step_is_no_metric(tmp_path):
    with (
        metrics_log(tmp_path / "m.jsonl") as append,
        pytest.raises(ValueError, match="the name 'step' is taken"),
    ):
        append(1, {"step": 3})


def test_full_disk_leaves_whole_lines(tmp_path):
    path, old = tmp_path / "m.jsonl", resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with metrics_log(path) as append:
        append(1, {"loss": 1.0})
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 5, old[1]))
        try:
            with pytest.raises(OSError, match="File too large: .*m.jsonl"):
                append(2, {"loss": 2.0})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        append(3, {"loss": 3.0})
    assert [line["step"] for line in lines(path)] == [1, 3]


PROGRESS = """
from jdl.train.log import progress
with progress(3) as show:
    for epoch in 1, 2, 3:
        show(epoch, {"loss": 0.123456, "histogram": [1, 2]})
import sys
print("rich" in sys.modules)
"""


def test_nothing_in_a_pipe(capfd):
    with progress(2) as show:
        show(1, {"loss": 0.5})
    with progress(2, io.StringIO()) as show:
        show(1, {"loss": 0.5})
    assert capfd.readouterr() == ("", "")


def test_one_line_on_a_terminal():
    terminal, end = pty.openpty()
    environ = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    child = subprocess.run([sys.executable, "-c", PROGRESS], stdout=subprocess.PIPE, stderr=end, env=environ)
    os.close(end)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert (child.returncode, child.stdout) == (0, b"True\n")
    assert "3/3" in shown and "loss 0.1235" in shown and "histogram" not in shown
    assert shown.count("\n") == 1
