"""An exported model: run by JAX alone, in a process that has no jdl, it says what the model says."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest

import jdl
from jdl import io

SCRIPT = """
import json, sys
import jax, numpy as np
folder, out = sys.argv[1:]
called = jax.export.deserialize(open(f"{folder}/model.stablehlo", "rb").read()).call
rows = json.load(open(f"{folder}/rows.json"))
text = lambda value: np.frombuffer((value or "").encode().ljust(64, b"\\0"), np.uint8)
found = called({"x": np.array(rows["x"], np.float32), "town": np.stack([text(one) for one in rows["town"]])})
np.savez(out, **found)
assert "jdl" not in sys.modules
"""


def fitted(frame, target, network="mlp_plr"):
    schema = jdl.data.infer_schema(frame, target)
    recipe, hyper = jdl.models.recipe(schema, rows=frame.height, network=network)
    data = {"x": schema.encode(frame), "y": schema.encode_target(frame)}
    run = jdl.run(recipe, hyper | {"epochs": 3}, jax.random.key(0), data)
    return io.Model.of(schema, network, hyper, run)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    x = np.where(rng.random(200) < 0.2, np.nan, rng.normal(size=200))
    town = rng.choice(["Århus", "Aarhus", "Bath"], 200)
    y = np.where(town == "Bath", "yes", np.where(rng.random(200) < 0.5, "no", "perhaps"))
    return pl.DataFrame({"x": x, "town": town, "y": y}).with_columns(pl.col("x").fill_nan(None))


def test_it_runs_without_jdl(frame, tmp_path: Path):
    model = fitted(frame, "y")
    io.export(model, tmp_path / "model.stablehlo")
    asked = {"x": [0.5, None, -1.0, 2.0], "town": ["Bath", "Århus", None, "Rome"]}
    (tmp_path / "rows.json").write_text(json.dumps(asked | {"x": [0.5, float("nan"), -1.0, 2.0]}))
    out = tmp_path / "found.npz"
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(out)]
    subprocess.run(command, check=True, cwd=tmp_path)
    found, needed = np.load(out), model.predict_table(asked)
    np.testing.assert_allclose(found["probability"], needed.to_numpy()[:, 1:].astype(float), atol=1e-6)
    names = json.loads((tmp_path / "model.stablehlo.json").read_text())["classes"]
    assert [names[i] for i in found["prediction"]] == needed["prediction"].to_list()


def test_numbers_come_in_their_own_units(frame, tmp_path: Path):
    numbers = frame.with_columns(y=1000 + 50 * pl.col("x").fill_null(0) + 0.5)
    model = fitted(numbers, "y", "linear")
    io.export(model, tmp_path / "m", platforms=("cpu",))
    called = jax.export.deserialize((tmp_path / "m").read_bytes()).call
    x = np.array([0.1, 0.2], np.float32)
    found = called({"x": x, "town": io.as_bytes(["Bath", "Bath"])})["prediction"]
    needed = model.predict_table({"x": x.tolist(), "town": ["Bath", "Bath"]})["prediction"]
    np.testing.assert_allclose(found, needed.to_numpy(), rtol=1e-5)


def test_what_has_no_type_there_is_named(frame, tmp_path: Path):
    dated = frame.with_columns(day=pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 7, 18), eager=True)[:200])
    with pytest.raises(io.ModelError, match="export: column 'day' is a date, which an exported model"):
        io.export(fitted(dated, "y", "linear"), tmp_path / "m")
    long = frame.with_columns(town=pl.when(pl.col("town") == "Bath").then(pl.lit("B" * 70)).otherwise("town"))
    with pytest.raises(io.ModelError, match="has 70 bytes, needs at most 64"):
        io.export(fitted(long, "y", "linear"), tmp_path / "m")
    far = frame.with_columns(x=pl.col("x") + 1e9)
    with pytest.raises(io.ModelError, match="column 'x' needs more digits than float32 has"):
        io.export(fitted(far, "y", "linear"), tmp_path / "m")
    assert not (tmp_path / "m").exists()
