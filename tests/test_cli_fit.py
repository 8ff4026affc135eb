"""``jdl fit`` and ``jdl predict`` from end to end, on real tables and on one of every kind of column."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import accuracy_score, f1_score, r2_score, roc_auc_score

from jdl import io
from jdl.cli import main
from jdl.data import holdout


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


@pytest.fixture
def cancer(tmp_path: Path) -> Path:
    found = load_breast_cancer()
    names = [name.replace(" ", "_") for name in found.feature_names]
    kinds = [("malignant", "benign")[label] for label in found.target]
    frame = pl.DataFrame({name: found.data[:, i] for i, name in enumerate(names)} | {"kind": kinds})
    frame.write_csv(tmp_path / "cancer.csv")
    return tmp_path / "cancer.csv"


def test_cancer(cancer: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cancer.parent)
    printed = run(capsys, "fit", cancer, "--target", "kind", "--epochs", 25, "--seed", 3)
    for expected in (
        r"rows +455 to learn from, 114 held out",
        r"target +kind: classification \(text with 2 values\)",
        r"classes +benign 62.\d%, malignant 37.\d%",
        r"compile +\d+\.\d s",
        r"training +\d+\.\d s, [\d,]+ rows/s",
        r"placement +one device: ",
        r"saved\n +model +cancer-model\n",
    ):
        assert re.search(expected, printed), expected
    page = (cancer.parent / "cancer-model" / "report.html").read_text()
    assert "logistic regression" in page and f"Made by: jdl fit {cancer}" in page
    assert run(capsys, "report", "cancer-model", cancer, "--out", "all.html") == "written to all.html\n"
    assert "judged on 569." in (cancer.parent / "all.html").read_text()
    table = run(capsys, "predict", "cancer-model", cancer)
    found = pl.read_csv(table.encode())
    assert found.columns == ["prediction", "probability_benign", "probability_malignant"]
    frame = pl.read_csv(cancer)
    # The scores are those that scikit-learn gives the predictions of the rows that were held out.
    codes = (frame["kind"] == "malignant").to_numpy()
    test = holdout(codes.astype(int), 0.2, 3)[1]
    said = {name: float(x) for name, x in zip(*[line.split() for line in score_lines(printed)], strict=True)}
    assert said["accuracy"] >= 0.93
    guess = (found["prediction"] == "malignant").to_numpy()[test]
    assert said["accuracy"] == pytest.approx(accuracy_score(codes[test], guess), abs=1e-4)
    assert said["f1"] == pytest.approx(f1_score(codes[test], guess), abs=1e-4)
    area = roc_auc_score(codes[test], found["probability_malignant"].to_numpy()[test])
    assert said["auc"] == pytest.approx(area, abs=1e-4)


def score_lines(printed: str) -> tuple[str, str]:
    """Give the names of the scores, and jdl's."""
    lines = printed[printed.index("scores on") :].splitlines()
    return lines[1], lines[2].replace("jdl", "", 1)


def test_diabetes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = load_diabetes()
    frame = pl.DataFrame({f"x{i}": found.data[:, i] for i in range(10)} | {"progress": found.target})
    frame.write_parquet(tmp_path / "diabetes.parquet")
    out = tmp_path / "deep" / "model"
    printed = run(
        capsys, "fit", tmp_path / "diabetes.parquet", "--target", "progress",
        "--out", out, "--epochs", 20, "--json",
    )  # fmt: skip
    facts = json.loads(printed)
    assert list(facts) == ["data", "training", "scores", "saved"]
    assert facts["data"]["task"] == "regression" and facts["data"]["classes"] == {}
    assert facts["data"]["rows"] == {"train": 354, "test": 88, "unlabelled": 0}
    assert facts["training"]["compile_seconds"] > 0 and facts["training"]["rows_per_second"] > 0
    scores = facts["scores"]["of"]
    assert (
        list(scores) == ["jdl", "trees", "ridge", "mean"]
        and scores["jdl"]["r2"] > 0.25 > scores["mean"]["r2"]
    )
    frame[:9].write_csv(tmp_path / "few.csv")
    run(capsys, "predict", out, tmp_path / "few.csv", "--out", tmp_path / "few.parquet")
    few = pl.read_parquet(tmp_path / "few.parquet")
    assert few.columns == ["prediction"] and few.height == 9
    everything = io.load(out).predict_table(frame)["prediction"].to_numpy()
    np.testing.assert_allclose(few["prediction"], everything[:9], rtol=1e-5)
    test = holdout(found.target, 0.2, 0, stratify=False)[1]
    score = r2_score(found.target[test], everything[test])
    assert scores["jdl"]["r2"] == pytest.approx(score, abs=1e-4)
    error = np.sqrt(np.mean((found.target[test] - everything[test]) ** 2))
    assert scores["jdl"]["rmse"] == pytest.approx(error, rel=1e-4)


