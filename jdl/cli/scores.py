"""How good predictions are, and what simpler models reach on the same rows."""

from functools import partial
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from jdl import features, metrics
from jdl.data import Schema
from jdl.io import Model

Scores = dict[str, float]
Rows = dict[str, NDArray]

MOST = 100_000  # training rows of the simple model


def score(schema: Schema, outputs: NDArray, target: NDArray) -> Scores:
    """Score outputs as ``Model.predict_rows`` gives them; errors of numbers are in the target's own units."""
    if schema.task == "regression":
        error = np.abs(outputs.astype(np.float64) - target) * schema.target.scale
        r2 = metrics.evaluate(metrics.r2(), outputs, target)
        return {"rmse": float(np.sqrt(np.mean(error**2))), "mae": float(error.mean()), "r2": float(r2)}
    logits = np.log(np.maximum(outputs, 1e-12)).astype(np.float32)
    found = jax.device_get(_class_scores(len(schema.classes), logits, target)) | {"auc": _auc(logits, target)}
    return {name: float(found[name]) for name in ("accuracy", "precision", "recall", "f1", "auc", "log_loss")}


@partial(jax.jit, static_argnums=0)
def _class_scores(classes: int, logits: Any, target: Any) -> dict[str, Any]:
    average: metrics.Average = "binary" if classes == 2 else "macro"
    kinds = {"precision": metrics.precision, "recall": metrics.recall, "f1": metrics.f1}
    scores = {"accuracy": metrics.accuracy()}
    scores |= {name: kind(average, classes=classes) for name, kind in kinds.items()}
    scores |= {"log_loss": metrics.log_loss()}
    return {name: metrics.evaluate(metric, logits, target) for name, metric in scores.items()}


def _auc(logits: NDArray, target: NDArray) -> float:
    """Give the area under the ROC curve: of class 1 of two, else the mean of each class against the rest."""
    area = jax.jit(metrics.exact_roc_auc)
    if logits.shape[1] == 2:
        return float(area(logits, target))
    here = [label for label in range(logits.shape[1]) if 0 < (target == label).sum() < len(target)]
    each = [area(logits[:, label], (target == label).astype(np.int32)) for label in here]
    return float(np.mean(each)) if each else float("nan")


def without_model(schema: Schema, target: NDArray, rows: int) -> NDArray:
    """Predict the same for every row: the classes' shares in the training rows, or their mean."""
    if schema.task == "regression":
        return np.full(rows, target.mean(), np.float32)
    shares = np.bincount(target, minlength=len(schema.classes)) / len(target)
    return np.tile(shares, (rows, 1))


def linear(model: Model, train: Rows, target: NDArray, rows: Rows) -> NDArray:
    """Predict by scikit-learn's logistic or ridge regression, on rows prepared as the model prepares them."""
    from sklearn.linear_model import LogisticRegression, Ridge

    some = np.random.default_rng(0).permutation(len(target))[:MOST]
    inputs = _inputs(model, {name: values[some] for name, values in train.items()})
    if model.schema.task == "regression":
        return Ridge().fit(inputs, target[some]).predict(_inputs(model, rows))
    fitted = LogisticRegression(max_iter=1000).fit(inputs, target[some])
    found = np.zeros((len(rows["numbers"]), len(model.schema.classes)))
    found[:, fitted.classes_] = fitted.predict_proba(_inputs(model, rows))
    return found


def _inputs(model: Model, rows: Rows) -> Any:
    """Lay prepared numbers, what is used as it is, and one-hot levels out as one sparse matrix."""
    from scipy import sparse

    stats = model.stats["rows"] if model.schema.task == "regression" else model.stats
    apply = jax.jit(jax.vmap(features.table(model.schema).apply, in_axes=(None, 0)))
    prepared = jax.device_get(apply(jax.device_put(stats), rows))
    codes, sizes = prepared["categories"], np.array(features.cardinalities(model.schema), int)
    places = codes + np.cumsum(sizes) - sizes
    at = np.repeat(np.arange(len(codes)), len(sizes)), places.reshape(-1)
    levels = sparse.csr_array((np.ones(places.size), at), shape=(len(codes), int(sizes.sum())))
    numbers = np.concatenate([prepared["numbers"], prepared["flat"]], 1).astype(np.float64)
    return sparse.hstack([sparse.csr_array(numbers), levels], format="csr")
