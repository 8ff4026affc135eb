"""``jdl demo``, on a few rows of its table, and what its report looks like."""

import io
import json
from pathlib import Path

import pytest

import jdl
from jdl import datasets
from jdl.cli import main, show


def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    train, test = datasets.adult()
    monkeypatch.setattr(datasets, "adult", lambda: (train[:1500], test[:400]))
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--json", "--epochs", "3"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["data"]["rows"] == {"train": 1500, "test": 400, "unlabelled": 0}
    assert facts["training"]["rows"] == {"train": 1350, "valid": 150}
    scores = facts["scores"]["of"]
    assert list(scores) == ["jdl", "trees", "logistic", "majority"]
    assert list(scores["jdl"]) == ["accuracy", "precision", "recall", "f1", "auc", "log_loss"]
    share = (test["income"][:400] == "<=50K").mean()
    assert scores["majority"]["accuracy"] == pytest.approx(share)
    assert scores["majority"]["auc"] == pytest.approx(0.5) and scores["logistic"]["auc"] > 0.85
    assert scores["trees"]["auc"] > 0.85
    assert scores["jdl"]["accuracy"] > scores["majority"]["accuracy"] and scores["jdl"]["auc"] > 0.85
    model = jdl.io.load("adult-model")
    assert model.metrics == scores["jdl"] and len(model.history) == 3


def test_tables_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    show.table("scores", ("", "auc"), [("jdl", 0.5), ("logistic regression", 1234.5)])
    assert capsys.readouterr().out.splitlines() == [
        "",
        "scores",
        "                           auc",
        "  jdl                   0.5000",
        "  logistic regression  1,234.5",
    ]


def test_tables_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdout", terminal)
    show.table("rows [bold]", ("name", "count"), [("[red]x", 1)])
    printed = terminal.getvalue()
    assert "rows [bold]" in printed and "[red]x" in printed and "─" in printed
