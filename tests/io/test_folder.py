"""Saved models: bit for bit the same when read, whole or absent, and never believed unchecked."""

import dataclasses
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest
from safetensors import numpy as safetensors

from jdl import disk, models, nn
from jdl.data import Schema, infer_schema
from jdl.io import Model, ModelError, files, load, save
from jdl.io.save import named_arrays
from jdl.nn.layer import Scope
from jdl.train import Recipe

STATS = "stats/numbers/0/middle"
NAMES = ["metrics.jsonl", "model.json", "weights.safetensors"]


@pytest.fixture
def folder(tmp_path: Path, classifier: Model) -> Path:
    save(classifier, tmp_path / "model")
    return tmp_path / "model"


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def reseal(folder: Path, **changes: object) -> None:
    """Write a description with changes and checksums that fit, as a forger would."""
    body = json.loads((folder / files.DESCRIPTION).read_text())
    del body["seal"], body["files"]
    files.write_description(folder, body | changes)


@pytest.mark.parametrize("name", ["classifier", "regressor"])
def test_round_trip(name: str, request: pytest.FixtureRequest, frame: pl.DataFrame, tmp_path: Path) -> None:
    model = request.getfixturevalue(name)
    save(model, tmp_path / "deep" / "model")
    assert listing(tmp_path / "deep") == ["model", *(f"model/{name}" for name in NAMES)]
    found = load(tmp_path / "deep" / "model")
    assert found.predict_table(frame).equals(model.predict_table(frame))
    assert (found.schema, found.network, found.hyper) == (model.schema, model.network, model.hyper)
    for a, b in zip(
        jax.tree.leaves_with_path((found.params, found.state, found.stats)),
        jax.tree.leaves_with_path((model.params, model.state, model.stats)),
        strict=True,
    ):
        assert a[0] == b[0] and a[1].dtype == b[1].dtype and a[1].tobytes() == np.asarray(b[1]).tobytes()


def test_history_metrics_and_data_return(
    make: Callable[..., Model], frame: pl.DataFrame, tmp_path: Path
) -> None:
    metrics = {"accuracy": 0.5, "auc": float("nan")}
    model = replace(make(infer_schema(frame, "old"), frame), metrics=metrics, data={"rows": 40})
    save(model, tmp_path / "model")
    found = load(tmp_path / "model")
    assert str(found.history) == str(model.history)
    assert found.metrics == {"accuracy": 0.5, "auc": None} and found.data == {"rows": 40}


def test_arrays_that_are_not_contiguous(classifier: Model, frame: pl.DataFrame, tmp_path: Path) -> None:
    turned = jax.tree.map(lambda leaf: np.asfortranarray(leaf), classifier.params)
    assert not turned["body"]["dense"]["w"].flags.c_contiguous
    save(replace(classifier, params=turned), tmp_path / "model")
    assert load(tmp_path / "model").predict_table(frame).equals(classifier.predict_table(frame))


