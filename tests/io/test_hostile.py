"""Folders that somebody made, and processes that were killed: an error or a whole model."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import numpy as safetensors

from jdl import disk
from jdl.io import Model, ModelError, files, load, save
from jdl.io.save import named_arrays

HERE = Path(__file__).parent
NAMES = (files.DESCRIPTION, files.WEIGHTS, files.METRICS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, classifier: Model) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "model"
    save(classifier, folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, classifier: Model) -> Path:
    save(classifier, tmp_path / "model")
    return tmp_path / "model"


def reseal(folder: Path, **changes: object) -> None:
    """Write a description with changes and checksums that fit, as a forger would."""
    body = json.loads((folder / files.DESCRIPTION).read_text())
    del body["seal"]
    sealed = {name: files.seal((folder / name).read_bytes()) for name in NAMES[1:]}
    body = body | {"files": sealed} | changes
    disk.write(folder / files.DESCRIPTION, files._json(body | {"seal": files.seal(files._json(body))}))


def test_a_model_of_the_first_format_predicts_what_it_did() -> None:
    expected = pl.read_csv(HERE / "format_1" / "predictions.csv")
    found = load(HERE / "format_1" / "model").predict_table(expected.select("age", "work"))
    assert found["prediction"].equals(expected["prediction"])
    for name in ("probability_no", "probability_yes"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)


def test_an_old_model_that_today_has_no_words_for(tmp_path: Path) -> None:
    for name in NAMES[1:]:
        (tmp_path / name).write_bytes((HERE / "format_1" / "model" / name).read_bytes())
    body = json.loads((HERE / "format_1" / "model" / files.DESCRIPTION).read_text())
    body["schema"]["numbers"][0]["missing"] = 3
    (tmp_path / files.DESCRIPTION).write_text(json.dumps(body))
    reseal(tmp_path)
    with pytest.raises(ModelError, match="column 'age' may be missing.*fit it again"):
        load(tmp_path)


def test_all_arrays_that_are_wrong_are_told_at_once(folder: Path, classifier: Model) -> None:
    arrays = named_arrays(classifier)
    first, second = sorted(arrays)[:2]
    changed = arrays | {"x/extra": np.zeros(2), second: np.zeros((1, 2, 3), np.float16)}
    del changed[first]
    (folder / files.WEIGHTS).write_bytes(safetensors.save(changed))
    reseal(folder)
    with pytest.raises(ModelError) as caught:
        load(folder)
    for words in (
        f"lacks {first!r}, which the network needs; has 'x/extra', which the network lacks",
        f"{second!r} is float16[1, 2, 3], the network needs float32",
    ):
        assert words in str(caught.value)


HUGE = {"bytes": 2**40, "crc32": "00000000"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"files": {"../model.json": HUGE}}, "files: found .*, needs sizes and checksums of"),
        ({"files": {"/etc/passwd": HUGE, files.METRICS: HUGE}}, "files: found"),
        ({"files": {files.WEIGHTS: 3, files.METRICS: 3}}, "files: found"),
        (
            {"files": {files.WEIGHTS: HUGE, files.METRICS: HUGE}},
            "metrics.jsonl has .* bytes, needs 1099511627776",
        ),
    ],
)
def test_files_that_are_not_the_models(folder: Path, changes: dict, words: str) -> None:
    reseal(folder, **changes)
    with pytest.raises(ModelError, match=words):
        load(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"widths": [10**9]},
        {"widths": [4] * 100_000},
        {"members": 10**15},
        {"frequencies": 10**12},
        {"rows": 10**18},
        {"embedding": 2**16},
        {"learning_rate": "__import__('os').abort()"},
    ],
)
def test_sizes_that_no_model_has(folder: Path, classifier: Model, changes: dict) -> None:
    reseal(folder, hyper=dict(classifier.hyper) | changes)
    with pytest.raises(ModelError, match="model.json: hyper-parameter|lacks|the network needs"):
        load(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 10**6,
        b'{"format": "jdl model 2", "format": "jdl model 1", "seal": 1}',
        b'{"format": "jdl model 2", "seal": NaN}',
        b'{"format": ' + b"9" * 5000 + b', "seal": 1}',
        b'{"format": "\\ud800", "seal": {}}',
        b'["format", "seal"]',
        b"\xff\xfe",
        b"",
    ],
    ids=["deep", "twice", "nan", "long", "surrogate", "list", "bytes", "empty"],
)
def test_descriptions_that_nobody_wrote_here(folder: Path, content: bytes) -> None:
    (folder / files.DESCRIPTION).write_bytes(content)
    with pytest.raises(ModelError, match="model.json cannot be read"):
        load(folder)


@pytest.mark.parametrize("name", NAMES)
def test_links_and_pipes_are_refused(folder: Path, name: str) -> None:
    (folder / name).rename(folder.parent / name)
    (folder / name).symlink_to(folder.parent / name)
    with pytest.raises(ModelError, match=f"{name} is a link, needs a file"):
        load(folder)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match=f"{name} is no file"):
        load(folder)


def test_a_file_that_only_claims_to_be_large(folder: Path) -> None:
    with (folder / files.WEIGHTS).open("r+b") as file:
        file.truncate(2**42)
    body = json.loads((folder / files.DESCRIPTION).read_text())
    claimed = body["files"] | {files.WEIGHTS: {"bytes": 2**42, "crc32": "00000000"}}
    del body["seal"]
    body["files"] = claimed
    disk.write(folder / files.DESCRIPTION, files._json(body | {"seal": files.seal(files._json(body))}))
    with pytest.raises(ModelError, match="has 4398046511104 bytes, needs [0-9]+ at most"):
        load(folder)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(NAMES), st.data())
def test_no_change_goes_unseen(whole: Path, tmp_path: Path, name: str, data: st.DataObject) -> None:
    content = (whole / name).read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    cut = data.draw(st.integers(0, 40))
    put = data.draw(st.binary(max_size=40))
    changed = content[:at] + put + content[at + cut :]
    for other in NAMES:
        (tmp_path / other).write_bytes(changed if other == name else (whole / other).read_bytes())
    if changed != content:
        with pytest.raises(ModelError):
            load(tmp_path)


@pytest.mark.parametrize("how", ["swapped", "renamed"])
def test_killed_anywhere_there_is_the_old_model_or_the_new(
    how: str, tmp_path: Path, classifier: Model, regressor: Model
) -> None:
    for name, model in (("a", classifier), ("b", regressor)):
        (tmp_path / name).write_bytes(pickle.dumps(model))
    (tmp_path / "work").mkdir()
    given = [str(tmp_path / name) for name in ("work", "a", "b")]
    done = subprocess.run(
        [sys.executable, HERE / "killed.py", *given, how], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    found = done.stdout.split()
    assert set(found) == {"old", "new"} and found == sorted(found, reverse=True) and len(found) > 10
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["model", "new", "old"]
