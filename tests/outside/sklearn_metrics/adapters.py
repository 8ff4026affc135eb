"""scikit-learn's metric functions by our metrics: their arguments translated, nothing else.

An adapter gets the arguments with their defaults and gives a value, or raises ``NotApplicable`` where we have
no such thing. Targets have been read by scikit-learn's own function before.
"""

import numpy as np
from programs import (
    of_classes,
    of_labels,
    of_means,
    of_numbers,
    of_scores,
    one_hot,
    padded_classes,
    run,
    weights,
)

SMALLEST = np.finfo(np.float64).eps


class NotApplicable(Exception):
    """What is asked for is not in our metrics."""


def _dense(y):
    return y.toarray() if hasattr(y, "toarray") else np.asarray(y)


def _labels(y):
    y = _dense(y)
    return y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y


def _coded(y, classes):
    return np.searchsorted(classes, np.asarray(y, dtype=classes.dtype))


def _classes(*ys, labels=None):
    return np.unique(
        np.concatenate([np.asarray(y).reshape(-1) for y in (*ys, *([labels] * (labels is not None)))])
    )


def _of_classes(y_true, y_pred, weight, beta=1.0, labels=None):
    """Give all metrics of predicted classes, and the classes."""
    y_true, y_pred = _labels(y_true), _labels(y_pred)
    if y_true.ndim > 1:
        raise NotApplicable("several labels a row")
    classes = _classes(y_true, y_pred, labels=labels)
    size = padded_classes(len(classes))
    outputs = one_hot(_coded(y_pred, classes), size)
    found = run(of_classes(size), outputs, _coded(y_true, classes), weights(weight, len(y_true)), beta)
    return found, classes


def counted(name):
    """precision, recall, F and Jaccard."""

    def adapter(
        y_true, y_pred, *, labels=None, pos_label=1, average="binary", sample_weight=None, beta=1.0, **others
    ):
        if others.get("zero_division", "warn") not in ("warn", 0, 0.0):
            raise NotApplicable("zero_division")
        y_true, y_pred = _labels(y_true), _labels(y_pred)
        if y_true.ndim == 2:
            if labels is not None and len(labels) != y_true.shape[1]:
                raise NotApplicable("some of the labels")
            logits = np.where(y_pred != 0, 1.0, -1.0)
            program = of_labels(y_true.shape[1])
            found = run(program, logits, y_true, weights(sample_weight, len(y_true)), beta)
            value = found[f"{name} {average}"]
            return value if average is not None or labels is None else value[np.asarray(labels)]
        if average == "binary":
            is_, said = y_true == pos_label, y_pred == pos_label
            found = run(of_classes(2), one_hot(said, 2), is_, weights(sample_weight, len(is_)), beta)
            return found[f"{name} binary"]
        if average == "samples":
            raise NotApplicable("rows without several labels")
        found, classes = _of_classes(y_true, y_pred, sample_weight, beta, labels)
        if average is None:
            shown = classes if labels is None else np.asarray(labels)
            return found[f"{name} None"][_coded(shown, classes)]
        if labels is not None and len(labels) != len(classes):
            raise NotApplicable("some of the classes")
        return found[f"{name} {average}"]

    return adapter


def accuracy(y_true, y_pred, *, normalize=True, sample_weight=None):
    found, _ = _of_classes(y_true, y_pred, sample_weight)
    return found["accuracy"] * (1 if normalize else weights(sample_weight, len(_labels(y_true))).sum())


def zero_one(y_true, y_pred, *, normalize=True, sample_weight=None):
    found, _ = _of_classes(y_true, y_pred, sample_weight)
    return (1 - found["accuracy"]) * (1 if normalize else weights(sample_weight, len(_labels(y_true))).sum())


def hamming(y_true, y_pred, *, sample_weight=None):
    y_true, y_pred = _labels(y_true), _labels(y_pred)
    if y_true.ndim == 1:
        return zero_one(y_true, y_pred, sample_weight=sample_weight)
    logits = np.where(y_pred != 0, 1.0, -1.0)
    given = weights(sample_weight, len(y_true))
    return run(of_labels(y_true.shape[1]), logits, y_true, given)["hamming_loss"]


def balanced(y_true, y_pred, *, sample_weight=None, adjusted=False):
    found, _ = _of_classes(y_true, y_pred, sample_weight)
    return found["adjusted" if adjusted else "balanced_accuracy"]


def matthews(y_true, y_pred, *, sample_weight=None):
    return _of_classes(y_true, y_pred, sample_weight)[0]["matthews"]


def kappa(y1, y2, *, labels=None, weights=None, sample_weight=None, **_):
    found, classes = _of_classes(y1, y2, sample_weight, labels=labels)
    if labels is not None and len(labels) != len(classes):
        raise NotApplicable("some of the classes")
    return found[f"kappa_{weights}"]


