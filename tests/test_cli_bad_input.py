"""Bad input on the command line: one line that says what to change, exit code 2, and nothing left behind."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import jdl
from jdl.cli import main, study
from jdl.train.failure import TrainingError

ROWS = 30


def good() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame({"x": rng.normal(size=ROWS), "c": ["a", "b"] * 15, "y": ["no", "yes", "yes"] * 10})


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail; give what it says."""
    before = sorted(Path().rglob("*"))
    assert main(list(arguments)) == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err and 1 <= len(printed.err.splitlines()) <= 2
    assert printed.err.startswith("jdl: ")
    assert sorted(Path().rglob("*")) == before
    return printed.err


def some(**columns: object) -> pl.DataFrame:
    return good().with_columns(**{name: pl.Series(values) for name, values in columns.items()})


TABLES = {
    "one value": (some(y=["no"] * ROWS), "target column 'y' holds one value, 'no', in all 30 rows"),
    "all missing": (some(y=[None] * ROWS), "target column 'y' has no value in any of 30 rows"),
    "no finite value": (
        some(y=[float("nan"), float("inf"), float("-inf")] * 10),
        "target column 'y' has no value in any of 30 rows",
    ),
    "one row": (good()[:1], "1 row has a value; a fit needs at least 2"),
    "few rows": (good()[:9], "table.parquet: 9 rows have a target; needs at least 10"),
    "all differ": (some(y=[f"row {i}" for i in range(ROWS)]), "all 30 values differ"),
    "nothing to learn from": (
        some(x=[None] * ROWS, c=["same"] * ROWS),
        "no column is left to learn 'y' from ('x': all missing",
    ),
    "no other column": (good().select("y"), "no column is left to learn 'y' from"),
    "no rows": (good()[:0], "has 3 columns and no rows"),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_cannot_be_learned(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    table, message = TABLES[name]
    table.write_parquet("table.parquet")
    assert message in refused(capsys, "fit", "table.parquet", "--target", "y")


def test_an_unknown_column(capsys: pytest.CaptureFixture[str]) -> None:
    good().write_csv("table.csv")
    said = refused(capsys, "fit", "table.csv", "--target", "Y")
    assert said == "jdl: target column 'Y' is not in the table; did you mean 'y'?\n"


def test_files_that_are_not_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert "none.csv: no such file" in refused(capsys, "fit", "none.csv", "--target", "y")
    Path("empty.csv").touch()
    assert "empty.csv: the file is empty" in refused(capsys, "fit", "empty.csv", "--target", "y")
    Path("table.txt").write_text("x,y\n1,2\n")
    assert "ending '.txt' is unknown" in refused(capsys, "fit", "table.txt", "--target", "y")
    Path("ragged.csv").write_text("x,y\n1,2\n1,2,3\n")
    assert "ragged.csv: row 2 has 3 fields" in refused(capsys, "fit", "ragged.csv", "--target", "y")
    Path("folder.csv").mkdir()
    assert "folder.csv: the folder holds no table" in refused(capsys, "fit", "folder.csv", "--target", "y")
    good().write_parquet("whole.parquet")
    content = Path("whole.parquet").read_bytes()
    Path("half.parquet").write_bytes(content[: len(content) // 2])
    said = refused(capsys, "fit", "half.parquet", "--target", "y")
    assert "half.parquet: not a whole Parquet file" in said and "truncated" in said


def test_a_folder_that_is_not_a_model_is_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    good().write_csv("table.csv")
    Path("work").mkdir()
    Path("work/notes.txt").write_text("keep me")
    said = refused(capsys, "fit", "table.csv", "--target", "y", "--out", "work")
    assert "work: holds files that are not a model" in said


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fit", "table.csv", "--target", "y", "--epochs", "0"],
        ["fit", "table.csv", "--target", "y", "--seed", "-1"],
        ["fit", "table.csv", "--target", "y", "--task", "clustering"],
    ],
)
def test_a_command_that_is_none(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: jdl" in capsys.readouterr().err


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave training out: the model is whatever it begins as."""

    def begun(job: study.Study, schema: jdl.data.Schema, data: dict, valid: dict) -> tuple:
        import jax

        recipe, hyper = jdl.models.recipe(schema, len(data["y"]), jdl.models.DEFAULT)
        made = recipe(hyper)
        stats = made.prepare.fit(None, data["x"], data["y"], None)
        row = {name: values[0] for name, values in data["x"].items()}
        params, state = made.network.init(jax.random.key(0), made.prepare.apply(stats, row))
        arrays = jax.device_get((params, state, stats))
        return jdl.Model(schema, jdl.models.DEFAULT, hyper, *arrays, ({"loss": 1.0},)), FACTS

    monkeypatch.setattr(study, "_train", begun)


FACTS = {
    "network": "mlp_plr", "parameters": 1, "rows": {"train": 1, "valid": 1},
    "hyper": {"epochs": 1, "batch_size": 1}, "placement": "", "sharded": False, "compile_seconds": 0.0,
    "training_seconds": 0.0, "rows_per_second": 1, "peak_mib": 9, "best_epoch": 1, "best": {},
}  # fmt: skip


@pytest.fixture
def model(untrained: None, capsys: pytest.CaptureFixture[str]) -> str:
    good().write_csv("table.csv")
    assert main(["fit", "table.csv", "--target", "y", "--out", "model"]) == 0
    capsys.readouterr()
    return "model"


def test_tables_that_do_not_fit_the_model(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    good().drop("x").write_csv("less.csv")
    assert "column 'x' is not in the table" in refused(capsys, "predict", model, "less.csv")
    some(x=["many"] * ROWS).write_csv("words.csv")
    said = refused(capsys, "predict", model, "words.csv")
    assert "column 'x', row 1: found 'many', needs a number" in said
    Path("header.csv").write_text("x,c\n")
    assert "no rows" in refused(capsys, "predict", model, "header.csv")


def test_models_that_are_none(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere: no such folder" in refused(capsys, "predict", "nowhere", "table.csv")
    weights = Path(model, "weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    said = refused(capsys, "predict", model, "table.csv")
    assert "model: not a whole model: weights.safetensors has 1000 bytes, needs" in said


def test_predictions_that_cannot_be_written(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "predict", model, "table.csv", "--out", "out.xlsx")
    assert "out.xlsx: ending '.xlsx' is unknown; needs .csv or .parquet" in said
    said = refused(capsys, "predict", model, "table.csv", "--out", "no/out.csv")
    assert said == "jdl: no/out.csv: No such file or directory\n"


def test_a_full_disk(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    Path("out.csv").write_text("as it was")
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, limits[1]))  # a file may not grow beyond
    try:
        said = refused(capsys, "predict", model, "table.csv", "--out", "out.csv")
        assert said == "jdl: out.csv: File too large\n"
        said = refused(capsys, "fit", "table.csv", "--target", "y", "--out", "model")
        assert "model: model not written: the disk is full (File too large)" in said
        assert "new: model not written" in refused(
            capsys, "fit", "table.csv", "--target", "y", "--out", "new"
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert Path("out.csv").read_text() == "as it was"
    assert main(["predict", model, "table.csv", "--out", "out.csv"]) == 0


def test_what_ends_a_run(
    untrained: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good().write_csv("table.csv")
    command = ["fit", "table.csv", "--target", "y"]

    def raises(error: BaseException) -> None:
        def fail(*arguments: object) -> None:
            raise error

        monkeypatch.setattr(study, "_train", fail)

    raises(TrainingError("step 3 (epoch 0, batch 3): loss or gradient not finite"))
    assert refused(capsys, *command) == "jdl: step 3 (epoch 0, batch 3): loss or gradient not finite\n"
    raises(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert refused(capsys, *command) == "jdl: No space left on device\n"
    raises(KeyboardInterrupt())
    assert main(command) == 130
    assert capsys.readouterr().err == "jdl: interrupted; no model was saved\n"
    raises(ZeroDivisionError("a defect"))
    with pytest.raises(ZeroDivisionError):
        main(command)
    assert not Path("table-model").exists()


def command(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jdl.cli", *arguments], text=True, **options)  # type: ignore[call-overload]


def test_in_a_process_of_its_own() -> None:
    good().write_csv("table.csv")
    done = command("fit", "table.csv", "--target", "z", capture_output=True)
    said = "jdl: target column 'z' is not in the table; the table has 'x', 'c', 'y'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_a_reader_that_has_seen_enough(model: str) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        done = command("predict", model, "table.csv", stdout=pipe, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")
