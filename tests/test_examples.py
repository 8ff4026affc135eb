"""Every example runs as a program of its own, stays short, and has learned what it says it learns."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

STAND_INS = {
    "tensorboardX.py": """
class SummaryWriter:
    def __init__(self, folder):
        assert isinstance(folder, str)
    def add_scalar(self, name, value, step):
        print("tensorboard", name, step, float(value))
    def flush(self):
        pass
""",
    "wandb.py": """
class Run:
    def log(self, metrics, step):
        print("wandb", step, *metrics)
def init(project):
    return Run()
""",
}


def run(name: str, *arguments: str, path: Path = ROOT) -> str:
    settings = ("JDL_CPU_DEVICES", "XLA_FLAGS", "JAX_DISABLE_MOST_OPTIMIZATIONS")
    environment = {key: value for key, value in os.environ.items() if key not in settings}
    environment["PYTHONPATH"] = os.pathsep.join([str(path), str(ROOT)])
    command = [sys.executable, str(ROOT / "examples" / name), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def number_after(label: str, text: str) -> float:
    found = re.search(rf"{re.escape(label)}\D*?(-?[\d,]*\.?\d+)", text)
    assert found, f"no number after {label!r} in:\n{text}"
    return float(found[1].replace(",", ""))


def mlp_digits(printed):
    assert number_after("test accuracy", printed) >= 0.95


def cnn_digits(printed):
    assert number_after("test accuracy", printed) >= 0.96
    assert "block_1/batch_norm/mean" in printed


def char_transformer(printed):
    assert number_after("loss of the transformer", printed) < 0.4
    said = printed.split("\n\n", 1)[1].splitlines()[:-1]  # the last line stops anywhere
    zen = subprocess.run([sys.executable, "-m", "this"], capture_output=True, text=True).stdout.splitlines()
    assert len(said) >= 5
    assert sum(line in zen for line in said) >= len(said) / 2


def custom_layer(printed):
    assert number_after("spans -1 to 1, root mean squared error", printed) <= 0.15
    assert number_after("spans -22 to 22, root mean squared error", printed) <= 2.5
    assert "fourier/w (1, 32)" in printed
    assert "centre/mean (64,)" in printed


def lora(printed):
    before = number_after("digits 5-9, the network", printed)
    assert before < 0.4 < 0.85 <= number_after("digits 5-9, adapted", printed)
    assert number_after("digits 5-9, merged", printed) == number_after("digits 5-9, adapted", printed)
    kept = number_after("digits 0-4, the network as it was", printed)
    assert kept == number_after("digits 0-4, the network:", printed) >= 0.9
    assert number_after("trained parameters", printed) < number_after("frozen", printed) / 5


def ensemble(printed):
    accuracy, loss = printed.splitlines()[-2:]
    assert number_after("together", accuracy) > number_after("mean member", accuracy) > 0.9
    assert number_after("together", loss) < number_after("mean member", loss)


def callbacks(printed):
    assert printed.count("step ") > 3
    header, *rows = printed.split("epochs.csv\n")[1].splitlines()
    table = [dict(zip(header.split(","), map(float, row.split(",")), strict=True)) for row in rows]
    assert [row["epoch"] for row in table] == [1, 2, 3]
    assert table[0]["valid_accuracy"] < table[-1]["valid_accuracy"] and table[-1]["valid_accuracy"] > 0.85


CHECKS = {
    check.__name__: check
    for check in (callbacks, char_transformer, cnn_digits, custom_layer, ensemble, lora, mlp_digits)
}


def test_every_example_has_a_check():
    assert [path.stem for path in EXAMPLES] == sorted(CHECKS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_short_and_says_what_it_shows(path):
    text = path.read_text()
    assert text.count("\n") < 80
    assert max(map(len, text.splitlines())) <= 110
    assert re.match(r'"""[A-Z].+\.\n\n.+\.\n"""\n', text), "needs a docstring of two lines"


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_learns(path):
    CHECKS[path.stem](run(path.name))


@pytest.mark.slow
def test_callbacks_reach_tensorboard_and_wandb(tmp_path):
    for name, code in STAND_INS.items():
        (tmp_path / name).write_text(code)
    printed = run("callbacks.py", "tensorboard", "wandb", path=tmp_path)
    told = re.findall(r"tensorboard epochs/valid_accuracy (\d+) ([\d.]+)", printed)
    assert len(told) == 3 and float(told[-1][1]) > 0.85
    assert re.search(rf"wandb {told[-1][0]} .*epochs/valid_accuracy", printed)
