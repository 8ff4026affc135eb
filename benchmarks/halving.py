"""Successive halving against training every configuration to the end, on ten tables.

python benchmarks/halving.py [--configs 128] [--epochs 27] [--tasks digits,wine] [--out FILE]

The tables are scikit-learn's own and what it makes up. On each the same configurations are drawn (learning
rate, weight decay, dropout), cut into the same five folds, and trained by `jdl.sweep` and by
`jdl.sweeps.halving`. Printed: the best cross-validated loss of the whole sweep, its standard error, the best
that halving has, and the part of the epochs that it trained.
"""

import argparse
import json
import platform
from pathlib import Path

import jax
import numpy as np
from sklearn import datasets

import jdl
from jdl import nn, sweeps

OUT = Path(__file__).parent / "results" / "halving.json"
SPACE = {
    "rate": sweeps.log_uniform(1e-4, 1e-1),
    "decay": sweeps.log_uniform(1e-5, 1e-1),
    "dropout": sweeps.uniform(0.0, 0.5),
}


def classes(load, rows: int = 2000) -> dict:
    """Give the rows of a table of classes."""
    x, y = load(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(y))[:rows]
    return {"x": x[chosen].astype(np.float32), "y": y[chosen].astype(np.int32)}


def numbers(x: np.ndarray, y: np.ndarray) -> dict:
    """Give the rows of a table of numbers, of mean 0 and spread 1."""
    return {"x": x.astype(np.float32), "y": ((y - y.mean()) / y.std()).astype(np.float32)[:, None]}


def made(**settings) -> dict:
    """Give a table of classes that scikit-learn makes up."""
    x, y = datasets.make_classification(n_samples=1000, random_state=0, **settings)
    return {"x": x.astype(np.float32), "y": y.astype(np.int32)}


TASKS = {
    "breast cancer": lambda: classes(datasets.load_breast_cancer),
    "wine": lambda: classes(datasets.load_wine),
    "iris": lambda: classes(datasets.load_iris),
    "digits": lambda: classes(datasets.load_digits),
    "diabetes": lambda: numbers(*datasets.load_diabetes(return_X_y=True)),
    "friedman1": lambda: numbers(*datasets.make_friedman1(1000, random_state=0)),
    "friedman2": lambda: numbers(*datasets.make_friedman2(1000, random_state=0)),
    "friedman3": lambda: numbers(*datasets.make_friedman3(1000, random_state=0)),
    "three classes": lambda: made(n_classes=3, n_features=20, n_informative=8),
    "noisy labels": lambda: made(n_features=20, n_informative=5, flip_y=0.2),
}


def recipe_of(data: dict, epochs: int):
    """Make the recipe function of a table."""
    labels = data["y"].ndim == 1
    outputs = int(data["y"].max()) + 1 if labels else 1
    loss = jdl.losses.cross_entropy if labels else jdl.losses.squared_error

    def recipe(hyper: dict) -> jdl.Recipe:
        drop = nn.dropout(hyper["dropout"])
        network = nn.chain(nn.dense(64), nn.relu, drop, nn.dense(64), nn.relu, drop, nn.dense(outputs))
        optimizer = jdl.optim.adamw(hyper["rate"], weight_decay=hyper["decay"])
        return jdl.Recipe(network, loss, optimizer, 32, epochs, prepare=jdl.features.standard())

    return recipe


def compare(data: dict, configs: list[dict], epochs: int) -> dict:
    """Sweep and halve, and give what both chose."""
    recipe, key = recipe_of(data, epochs), jax.random.key(0)
    whole = jdl.sweep(recipe, configs, key, data)
    halved = sweeps.halving(recipe, configs, key, data)
    mean, error = whole.mean()
    best = whole.best()
    trained = sum(halved.epochs(config) for config in range(len(configs)))
    return {
        "best": mean[best],
        "standard_error": error[best],
        "halving": halved.mean()[0][halved.best()],
        "part": trained / (len(configs) * epochs),
        "sweep_seconds": whole.facts.seconds,
        "halving_seconds": halved.facts.seconds,
        "compile_seconds": [whole.facts.compile_seconds, halved.facts.compile_seconds],
    }


def main() -> int:
    """Compare on every table, print and write what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--configs", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--tasks", type=lambda text: text.split(","), default=list(TASKS))
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    configs = sweeps.random(SPACE, options.configs, seed=0)
    found = {}
    print("| table | best of all | its error | halving | part of the epochs | within one error |")
    print("|---|---|---|---|---|---|")
    for task in options.tasks:
        row = found[task] = compare(TASKS[task](), configs, options.epochs)
        row["within"] = bool(row["halving"] <= row["best"] + row["standard_error"])
        cells = f"{row['best']:.4f} | {row['standard_error']:.4f} | {row['halving']:.4f} | {row['part']:.0%}"
        print(f"| {task} | {cells} | {'yes' if row['within'] else 'no'} |", flush=True)
    about = {"machine": platform.processor() or platform.machine(), "jax": jax.__version__}
    about |= {"configs": options.configs, "epochs": options.epochs}
    options.out.write_text(json.dumps({"about": about, "tasks": found}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
