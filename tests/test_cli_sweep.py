"""``jdl sweep``, and hyper-parameters from a file and from words, from end to end on a real table."""

import json
import tomllib
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_wine

import jdl
from jdl import cli, io
from jdl.cli import main, settings, sweep
from jdl.train import RecipeError

QUICK = ("--model", "linear", "--folds", "2", "--json")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_wine()
    names = [f"c{i}" for i in range(found.data.shape[1])]
    frame = pl.DataFrame(
        dict(zip(names, found.data.T, strict=True)) | {"kind": [f"k{y}" for y in found.target]}
    )
    frame.write_csv(tmp_path / "wine.csv")
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = main(list(arguments))
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return printed.out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    return capsys.readouterr().err


def test_the_best_configuration_becomes_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    given = (
        "sweep",
        "wine.csv",
        "--target",
        "kind",
        *QUICK,
        "--configs",
        "3",
        "epochs=4",
        "--folder",
        "kept",
    )
    found = json.loads(run(capsys, *given, "learning_rate=log_uniform(1e-6, 1e-1)"))
    rows = found["sweep"]["configurations"]
    assert len(rows) == 3 and found["sweep"]["members"] == [6, 6]
    assert rows[0]["config"] == found["sweep"]["best"]
    assert [row["loss"] for row in rows] == sorted(row["loss"] for row in rows)
    assert "learning_rate" in rows[0] and "epochs" not in rows[0]
    model = io.load("wine-model")
    assert model.hyper["epochs"] == 4
    assert model.hyper["learning_rate"] == pytest.approx(rows[0]["learning_rate"])
    assert found["scores"]["of"]["jdl"]["accuracy"] > 0.8 and Path("wine-model/report.html").exists()
    assert sorted(path.name for path in Path("kept").glob("members-*")) != []
    capsys.readouterr()
    text = run(capsys, *[word for word in given if word != "--json"], "learning_rate=log_uniform(1e-6, 1e-1)")
    assert "3 configurations on 2 folds, the best loss first" in text and "defaults" in text


def test_halving_tells_its_rungs(capsys: pytest.CaptureFixture[str]) -> None:
    given = (
        "sweep",
        "wine.csv",
        "--target",
        "kind",
        *QUICK,
        "--configs",
        "9",
        "epochs=9",
        "--search",
        "halving",
    )
    assert main([*given]) == 0
    printed = capsys.readouterr()
    assert "9 configurations after 1 epochs" in printed.err and "configurations after 9 epochs" in printed.err
    assert len(json.loads(printed.out)["sweep"]["configurations"]) == 9


def test_without_optuna_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jdl.cli.sweep.find_spec", lambda name: None)
    said = refused(capsys, "sweep", "wine.csv", "--target", "kind", *QUICK, "--search", "optuna")
    assert said == "jdl: --search optuna needs the package optuna: pip install 'jdl[search]'\n"


def test_defaults_that_diverge_are_not_compared_with() -> None:
    def recipe(hyper: dict) -> jdl.Recipe:
        optimizer = jdl.optim.sgd(hyper["rate"])
        return jdl.Recipe(jdl.nn.dense(1), jdl.losses.squared_error, optimizer, 8, 2, max_bad_steps=2)

    x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
    configs = [{"rate": rate} for rate in (1e30, 0.1, 0.2)]
    runs = jdl.sweep(recipe, configs, jax.random.key(0), {"x": x, "y": 3 * x}, folds=2)
    assert np.isnan(runs.scores()[0]).any()
    assert sweep._facts(runs, 1, 0)["against_default"] is None
    assert sweep._facts(runs, 1, 2)["against_default"]["p_value"] >= 0


