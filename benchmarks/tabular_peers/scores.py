"""Scores of predictions on the test rows, and how far they would move with other test rows."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics
from tables import Table

from tabular_peers.rows import targets

SAMPLES = 100
SMALLEST = 1e-7  # probability, about the resolution of float32


def score(table: Table, outputs: NDArray) -> tuple[dict[str, float], float]:
    """Give all scores, and the standard error of the main one over test rows, by the bootstrap.

    Classes: accuracy, log-loss, AUC (of the second class of two, else the mean of each class against the
    rest) and, of two, average precision. Numbers: RMSE, MAE and R², in the target's units.
    """
    target = targets(table)[1]
    outputs = np.asarray(outputs, np.float64)
    needed = (len(target), len(table.classes)) if table.classes else (len(target),)
    if outputs.shape != needed or not np.isfinite(outputs).all():
        raise ValueError(f"{table.name}: predictions of shape {outputs.shape}, need finite {needed}")
    of = _classes if table.classes else _numbers
    return of(target, outputs), _error(of, table.main, target, outputs)


def _classes(target: NDArray, outputs: NDArray, only: str = "") -> dict[str, float]:
    sure = np.maximum(outputs, SMALLEST)
    sure /= sure.sum(1, keepdims=True)
    rows = np.arange(len(target))
    found = {
        "accuracy": lambda: np.mean(outputs.argmax(1) == target),
        "log_loss": lambda: -np.mean(np.log(sure[rows, target])),
    }
    if outputs.shape[1] == 2:
        found["auc"] = lambda: metrics.roc_auc_score(target, outputs[:, 1])
        found["ap"] = lambda: metrics.average_precision_score(target, outputs[:, 1])
    else:
        found["auc"] = lambda: metrics.roc_auc_score(target, sure, multi_class="ovr")
    return {name: float(value()) for name, value in found.items() if only in ("", name)}


def _numbers(target: NDArray, outputs: NDArray, only: str = "") -> dict[str, float]:
    del only
    error = outputs - target
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "r2": float(1 - np.sum(error**2) / np.sum((target - target.mean()) ** 2)),
    }


def _error(of: Callable, main: str, target: NDArray, outputs: NDArray) -> float:
    rng = np.random.default_rng(0)
    samples = (rng.integers(0, len(target), len(target)) for _ in range(SAMPLES))
    # A sample that lost a class has no AUC.
    chosen = [rows for rows in samples if of is _numbers or len(np.unique(target[rows])) == outputs.shape[1]]
    found = [of(target[rows], outputs[rows], main)[main] for rows in chosen]
    return float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