def confusion(y_true, y_pred, *, labels=None, sample_weight=None, normalize=None):
    if normalize is not None:
        raise NotApplicable("normalize")
    found, classes = _of_classes(y_true, y_pred, sample_weight, labels=labels)
    shown = _coded(classes if labels is None else np.asarray(labels), classes)
    return found["confusion_matrix"][np.ix_(shown, shown)]


def _logit(probability):
    p = np.clip(np.asarray(probability, np.float64), SMALLEST, 1 - SMALLEST)
    return np.log(p) - np.log1p(-p)


def _of_probabilities(name, y_true, y_proba, sample_weight, labels=None, pos_label=None):
    """Give a metric of the probabilities of class 1 of two, ``(rows,)``, or of all classes."""
    y_true, y_proba = _labels(y_true), np.asarray(y_proba, np.float64)
    if y_true.ndim == 2:
        raise NotApplicable("several labels a row")
    if y_proba.ndim == 2 and y_proba.shape[1] == 1:
        y_proba = y_proba[:, 0]
    if y_proba.ndim == 2 and y_proba.shape[1] == 2:
        y_proba = y_proba[:, 1]
    classes = _classes(y_true, labels=labels)
    given = weights(sample_weight, len(y_true))
    if y_proba.ndim == 1:
        positive = (y_true == pos_label) if pos_label is not None else y_true == classes[-1]
        return run(of_scores(2), _logit(y_proba), positive, given)[name]
    size = padded_classes(y_proba.shape[1])
    logits = np.full((len(y_proba), size), -np.inf)
    logits[:, : y_proba.shape[1]] = np.log(np.clip(y_proba, SMALLEST, 1))
    return run(of_scores(size), logits, _coded(y_true, classes), given)[name]


def log_loss(y_true, y_proba=None, *, normalize=True, sample_weight=None, labels=None, y_pred=None):
    proba = y_pred if y_proba is None else y_proba
    value = _of_probabilities("log_loss", y_true, proba, sample_weight, labels)
    return value * (1 if normalize else weights(sample_weight, len(y_true)).sum())


def brier(y_true, y_proba, *, sample_weight=None, pos_label=None, labels=None, scale_by_half="auto", **_):
    value = _of_probabilities("brier", y_true, y_proba, sample_weight, labels, pos_label)
    two = np.asarray(y_proba).ndim == 1 or np.asarray(y_proba).shape[1] <= 2
    return value * (
        {"auto": 1, True: 1, False: 2}[scale_by_half] if two else (0.5 if scale_by_half is True else 1)
    )


def explained(name):
    def adapter(y_true, y_proba=None, *, y_pred=None, sample_weight=None, labels=None, pos_label=None):
        proba = y_pred if y_proba is None else y_proba
        return _of_probabilities(name, y_true, proba, sample_weight, labels, pos_label)

    return adapter


def hinge(y_true, pred_decision, *, labels=None, sample_weight=None):
    y_true = _labels(y_true)
    if np.ndim(pred_decision) == 2 and np.shape(pred_decision)[1] > 1:
        raise NotApplicable("the hinge loss of Crammer and Singer")
    classes = _classes(y_true, labels=labels)
    decision = np.asarray(pred_decision).reshape(-1)
    given = weights(sample_weight, len(y_true))
    return run(of_scores(2), decision, y_true == classes[-1], given)["hinge"]


def top_k(y_true, y_score, *, k=2, normalize=True, sample_weight=None, labels=None):
    y_true, y_score = _labels(y_true), np.asarray(y_score)
    if y_score.ndim == 1 or y_score.shape[1] == 1:
        raise NotApplicable("two classes")
    size = padded_classes(y_score.shape[1])
    scores = np.full((len(y_score), size), -np.inf)
    scores[:, : y_score.shape[1]] = y_score
    classes = _classes(y_true, labels=labels)
    value = run(of_scores(size), scores, _coded(y_true, classes), weights(sample_weight, len(y_true)))[
        f"top_{k}"
    ]
    return value * (1 if normalize else weights(sample_weight, len(y_true)).sum())