def test_a_file_of_the_defaults_is_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(
        capsys, "fit", "wine.csv", "--target", "kind", "--model", "mlp", "--show-config", "widths=4,5"
    )
    assert 'target = "kind"' in shown and "widths = [4, 5]" in shown
    Path("fit.toml").write_text(shown)
    again = run(capsys, "fit", "wine.csv", "--config", "fit.toml", "--show-config")
    assert again == shown
    over = run(capsys, "fit", "wine.csv", "--config", "fit.toml", "--show-config", "epochs=3", "--seed", "5")
    assert "epochs = 3\n" in over and "seed = 5\n" in over and "widths = [4, 5]" in over
    assert not Path("wine-model").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["epoch=3"], "hyper-parameter 'epoch' is unknown; did you mean 'epochs'?"),
        (["epochs=many"], "hyper-parameter 'epochs': found 'many', needs a whole number"),
        (["epochs=1.5"], "'epochs': found '1.5', needs a whole number"),
        (["widths=a,b"], "'widths': found 'a,b', needs whole numbers such as 128,128"),
        (["epochs=3", "--config", "none.toml"], "none.toml: No such file"),
        (["--config", "bad.toml"], "bad.toml: is no TOML"),
        (
            ["--config", "odd.toml"],
            "odd.toml: 'colour' is unknown; needs target, model, task, seed or a table",
        ),
        (["--config", "kind.toml"], "kind.toml: seed: found 'x'"),
        (["--config", "minus.toml"], "minus.toml: seed: found -1"),
        (["--config", "latin.toml"], "latin.toml: is no TOML"),
        (["learning_rate=none"], "'learning_rate': found 'none', needs a number"),
        (["learning_rate=nan"], "'learning_rate': found 'nan', needs a number"),
    ],
)
def test_bad_settings_are_named(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    Path("bad.toml").write_text("= 3")
    Path("odd.toml").write_text("colour = 3")
    Path("kind.toml").write_text("seed = 'x'")
    Path("minus.toml").write_text("seed = -1")
    Path("latin.toml").write_bytes("model = 'é'".encode("latin-1"))
    assert message in refused(capsys, "fit", "wine.csv", "--target", "kind", "--model", "mlp", *words)


def test_bad_ranges_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("sweep", "wine.csv", "--target", "kind", *QUICK)
    assert "needs uniform(low, high)" in refused(capsys, *given, "penalty=uniform(2, 1)")
    assert "needs integer(low, high) or choice" in refused(capsys, *given, "epochs=uniform(1, 3)")
    assert "found 'choice(1, 3)', needs choice(a | b)" in refused(capsys, *given, "epochs=choice(1, 3)")
    assert "needs uniform(low, high), log_uniform" in refused(capsys, *given, "penalty=integer(1, 3)")
    with pytest.raises(SystemExit):
        main([*given, "--folds", "1"])
    assert "needs a whole number of at least 2" in capsys.readouterr().err
    fixed = ("learning_rate=0.1", "weight_decay=0.0", "penalty=0.0")
    assert "all are fixed" in refused(capsys, *given, *fixed)
    assert "target: found none" in refused(capsys, "sweep", "wine.csv")


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("64x32", (1,), (64, 32)),
        ("1e-3", 0.5, 1e-3),
        ("none", None, None),
        ("3", None, 3),
        ("True", False, True),
    ],
)
def test_words_are_read_as_the_defaults_type(text: str, default: object, expected: object) -> None:
    found = settings.typed("name", text, default)
    assert found == expected and type(found) is type(expected)


def test_a_word_that_is_a_value_or_a_file_is_no_setting() -> None:
    Path("year=2024").mkdir()
    parted = ["fit", "year=2024", "--target", "a=b", "--json", "epochs=3", "--out", "run=1"]
    rest, words = cli._parted(parted)
    assert words == {"epochs": "3"} and rest == [word for word in parted if word != "epochs=3"]


def test_any_name_survives_a_file() -> None:
    name = 'a "quoted" \\ name\nof two lines\x7f'
    assert tomllib.loads(settings.toml({"target": name}, {}))["target"] == name


def test_a_list_is_tried_and_a_tuple_is_one_value() -> None:
    fixed, ranges = settings.parted({"a": 1, "b": (1,)}, {"a": [1, 2], "b": [3, 4]})
    assert fixed == {"b": [3, 4]} and settings.spaced({"a": 1, "b": (1,)}, ranges) == {"a": [1, 2]}
    with pytest.raises(RecipeError, match="'a': found 'x', needs a whole number"):
        settings.spaced({"a": 1}, {"a": [1, "x"]})


@pytest.mark.parametrize("verb", ["demo", "schema", "fit", "sweep", "predict", "report", "export", "serve"])
def test_help_teaches(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    said = capsys.readouterr().out
    assert (
        ended.value.code == 0 and f"  jdl {verb}" in said.split("Examples:")[1] and "130 interrupted" in said
    )