def mixed() -> pl.DataFrame:
    """Three classes named by whole numbers, and columns of every kind, with gaps."""
    rng = np.random.default_rng(0)
    size, colour = rng.normal(5, 2, 150), rng.choice(["red", "green", "blue"], 150)
    size[::10], size[7] = np.nan, np.inf
    days = np.arange("2024-01-01", "2024-05-30", dtype="datetime64[D]")
    label = 10 * (1 + (np.nan_to_num(size, posinf=9) > 5) + (colour == "red"))
    return pl.DataFrame(
        {
            "size": size,
            "colour": [None if i % 11 == 0 else name for i, name in enumerate(colour)],
            "day": days,
            "open": rng.integers(0, 2, 150).astype(bool),
            "empty": pl.Series([None] * 150, dtype=pl.Float64),
            "same": ["x"] * 150,
            "label": [None if i < 5 else int(value) for i, value in enumerate(label)],
        }
    )


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    mixed().write_csv(folder / "mixed.csv")
    assert main(["fit", str(folder / "mixed.csv"), "--target", "label", "--out", str(folder / "model")]) == 0
    return folder


def test_every_kind_of_column(fitted: Path) -> None:
    model = io.load(fitted / "model")
    assert [column.name for column in model.schema.numbers] == ["size", "open"]
    assert [column.name for column in model.schema.dates] == ["day"]
    assert [column.name for column in model.schema.categories] == ["colour"]
    assert {column.name for column in model.schema.dropped} == {"empty", "same"}
    assert model.schema.classes == (10, 20, 30)
    assert model.metrics["accuracy"] > 0.6
    assert model.data["rows"] == 116 and len(model.data["sha256"]) == 64
    assert len(model.history) == model.hyper["epochs"]


def test_predictions_have_the_classes_own_type(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = fitted / "out.parquet"
    run(capsys, "predict", fitted / "model", fitted / "mixed.csv", "--out", out)
    found = pl.read_parquet(out)
    assert found.columns == ["prediction", "probability_10", "probability_20", "probability_30"]
    assert found["prediction"].dtype == pl.Int64 and set(found["prediction"]) <= {10, 20, 30}
    assert found.height == 150
    np.testing.assert_allclose(found[:, 1:].sum_horizontal(), 1, rtol=1e-5)


def test_rows_with_new_levels_and_gaps(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (fitted / "new.csv").write_text("colour,size,day,open\nviolet,?,2030-01-01,true\n,,,\n")
    found = pl.read_csv(run(capsys, "predict", fitted / "model", fitted / "new.csv").encode())
    assert found.height == 2 and found.null_count().sum_horizontal().item() == 0


def test_a_model_is_the_same_for_the_same_seed(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("fit", fitted / "mixed.csv", "--target", "label", "--json", "--out", fitted / "second")
    facts = json.loads(run(capsys, *command))
    assert "column 'size': 1 infinite values are read as missing" in facts["data"]["notes"]
    assert facts["data"]["rows"]["unlabelled"] == 5
    first, second = io.load(fitted / "model"), io.load(fitted / "second")
    table = pl.read_csv(fitted / "mixed.csv")
    assert first.predict_table(table).equals(second.predict_table(table))
    assert first.metrics == second.metrics
