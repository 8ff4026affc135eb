"""An exported model: run by JAX alone, in a process that has no jdl, it says what the model says."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import onnxruntime
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

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


def test_dates_texts_and_numbers_far_from_0_are_read_exactly(tmp_path: Path):
    rng = np.random.default_rng(1)
    table = pl.DataFrame(
        {
            "sent": 1.7e9 + rng.integers(0, 10**5, 200),
            "mass": rng.normal(size=200) * 1e12,
            "day": 18_000 + rng.integers(0, 900, 200),
            "moment": 1_600_000_000 + rng.integers(0, 10**8, 200),
            "say": [f"Row {i} säys {i * i % 97} and no more" for i in range(200)],
            "y": rng.choice(["no", "yes"], 200),
        }
    ).with_columns(pl.col("day").cast(pl.Int32).cast(pl.Date), pl.from_epoch("moment"))
    model = fitted(table, "y", "mlp")
    io.export(model, tmp_path / "m", platforms=("cpu",))
    io.export_onnx(model, tmp_path / "m.onnx")
    rows = table.head(20).with_columns(
        pl.when(pl.int_range(20) % 5 != i).then(pl.col(name)).alias(name)
        for i, name in enumerate(["sent", "mass", "day", "moment", "say"])
    )
    numbers = {name: rows[name].cast(float).fill_null(np.nan).to_numpy() for name in ("sent", "mass")}
    others = {name: io.as_days(rows[name].to_numpy()) for name in ("day", "moment")}
    others["say"] = io.as_ids(rows["say"].to_list())
    raw = others | {"sent": io.as_pairs(numbers["sent"]), "mass": numbers["mass"].astype(np.float32)}
    needed = model.predict_table(rows)["probability_yes"].to_numpy()
    found = jax.export.deserialize((tmp_path / "m").read_bytes()).call(raw)
    np.testing.assert_allclose(found["probability"][:, 1], needed, atol=1e-6)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    found = session.run(["probability"], others | numbers)[0]
    np.testing.assert_allclose(found[:, 1], needed, atol=1e-6)
    said = json.loads((tmp_path / "m.json").read_text())
    assert said["longer"] == ["sent"] and said["dates"] == ["day", "moment"]
    assert said["texts"] == ["say"] == [each.name for each in model.schema.texts]
    said = json.loads(session.get_modelmeta().custom_metadata_map["jdl"])
    doubles = {each.name for each in session.get_inputs() if each.type == "tensor(double)"}
    assert set(said["longer"]) == doubles == {"sent", "mass"}


@given(hnp.arrays(np.float64, 5, elements=st.floats(-1e30, 1e30)))
def test_pairs_hold_48_digits(values):
    pairs = io.as_pairs(values).astype(np.float64)
    assert np.all(np.abs(pairs.sum(1) - values) <= np.abs(values) * 2.0**-48 + 1e-44)


def test_what_has_no_type_there_is_named(frame, tmp_path: Path):
    long = frame.with_columns(town=pl.when(pl.col("town") == "Bath").then(pl.lit("B" * 70)).otherwise("town"))
    with pytest.raises(io.ModelError, match="has 70 bytes, needs at most 64"):
        io.export(fitted(long, "y", "linear"), tmp_path / "m")
    far = frame.with_columns(x=pl.col("x") + 1e12)
    with pytest.raises(io.ModelError, match="column 'x' needs more digits or a wider range than two float32"):
        io.export(fitted(far, "y", "linear"), tmp_path / "m")
    wide = frame.with_columns(x=pl.col("x") * 1e308 / 2)
    with pytest.raises(io.ModelError, match="or export to ONNX, which takes float64"):
        io.export(fitted(wide, "y", "linear"), tmp_path / "m")
    io.export_onnx(fitted(wide, "y", "linear"), tmp_path / "m.onnx")
    assert not (tmp_path / "m").exists() and np.isinf(io.as_pairs([1e300])[0, 0])
