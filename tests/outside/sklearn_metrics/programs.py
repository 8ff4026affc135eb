"""Our metrics as compiled programs of NumPy arrays, padded to a few sizes by rows of weight zero.

A program computes all metrics of one kind of rows, for compiling is what takes time; results are kept by
what they were computed from, since scikit-learn's tests come back to the same rows for every metric.
"""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from jdl import losses, metrics

ROWS = (64, 512, 1024)
CLASSES = (2, 8, 32)
COUNTED = ("precision", "recall", "f1", "f_beta", "jaccard")
KEPT: dict = {}


def run(program, outputs, target, weight, *options):
    """Give the results of a program, a dictionary of arrays, for rows of any number."""
    rows = len(target)
    size = next((size for size in ROWS if size >= rows), rows)
    batch = [_padded(np.asarray(x, np.float32), size) for x in (outputs, target, weight)]
    options = tuple(np.float32(option) for option in options)
    key = program, *(x.shape for x in batch), *(x.tobytes() for x in batch), *map(float, options)
    if key not in KEPT:
        # What pads is not a number, which a row of weight zero may hold.
        KEPT[key] = jax.device_get(program(*batch, *options))
    return KEPT[key]


def _padded(x, size):
    fill = np.full((size - len(x), *x.shape[1:]), np.nan if x.dtype == np.float32 else 0, np.float32)
    return np.concatenate([x, fill])


def weights(weight, rows):
    """Give weights, 1 a row where there are none, and 0 for the rows that pad."""
    weight = np.ones(rows) if weight is None else np.asarray(weight)
    size = next((size for size in ROWS if size >= rows), rows)
    return np.concatenate([weight, np.zeros(size - rows)])


@lru_cache
def of_classes(classes):
    """Metrics of predicted classes, given as one-hot logits of padded classes."""
    several = {
        "accuracy": metrics.accuracy(),
        "balanced_accuracy": metrics.balanced_accuracy(classes=classes),
        "adjusted": metrics.balanced_accuracy(classes=classes, adjusted=True),
        "matthews": metrics.matthews(classes=classes),
        "confusion_matrix": metrics.confusion_matrix(classes=classes),
    }
    for name in (None, "linear", "quadratic"):
        several[f"kappa_{name}"] = metrics.cohen_kappa(classes=classes, weights=name)
    averages = ("micro", "macro", "weighted", None, *(["binary"] if classes == 2 else []))
    return _compiled(several, averages, classes=classes)


@lru_cache
def of_labels(labels):
    """Metrics of several labels a row, given as logits."""
    averages = ("micro", "macro", "weighted", "samples", None)
    return _compiled({"hamming_loss": metrics.hamming_loss()}, averages, labels=labels)


def _compiled(several, averages, **count):
    @jax.jit
    def program(outputs, target, weight, beta):
        every = dict(several)
        for name in COUNTED:
            make = getattr(metrics, name)
            for average in averages:
                args = (beta, average) if name == "f_beta" else (average,)
                every[f"{name} {average}"] = make(*args, **count)
        return {key: metrics.evaluate(metric, outputs, target, weight) for key, metric in every.items()}

    return lambda outputs, target, weight, beta=1.0: program(outputs, target, weight, beta)


@lru_cache
def of_scores(classes):
    """Metrics of probabilities, given as logits."""
    several = {
        "log_loss": metrics.log_loss(),
        "brier": metrics.brier(),
        "d2_log_loss": metrics.d2_log_loss(classes=classes),
        "d2_brier": metrics.d2_brier(classes=classes),
    }
    if classes == 2:
        several["hinge"] = metrics.mean_of(losses.hinge)
    else:
        several |= {f"top_{k}": metrics.top_k_accuracy(k) for k in (1, 2, 3)}

    @jax.jit
    def program(*batch):
        found = {key: metrics.evaluate(metric, *batch) for key, metric in several.items()}
        if classes == 2:
            found["roc_auc"] = metrics.exact_roc_auc(*batch)
            found["average_precision"] = metrics.exact_average_precision(*batch)
        return found

    return program


@lru_cache
def of_numbers(outputs):
    """Metrics of numbers; ``level`` is that of quantiles."""
    several = {
        "mse": metrics.mse(),
        "rmse": metrics.rmse(outputs),
        "mae": metrics.mae(),
        "mape": metrics.mape(),
        "msle": metrics.msle(),
        "rmsle": metrics.rmsle(outputs),
        "max_error": metrics.max_error(),
        "explained_variance": metrics.explained_variance(outputs),
        "r2": metrics.r2(outputs),
    }

    @jax.jit
    def program(predicted, target, weight, level):
        batch = predicted, target, weight
        every = several | {"pinball": metrics.pinball(level)}
        found = {key: metrics.evaluate(metric, *batch) for key, metric in every.items()}
        found["median"] = metrics.exact_median_absolute_error(*batch)
        found["d2_pinball"] = metrics.exact_d2_pinball(*batch, level=level)
        return found

    return lambda predicted, target, weight, level=0.5: program(predicted, target, weight, level)


@jax.jit
def of_means(log_means, target, weight, power):
    """Deviances of positive means, given as their logarithms."""
    every = {"deviance": metrics.tweedie_deviance(power), "d2": metrics.d2_tweedie(power)}
    return {key: metrics.evaluate(metric, log_means, target, weight) for key, metric in every.items()}


def padded_classes(classes):
    """Give the number of classes a program has for so many."""
    return next(size for size in CLASSES if size >= classes)


def one_hot(codes, classes):
    """Give logits that say one class: the logit of 1 for two, else one for each."""
    if classes == 2:
        return np.where(np.asarray(codes) == 1, 1.0, -1.0)
    return np.asarray(jnp.asarray(codes)[:, None] == jnp.arange(classes), np.float32)