def ranked(name):
    """ROC AUC and average precision, of every class or label against the rest."""

    def area(actual, score, weight):
        return run(of_scores(2), score, actual, weights(weight, len(actual)))[name]

    def adapter(y_true, y_score, *, average="macro", sample_weight=None, pos_label=None, **others):
        if others.get("max_fpr") is not None or others.get("multi_class") == "ovo":
            raise NotApplicable("a part of the area, or one class against another")
        y_true, y_score = _labels(y_true), np.asarray(y_score)
        if y_true.ndim == 1:
            classes = _classes(y_true, labels=others.get("labels"))
            if y_score.ndim == 1 or y_score.shape[1] == 1:
                positive = classes[-1] if pos_label in (None, 1) and pos_label not in classes else pos_label
                positive = classes[-1] if name == "roc_auc" else positive
                return area(y_true == positive, y_score.reshape(-1), sample_weight)
            y_true = y_true[:, None] == classes
        weight = np.ones(len(y_true)) if sample_weight is None else np.asarray(sample_weight)
        if average == "micro":
            return area(y_true.reshape(-1), y_score.reshape(-1), np.repeat(weight, y_true.shape[1]))
        if average == "samples":
            each = [area(actual, score, None) for actual, score in zip(y_true, y_score, strict=True)]
            return np.average(each, weights=weight)
        each = np.array([area(y_true[:, i], y_score[:, i], weight) for i in range(y_true.shape[1])])
        if average is None:
            return each
        share = weight @ y_true if average == "weighted" else None
        return np.average(each, weights=share)

    return adapter


def numbers(name, option=None, default=0.5):
    """Metrics of numbers, each output alone where that is asked for."""

    def adapter(y_true, y_pred, *, sample_weight=None, multioutput="uniform_average", **others):
        y_true, y_pred = (np.asarray(y, np.float64) for y in (y_true, y_pred))
        y_true, y_pred = (y[:, None] if y.ndim == 1 else y for y in (y_true, y_pred))
        if name == "d2_pinball" and len(y_true) < 2:
            raise NotApplicable("one row")
        if name in ("r2", "explained_variance") and (len(y_true) < 2 or not others.get("force_finite", True)):
            raise NotApplicable("one row, or force_finite=False")
        level, given = others.get(option, default), weights(sample_weight, len(y_true))
        columns = y_true.shape[1]
        if multioutput is None or isinstance(multioutput, str) and multioutput == "uniform_average":
            return run(of_numbers(columns), y_pred, y_true, given, level)[name]
        if isinstance(multioutput, str) and multioutput == "variance_weighted":
            if columns > 1:
                raise NotApplicable("outputs weighted by their variance")
            return run(of_numbers(1), y_pred, y_true, given, level)[name]
        each = [run(of_numbers(1), y_pred[:, i], y_true[:, i], given, level)[name] for i in range(columns)]
        raw = isinstance(multioutput, str)
        return np.array(each) if raw else np.average(each, weights=multioutput)

    return adapter


def deviance(name, power=None):
    def adapter(y_true, y_pred, *, sample_weight=None, power=power, **_):
        y_true, y_pred = (np.asarray(y, np.float64).reshape(-1) for y in (y_true, y_pred))
        if power == 0 and name == "deviance":
            return numbers("mse")(y_true, y_pred, sample_weight=sample_weight)
        if power < 1 or name == "d2" and len(y_true) < 2:
            raise NotApplicable("a power below 1, or one row")
        return run(of_means, np.log(y_pred), y_true, weights(sample_weight, len(y_true)), power)[name]

    return adapter


ADAPTERS = {
    "accuracy_score": accuracy,
    "average_precision_score": ranked("average_precision"),
    "balanced_accuracy_score": balanced,
    "brier_score_loss": brier,
    "cohen_kappa_score": kappa,
    "confusion_matrix": confusion,
    "d2_absolute_error_score": numbers("d2_pinball"),
    "d2_brier_score": explained("d2_brier"),
    "d2_log_loss_score": explained("d2_log_loss"),
    "d2_pinball_score": numbers("d2_pinball", "alpha"),
    "d2_tweedie_score": deviance("d2", 0),
    "explained_variance_score": numbers("explained_variance"),
    "f1_score": counted("f1"),
    "fbeta_score": counted("f_beta"),
    "hamming_loss": hamming,
    "hinge_loss": hinge,
    "jaccard_score": counted("jaccard"),
    "log_loss": log_loss,
    "matthews_corrcoef": matthews,
    "max_error": numbers("max_error"),
    "mean_absolute_error": numbers("mae"),
    "mean_absolute_percentage_error": numbers("mape"),
    "mean_gamma_deviance": deviance("deviance", 2),
    "mean_pinball_loss": numbers("pinball", "alpha"),
    "mean_poisson_deviance": deviance("deviance", 1),
    "mean_squared_error": numbers("mse"),
    "mean_squared_log_error": numbers("msle"),
    "mean_tweedie_deviance": deviance("deviance", 0),
    "median_absolute_error": numbers("median"),
    "precision_score": counted("precision"),
    "r2_score": numbers("r2"),
    "recall_score": counted("recall"),
    "roc_auc_score": ranked("roc_auc"),
    "root_mean_squared_error": numbers("rmse"),
    "root_mean_squared_log_error": numbers("rmsle"),
    "top_k_accuracy_score": top_k,
    "zero_one_loss": zero_one,
}
