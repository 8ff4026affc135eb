"""How good predictions are, and what other models reach on the same rows."""

from functools import partial
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from jdl import features, metrics
from jdl.data import Schema

Scores = dict[str, float]
Rows = dict[str, NDArray]

MOST = 100_000  # training rows of the other models


def score(schema: Schema, outputs: NDArray, target: NDArray) -> Scores:
    """Score outputs as ``Model.predict_rows`` gives them, means over the targets where there are several.

    Errors of numbers are in the targets' own units.
    """
    if schema.task == "regression":
        return _number_scores(schema, outputs, target)
    if schema.task == "multilabel":
        return _label_scores(outputs, target)
    logits = np.log(np.maximum(outputs, 1e-12)).astype(np.float32)
    found = jax.device_get(_class_scores(len(schema.classes), logits, target)) | {"auc": _auc(logits, target)}
    return {name: float(found[name]) for name in ("accuracy", "precision", "recall", "f1", "auc", "log_loss")}


def errors(schema: Schema, outputs: NDArray, target: NDArray) -> NDArray[np.float64]:
    """Give by how much each number is off ``(n, k)``, in the targets' own units."""
    scale = np.array([part.scale for part in schema.targets])
    found, true = (values.reshape(len(target), -1).astype(np.float64) for values in (outputs, target))
    return np.abs(found - true) * scale


def _number_scores(schema: Schema, outputs: NDArray, target: NDArray) -> Scores:
    error = errors(schema, outputs, target)
    outputs, target = (values.reshape(len(target), -1) for values in (outputs, target))
    r2 = [metrics.evaluate(metrics.r2(), *pair) for pair in zip(outputs.T, target.T, strict=True)]
    rmse = np.sqrt(np.mean(error**2, 0)).mean()
    return {"rmse": float(rmse), "mae": float(error.mean()), "r2": float(np.mean(r2))}


def _label_scores(outputs: NDArray, target: NDArray) -> Scores:
    pairs = [(np.stack([1 - p, p], 1), t) for p, t in zip(outputs.T, target.T, strict=True)]
    logs = [(np.log(np.maximum(p, 1e-12)).astype(np.float32), t) for p, t in pairs]
    each = [jax.device_get(_class_scores(2, *pair)) | {"auc": _auc(*pair)} for pair in logs]
    return {
        name: float(np.mean([one[name] for one in each])) for name in ("accuracy", "f1", "auc", "log_loss")
    }


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
    """Predict the same for every row: the classes' shares in the training rows, or the targets' means."""
    if schema.task == "classification":
        shares = np.bincount(target, minlength=len(schema.classes)) / len(target)
        return np.tile(shares, (rows, 1))
    return np.full((rows, *target.shape[1:]), target.mean(0), np.float32)


def linear(schema: Schema, train: Rows, target: NDArray, rows: Rows) -> NDArray:
    """Predict by scikit-learn's logistic or ridge regression, on rows prepared as networks have them."""
    from sklearn.linear_model import LogisticRegression, Ridge

    train, target = _sample(train, target, MOST)
    inputs, others = (_matrix(schema, each) for each in _prepared(features.table(schema), train, rows))
    return _outputs(schema, Ridge(), LogisticRegression(max_iter=1000), inputs, target, others)


def trees(schema: Schema, train: Rows, target: NDArray, rows: Rows) -> NDArray:
    """Predict by scikit-learn's boosted trees: numbers missing where they are, levels in no order."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    classes = len(schema.classes) if schema.task == "classification" else 1
    train, target = _sample(train, target, MOST // max(1, classes // 8))  # a tree a class
    prepare = features.table(schema, numbers=features.standard())
    inputs, others = (_dense(each) for each in _prepared(prepare, train, rows))
    sizes = np.array(features.cardinalities(schema), int)
    numbers = np.zeros(inputs.shape[1] - len(sizes), bool)
    options: dict[str, Any] = {
        "categorical_features": np.append(numbers, sizes <= 255),  # more levels it takes in their order alone
        "random_state": 0,
    }
    regressor = HistGradientBoostingRegressor(**options)
    classifier = HistGradientBoostingClassifier(**options)
    return _outputs(schema, regressor, classifier, inputs, target, others)


def _sample(rows: Rows, target: NDArray, most: int) -> tuple[Rows, NDArray]:
    some = np.random.default_rng(0).permutation(len(target))[:most]
    return jax.tree.map(lambda values: values[some], (rows, target))


def _outputs(
    schema: Schema, regressor: Any, classifier: Any, inputs: Any, target: NDArray, others: Any
) -> NDArray:
    """Fit a model for each target, and predict other rows as ``Model.predict_rows`` does."""
    from sklearn.base import clone

    columns = target.reshape(len(target), -1).T
    if schema.task == "regression":
        numbers = [clone(regressor).fit(inputs, column).predict(others) for column in columns]
        return np.stack(numbers, 1).reshape(-1, *target.shape[1:])
    found = []
    for column in columns:
        fitted = clone(classifier).fit(inputs, column)
        found.append(np.zeros((others.shape[0], len(schema.classes))))
        found[-1][:, fitted.classes_] = fitted.predict_proba(others)
    return found[0] if schema.task == "classification" else np.stack([one[:, 1] for one in found], 1)


def _prepared(prepare: features.Prepare, train: Rows, rows: Rows) -> tuple[Rows, Rows]:
    stats = jax.jit(prepare.fit)(jax.random.key(0), train, None, None)
    apply = jax.jit(jax.vmap(prepare.apply, in_axes=(None, 0)))
    return jax.device_get(apply(stats, train)), jax.device_get(apply(stats, rows))


def _dense(prepared: Rows) -> NDArray[np.float32]:
    return np.concatenate(
        [prepared["numbers"], prepared["flat"], prepared["categories"]], 1, dtype=np.float32
    )


def _matrix(schema: Schema, prepared: Rows) -> Any:
    """Lay prepared numbers, what is used as it is, and one-hot levels out as a sparse matrix."""
    from scipy import sparse

    codes, sizes = prepared["categories"], np.array(features.cardinalities(schema), int)
    places = codes + np.cumsum(sizes) - sizes
    at = np.repeat(np.arange(len(codes)), len(sizes)), places.reshape(-1)
    levels = sparse.csr_array((np.ones(places.size), at), shape=(len(codes), int(sizes.sum())))
    numbers = np.concatenate([prepared["numbers"], prepared["flat"]], 1).astype(np.float64)
    return sparse.hstack([sparse.csr_array(numbers), levels], format="csr")
