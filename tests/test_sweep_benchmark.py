"""The benchmark of sweeps: how a loop's share is scaled up, what it trains, ratios and processor time."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def module():
    """Import a module of the benchmarks, which lie outside every package."""
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module
    sys.path.remove(str(BENCHMARKS))


def record(cold, warm, fixed=(0.0, 0.0), rates=4):
    return {"cold": cold, "warm": warm, "fixed": fixed, "rates": rates, "accuracy": [0.5, 0.9]}


def test_only_what_grows_with_the_configurations_is_scaled(module):
    scaled = module("sweep_report").scaled
    assert scaled(record((9.0, 8.0), (5.0, 6.0)), 4) == (9.0, 5.0, 8.0, 6.0)
    # Of 5 s warm 1 s is done once: 4 s for a quarter of the configurations are 16 s for all, in 17 s.
    # Cold there are 4 s more, once.
    quarter = record((9.0, 8.0), (5.0, 6.0), (1.0, 2.0), rates=1)
    assert scaled(quarter, 4) == (21.0, 17.0, 20.0, 18.0)


def test_a_share_is_evenly_spaced_and_all_of_it_is_everything(module, tmp_path):
    cases = module("sweep_peers.cases")
    cases.write("digits", tmp_path)
    case = cases.load("digits", cases.SIZES["digits"], tmp_path)
    assert case.some(32) == case and len(case.members) == 320
    assert case.some(2).rates == (case.rates[8], case.rates[24])
    held = np.concatenate([held for _, held in case.folds])
    assert sorted(held) == list(range(1797))
    assert case.some(2).by_configuration(np.repeat([0.25, 0.75], 10)).tolist() == [0.25, 0.75]


def test_ratios_are_of_the_same_turn(module):
    report = module("sweep_report")
    size = {"rates": 4, "seeds": 1, "widths": [8], "epochs": 1, "batch": 8}
    ours = [record((2.0, 2.0), (1.0, 1.0)), record((4.0, 4.0), (10.0, 1.0)), record((2.0, 2.0), (1.0, 1.0))]
    loop = [record((8.0, 8.0), (6.0, 6.0)), record((8.0, 8.0), (70.0, 6.0)), record((2.0, 2.0), (8.0, 8.0))]
    contenders = {"jdl": ours, "torch-loop": loop, "skorch-grid": [{"failed": True}]}
    text = "\n".join(report.section("digits", {"size": size, "contenders": contenders}, report.NEEDED))
    assert "- warm, to the fastest loop (torch-loop): 7.00, needs 6.0" in text
    assert "- cold, to the fastest of all (torch-loop): 2.00, needs 1.0" in text
    assert "Failed: skorch-grid." in text
    assert "| torch-loop | 8.00 | 2.00 | 8.00 | 7.00 |" in text


def test_processor_time_holds_that_of_children_alive(module):
    cost = module("sweep_peers.cost")
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc")
    began = cost.cpu_seconds(os.getpid())
    code = "import sys\nfor i in range(3_000_000): pass\nprint(flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        assert cost.cpu_seconds(child.pid) > 0.02
        spent = cost.cpu_seconds(os.getpid()) - began
        child.stdin.close()
    assert spent >= 0.02
