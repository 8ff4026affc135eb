"""``jdl schema``, a schema edited by hand, several targets, and networks by name."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from jdl.cli import main

ROWS = 120


def price(value: float) -> str:
    return f"{value:,.2f} €".replace(",", "'")


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = np.random.default_rng(0)
    size = rng.normal(100, 30, ROWS)
    days = [f"{1 + i % 28:02d}.{1 + i % 12:02d}.2023" for i in range(ROWS)]
    frame = pl.DataFrame(
        {
            "key": [f"A{i:05d}" for i in range(ROWS)],
            "price": [
                f"{value:,.2f} €".replace(",", "'") if i % 9 else "n/a" for i, value in enumerate(size)
            ],
            "colour": [("Red", "red ", "blue")[i % 3] for i in range(ROWS)],
            "when": days,
            "sold": np.round(2 * size + rng.normal(0, 1, ROWS), 2),
            "left": np.round(50 - size + rng.normal(0, 1, ROWS), 2),
        }
    )
    monkeypatch.chdir(tmp_path)
    frame.write_csv("mixed.csv")
    return tmp_path / "mixed.csv"


def test_schema_says_what_each_column_is_and_why(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "mixed.csv", "--target", "sold"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "number" in lines["price"] and "€" in lines["price"]
    assert "category" in lines["colour"] and "2: Red, blue" in lines["colour"]
    assert "date" in lines["when"] and "%d.%m.%Y" in lines["when"]
    assert "dropped" in lines["key"] and "identifier" in lines["key"]
    assert "regression" in lines["sold"]


def test_schema_as_json_describes_a_table_without_a_target(mixed: Path, capsys) -> None:
    assert main(["schema", "mixed.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [part["name"] for part in found["dates"]] == ["when"] and "targets" not in found


def test_a_schema_edited_by_hand_is_what_fit_takes(mixed: Path, capsys) -> None:
    assert main(["schema", "mixed.csv", "--target", "sold", "--out", "schema.json"]) == 0
    body = json.loads(Path("schema.json").read_text())
    gone = body["numbers"].pop(1)  # the other target would tell the answer
    assert gone["name"] == "left"
    Path("schema.json").write_text(json.dumps(body))
    assert main(["fit", "mixed.csv", "--schema", "schema.json", "--model", "linear", "--out", "model"]) == 0
    told = capsys.readouterr().out
    assert "network     linear" in told and "left" not in told.split("columns, as inferred")[1]
    assert main(["predict", "model", "mixed.csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "prediction"
    Path("schema.json").write_text("{}")
    assert main(["fit", "mixed.csv", "--schema", "schema.json"]) == 2
    assert capsys.readouterr().err.startswith("jdl: schema.json: schema: found")


def test_several_targets_from_file_to_prediction(mixed: Path, capsys) -> None:
    fit = ["fit", "mixed.csv", "--target", "sold", "left", "--model", "linear", "--json", "--out", "model"]
    assert main(fit) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]["of"]
    assert scores["jdl"]["r2"] > 0.5 > scores["mean"]["r2"]
    assert main(["predict", "model", "mixed.csv", "--out", "out.csv"]) == 0
    found, table = pl.read_csv("out.csv"), pl.read_csv("mixed.csv")
    assert found.columns == ["prediction_sold", "prediction_left"]
    assert np.corrcoef(found["prediction_left"], table["left"])[0, 1] > 0.7


def test_an_unknown_network_is_named_before_the_work(mixed: Path, capsys) -> None:
    assert main(["fit", "mixed.csv", "--target", "sold", "--model", "realmpl"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("jdl: network: found 'realmpl', needs one of linear, mlp,")
    assert not Path("mixed-model").exists()
