"""Keras's metrics by ours: rows with a weight each, streamed through a ``jdl.metrics.Metric``."""

import json
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from jdl import metrics
from tests.outside.keras_golden.as_losses import (
    NotApplicableError,
    above_minus_one,
    broadcast,
    nonzero,
    row_loss,
)


def metric_value(name, options, calls):
    """Update a metric with one batch after the other, as Keras does with its state."""
    make, rows = _cached_metric(name, json.dumps(options))
    return _streamed(make, [rows(**call) for call in calls])


def _streamed(make, batches):
    init, update, finish = make
    stat, found = init(), None
    for batch in batches:
        stat, found = update(stat, *batch)
    return finish(np.asarray(found))


@lru_cache
def _cached_metric(name, options):
    """One program for all facts with the same options."""
    (metric, finish), rows = _metric(name, json.loads(options))

    @jax.jit
    def update(stat, *batch):
        stat = metric.update(stat, *batch)
        return stat, metric.compute(stat)

    return (metric.init, update, finish), rows


def _flat(y_true, y_pred, sample_weight=None):
    """Every element a row."""
    if sample_weight is not None and sample_weight.ndim == y_pred.ndim:
        weights = np.broadcast_to(sample_weight, y_pred.shape)
    else:
        weights = broadcast(sample_weight, y_pred.shape[: max(y_pred.ndim - 1, 1)])
        weights = np.broadcast_to(weights[..., None] if y_pred.ndim > 1 else weights, y_pred.shape)
    return y_pred.reshape(-1), y_true.reshape(-1), weights.reshape(-1)


def _by_row(prepare):
    """Every row of the last axis a row."""

    def rows(y_true, y_pred, sample_weight=None):
        outputs, target = prepare(y_true, y_pred)
        leading = outputs.shape[:-1]
        weights = broadcast(sample_weight, leading).reshape(-1)
        target = target.reshape(-1, *target.shape[len(leading) :])
        return outputs.reshape(-1, outputs.shape[-1]), target, weights

    return rows


def _one_hot_rows(count, threshold=None, hot=False):
    """Every element a row, predicted classes as logits that say them."""

    def rows(y_true, y_pred, sample_weight=None):
        if hot:
            y_true, y_pred = y_true.argmax(-1), y_pred.argmax(-1)
        if threshold is not None:
            y_pred = (y_pred >= threshold).astype(int)
        weight = np.ones(y_pred.shape) if sample_weight is None else sample_weight
        weight = np.broadcast_to(
            weight.reshape(*weight.shape, *[1] * (y_pred.ndim - weight.ndim)), y_pred.shape
        )
        said = np.asarray(y_pred.reshape(-1)[:, None] == np.arange(count), np.float32)
        return said, y_true.reshape(-1), weight.reshape(-1)

    return rows


def _ignoring(ignored, rows, absent):
    """Give rows of one class no weight."""

    def dropping(**call):
        outputs, target, weight = rows(**call)
        weight = np.where(target == ignored, 0.0, weight) if ignored is not None else weight
        seen = target[weight > 0]
        if not outputs.any(1).all() or not np.isin(seen, np.arange(outputs.shape[1])).all():
            raise NotApplicableError("classes that do not exist")
        if absent and np.setdiff1d(absent, [*seen, *outputs.argmax(1)[weight > 0]]).size:
            raise NotApplicableError("a mean over the chosen classes that occur")
        return outputs, target, weight

    return dropping


def _metric(name, options):
    """Give ``(metric, what is made of its value)`` and what makes rows of Keras's arguments."""
    same = lambda x: x
    elementwise = {
        "MeanSquaredError": (metrics.mse(), same),
        "MeanAbsoluteError": (metrics.mae(), same),
        "MeanAbsolutePercentageError": (metrics.mape(), lambda x: 100.0 * x),
        "MeanSquaredLogarithmicError": (metrics.msle(), same),
        "RootMeanSquaredError": (metrics.rmse(), same),
        "BinaryAccuracy": (metrics.accuracy(threshold=options.get("threshold", 0.5)), same),
    }
    if name in elementwise:
        checks = {"MeanSquaredLogarithmicError": above_minus_one, "MeanAbsolutePercentageError": nonzero}
        rows = _checked(checks[name], _flat) if name in checks else _flat
        return elementwise[name], _probable(_flat) if name == "BinaryAccuracy" else rows
    for one in (_of_losses, _of_classes, _of_overlap, _of_thresholds, _of_numbers):
        if found := one(name, options):
            return found
    raise KeyError(name)


def _checked(check, rows):
    return lambda y_true, y_pred, **weight: rows(*reversed(check(y_true, y_pred)), **weight)


def _probable(rows):
    def logits(**call):
        outputs, target, weight = rows(**call)
        return np.asarray(jax.scipy.special.logit(outputs.astype(np.float32))), target, weight

    return logits