def test_another_process_predicts_the_same(folder: Path, classifier: Model, frame: pl.DataFrame) -> None:
    frame.write_parquet(folder.parent / "table.parquet")
    code = (
        "import sys, jdl; out = jdl.io.load(sys.argv[1]).predict_table(sys.argv[2]); "
        "out.write_parquet(sys.argv[3])"
    )
    out = folder.parent / "out.parquet"
    arguments = [str(folder), str(folder.parent / "table.parquet"), str(out)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    assert pl.read_parquet(out).equals(classifier.predict_table(frame))


def test_a_model_is_replaced(folder: Path, regressor: Model) -> None:
    save(regressor, folder)
    assert load(folder).schema == regressor.schema
    assert listing(folder.parent) == ["model", *(f"model/{name}" for name in NAMES)]


@pytest.mark.parametrize("name", ["weights.safetensors", "metrics.jsonl", "model.json"])
def test_a_full_disk_changes_nothing(
    name: str, folder: Path, regressor: Model, classifier: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path.open

    def full(path: Path, *options: object, **rest: object) -> object:
        if path.name == name and ".unfinished" in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return whole(path, *options, **rest)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(ModelError, match="model not written: the disk is full .*; free some space"):
        save(regressor, folder)
    with pytest.raises(ModelError, match="the disk is full"):
        save(regressor, folder.parent / "new")
    monkeypatch.undo()
    assert load(folder).schema == classifier.schema
    assert listing(folder.parent) == ["model", *(f"model/{name}" for name in NAMES)]


def test_the_old_model_returns_where_the_new_one_cannot_take_its_place(
    folder: Path, regressor: Model, classifier: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "swapped", lambda left, right: False)  # as where the system cannot
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.name == ".model.unfinished":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(ModelError, match="model not written: Input/output error"):
        save(regressor, folder)
    monkeypatch.undo()
    assert load(folder).schema == classifier.schema
    assert listing(folder.parent) == ["model", *(f"model/{name}" for name in NAMES)]


def test_what_a_killed_process_left_is_cleared(folder: Path, regressor: Model) -> None:
    (folder.parent / ".model.unfinished").mkdir()
    (folder.parent / ".model.unfinished" / "weights.safetensors").write_bytes(b"half")
    save(regressor, folder)
    assert listing(folder.parent) == ["model", *(f"model/{name}" for name in NAMES)]


def test_only_a_model_or_an_empty_folder_is_replaced(classifier: Model, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(ModelError, match="thesis: holds files that are not a model"):
        save(classifier, tmp_path / "thesis")
    with pytest.raises(ModelError, match="chapter.txt: is a file or a link"):
        save(classifier, tmp_path / "thesis" / "chapter.txt")
    assert listing(tmp_path) == ["thesis", "thesis/chapter.txt"]
    (tmp_path / "empty").mkdir()
    save(classifier, tmp_path / "empty")
    assert listing(tmp_path / "empty") == NAMES


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere: no such folder; needs the folder of a saved model"):
        load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"not a whole model: it has no model.json, but nothing"):
        load(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"not a whole model: it has no {name}, but "):
        load(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_file(name: str, folder: Path) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=f"whole model: {name} (cannot be read|has [0-9]+ bytes, needs)"):
        load(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_byte(name: str, folder: Path) -> None:
    content = bytearray((folder / name).read_bytes())
    at = content.index(b"0.5") if name == "metrics.jsonl" else len(content) - 30
    if name == "model.json":
        at = content.index(b'"dropout": 0.2') + len(b'"dropout": 0.')
    content[at] = content[at] ^ 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(ModelError, match=f"{name} has been changed"):
        load(folder)


def test_foreign_files(folder: Path) -> None:
    (folder / "model.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match=r"model.json cannot be read \(22 bytes\)"):
        load(folder)


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"format": "jdl model 99"},
            "found 'jdl model 99', this version of jdl reads 'jdl model 1', 'jdl model 2'",
        ),
        (
            {"network": "os.system"},
            "model.json: network: found 'os.system', needs one of linear, mlp, mlp_plr",
        ),
        ({"network": ["mlp"]}, r"model.json: network: found \['mlp'\], needs text"),
        ({"hyper": {}}, "model.json: hyper-parameter 'batch_size' is missing"),
        ({"hyper": 3}, "model.json: hyper: found 3, needs"),
        ({"schema": {}}, "model.json: schema: found"),
        ({"metrics": 3}, "model.json: metrics: found 3, needs"),
    ],
)
def test_a_sealed_forgery(changes: dict, message: str, folder: Path) -> None:
    reseal(folder, **changes)
    with pytest.raises(ModelError, match=message):
        load(folder)


@pytest.mark.parametrize(
    "name, value",
    [("widths", [8, -1]), ("widths", "ab"), ("batch_size", 0), ("dropout", 2.0), ("epochs", "3")],
)
def test_hyper_parameters_that_cannot_be(name: str, value: object, folder: Path, classifier: Model) -> None:
    reseal(folder, hyper=dict(classifier.hyper) | {name: value})
    with pytest.raises(ModelError, match="model.json: "):
        load(folder)


def test_arrays_that_do_not_fit(folder: Path, classifier: Model) -> None:
    arrays = named_arrays(classifier)
    reseal(folder, hyper=dict(classifier.hyper) | {"widths": [9]})
    with pytest.raises(ModelError, match=r"'params/body/dense/w' is float32\[8, \d+, 8\], the network needs"):
        load(folder)
    reseal(folder, hyper=dict(classifier.hyper))
    for changed, message in (
        ({name: value for name, value in arrays.items() if name != STATS}, f"lacks {STATS!r}"),
        (arrays | {"params/extra": np.zeros(1)}, "has 'params/extra', which the network lacks"),
        (arrays | {STATS: arrays[STATS].astype(np.float16)}, f"{STATS!r} is float16"),
    ):
        (folder / files.WEIGHTS).write_bytes(safetensors.save(changed))
        reseal(folder)
        with pytest.raises(ModelError, match=message):
            load(folder)
    (folder / files.WEIGHTS).write_bytes(b"not safetensors")
    reseal(folder)
    with pytest.raises(ModelError, match="weights.safetensors cannot be read"):
        load(folder)


def mine_defaults(rows: int, schema: Schema) -> dict:
    return {"batch_size": 8, "epochs": 1, "rows": rows, "wide": 3}


def mine_recipe(schema: Schema, hyper: dict) -> Recipe:
    made = models.tabular(schema, "linear")(models.defaults(hyper["rows"], schema, "linear"))
    return dataclasses.replace(made, network=nn.chain(read, nn.dense(hyper["wide"]), nn.dense(2)))


@nn.layer
def read(my: Scope, row: dict) -> jax.Array:
    return row["numbers"]


def test_a_network_of_ones_own(frame: pl.DataFrame, make: Callable[..., Model], tmp_path: Path) -> None:
    mine = models.Network("mine", mine_defaults, mine_recipe)
    model = make(infer_schema(frame, "old"), frame, mine)
    save(model, tmp_path / "model")
    assert repr(model).startswith("Model(mine: classification of old")
    with pytest.raises(ModelError, match="network: found 'mine', needs one of linear"):
        load(tmp_path / "model")
    found = load(tmp_path / "model", registry=[mine])
    assert found.predict_table(frame).equals(model.predict_table(frame))
    with pytest.raises(ModelError, match="registry: the name 'mlp' is taken"):
        load(tmp_path / "model", registry=[mine._replace(name="mlp")])
