"""The benchmark of tables: its splits, its arithmetic, and that it takes up where it stopped."""

import importlib
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


def test_ties_share_their_ranks(module):
    report = module("tabular_report")
    assert report.ranks({"a": 0.9, "b": 0.7, "c": 0.9, "d": 0.1}, lower=False) == {
        "a": 1.5, "b": 3, "c": 1.5, "d": 4
    }  # fmt: skip
    assert report.ranks({"a": 2.0, "b": 1.0}, lower=True) == {"a": 2, "b": 1}


def test_verdict_is_the_difference_with_its_standard_error(module):
    report = module("tabular_report")
    ours, best = report.Summary(0.86, 0.003, 4), report.Summary(0.87, 0.004, 1)
    gain, error = report.verdict(ours, best, "accuracy")
    assert gain == pytest.approx(-0.01) and error == pytest.approx((0.003**2 / 4 + 0.004**2) ** 0.5)
    assert report.verdict(ours, best, "rmse")[0] == pytest.approx(0.01)
    alone = best._replace(sd=None)
    assert report.verdict(ours, alone, "auc")[1] == pytest.approx(0.003 * (1 / 4 + 1) ** 0.5)
    assert report.verdict(alone, alone, "auc")[1] is None


def test_a_run_holds_for_its_rows_and_versions_only(module, tmp_path):
    results = module("tabular_results").Results(tmp_path / "deep" / "results.json")
    results.tables["t"] = {"sha256": "rows"}
    run = {"table": "t", "contender": "c", "seed": 0, "versions": {"p": "1"}, "rows": "rows", "seconds": 1.0}
    results.add({**run, "seconds": 9.0})
    results.add(run)
    results.add({**run, "seed": 1, "rows": "others"})
    again = module("tabular_results").Results(results.path)
    assert [each["seconds"] for each in again.of("t", "c")] == [1.0, 1.0]
    assert again.holding("t", "c", {"p": "1"}) == again.holding("t", "c", None) == [run]
    assert again.holding("t", "c", {"p": "2"}) == []


def test_scores_are_of_the_right_class(module):
    scores, tables = module("tabular_peers.scores"), module("tables")
    pl = module("polars")
    rows = pl.DataFrame({"y": ["no", "no", "yes", "yes"]})
    table = tables.Table("t", "classification", "y", "auc", ("no", "yes"), rows, rows, BENCHMARKS)
    yes = np.array([0.1, 0.6, 0.4, 0.8])
    found, _ = scores.score(table, np.stack([1 - yes, yes], 1))
    assert (found["accuracy"], found["auc"]) == (0.5, 0.75)
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.8]).mean())
    with pytest.raises(ValueError, match=r"shape \(4,\)"):
        scores.score(table, yes)


def test_what_is_there_is_not_run_again(tmp_path):
    out = tmp_path / "results.json"
    command = [sys.executable, str(BENCHMARKS / "tabular.py"), "--tables", "wine", "--contenders", "linear"]
    first, second = (
        subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    line = "wine          linear                 0"
    assert line in first and "133 training and 45 test rows" in first
    assert line not in second and second.strip() == first.split("\n", 1)[1].strip()