def _of_losses(name, options):
    """Means of losses over rows."""
    names = (
        "BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy", "CosineSimilarity",
        "Hinge", "SquaredHinge", "KLDivergence", "LogCoshError", "Poisson",
    )  # fmt: skip
    if name not in names:
        return None
    loss, prepare = row_loss(name, options)
    sign = -1.0 if name == "CosineSimilarity" else 1.0
    return (metrics.mean_of(loss, name), lambda x: sign * x), _by_row(prepare)


def _of_classes(name, options):
    """Accuracies of classes."""
    if name == "Accuracy":
        return (metrics.accuracy(), float), _one_hot_rows(10)
    if name not in ("CategoricalAccuracy", "SparseCategoricalAccuracy", "TopKCategoricalAccuracy",
                    "SparseTopKCategoricalAccuracy"):  # fmt: skip
        return None
    if options.get("from_sorted_ids"):
        raise NotApplicableError("predictions that are ranked classes")
    metric = metrics.top_k_accuracy(options["k"]) if "TopK" in name else metrics.accuracy()
    sparse = name.startswith("Sparse")
    target = lambda y_true, y_pred: y_true.reshape(y_pred.shape[:-1]) if sparse else y_true.argmax(-1)
    return (metric, float), _by_row(lambda y_true, y_pred: (y_pred, target(y_true, y_pred)))


def _of_overlap(name, options):
    """Intersections over unions."""
    if name not in ("IoU", "BinaryIoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"):
        return None
    count = options.get("num_classes", 2)
    average = "macro" if "Mean" in name else None
    chosen = options.get("target_class_ids")
    finish = float if chosen is None else lambda x: x[np.array(chosen)].mean()
    rows = _one_hot_rows(count, options.get("threshold"), name.startswith("OneHot"))
    return (metrics.jaccard(average, classes=count), finish), _ignoring(
        options.get("ignore_class"), rows, chosen
    )


def _of_thresholds(name, options):
    """Counts at thresholds, and what is made of them."""
    if name == "FBetaScore":
        average, threshold = options["average"], options["threshold"]
        beta = options.get("beta", 1.0)
        make = lambda k: metrics.f_beta(
            beta, average, labels=k, threshold=0.5 if threshold is None else threshold
        )

        def rows(y_true, y_pred, sample_weight=None):
            best = y_pred == y_pred.max(-1, keepdims=True)
            logits = (
                np.where(best, 1.0, -1.0)
                if threshold is None
                else jax.scipy.special.logit(np.float32(y_pred))
            )
            return np.asarray(logits), y_true, broadcast(sample_weight, y_true.shape[:1])

        return (make(3), np.asarray), rows
    if options.get("top_k") is not None or options.get("class_id") is not None:
        raise NotApplicableError("the best k of a row, or one of its labels")
    places = {
        "TrueNegatives": (0, 0),
        "FalsePositives": (0, 1),
        "FalseNegatives": (1, 0),
        "TruePositives": (1, 1),
    }
    if name not in ("Precision", "Recall", *places):
        return None
    thresholds = np.atleast_1d(0.5 if options["thresholds"] is None else options["thresholds"])
    make = {"Precision": metrics.precision, "Recall": metrics.recall}.get(name, metrics.confusion_matrix)
    several = [make(threshold=threshold) for threshold in thresholds]
    finish = np.asarray if name not in places else lambda x: x[:, *places[name]]
    return (_together(several), lambda x: np.squeeze(finish(x))), _probable(_flat)


def _together(several):
    each = lambda f: [f(metric) for metric in several]
    return metrics.Metric(
        "together",
        lambda: each(lambda m: m.init()),
        lambda stats, *batch: [m.update(s, *batch) for m, s in zip(several, stats, strict=True)],
        lambda a, b: [m.merge(x, y) for m, x, y in zip(several, a, b, strict=True)],
        lambda stats: jnp.stack([m.compute(s) for m, s in zip(several, stats, strict=True)]),
        greater=True,
    )


def _of_numbers(name, options):
    """The share of the variance explained, correlation, and the area under the curve."""
    rows = lambda y_true, y_pred, sample_weight=None: (
        y_pred,
        y_true,
        broadcast(sample_weight, y_true.shape[:1]),
    )
    if name == "R2Score":
        if options["num_regressors"] or options["class_aggregation"] == "variance_weighted_average":
            raise NotApplicableError("adjusted, or weighted by variance")
        return _r2(options["class_aggregation"]), rows
    if name == "PearsonCorrelation":
        correlation = lambda o, y: metrics.evaluate(metrics.pearson(), o, y)
        return (metrics.mean_of(correlation, name), float), rows
    if name == "AUC":
        if options["num_thresholds"] != 200 or options["multi_label"] or options["curve"] != "ROC":
            raise NotApplicableError("few thresholds, or another area")
        return (metrics.roc_auc(), float), _probable(_flat)
    return None


def _r2(aggregation):
    """The metric of three outputs, or of each alone."""
    if aggregation is not None:
        return metrics.r2(3), float
    one = metrics.r2()
    several = [
        one._replace(update=lambda stat, o, y, w, i=i: one.update(stat, o[:, i], y[:, i], w))
        for i in range(3)
    ]
    return _together(several), np.asarray
