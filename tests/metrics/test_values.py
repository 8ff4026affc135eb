"""Metrics against scikit-learn, SciPy and plain formulas."""

from functools import partial
from itertools import product

import jax
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import expit, softmax
from sklearn import metrics as sk

from jdl import losses, metrics
from tests.metrics.rows import BINARY, CLASSES, LABELS, LOGIT, LOGITS, NUMBERS, RNG, ROWS, WEIGHT

AVERAGES = ("micro", "macro", "weighted")
F2 = partial(metrics.f_beta, 2.0), partial(sk.fbeta_score, beta=2.0)
COUNTED = {
    "precision": (metrics.precision, sk.precision_score),
    "recall": (metrics.recall, sk.recall_score),
    "f1": (metrics.f1, sk.f1_score),
    "f_beta": F2,
    "jaccard": (metrics.jaccard, sk.jaccard_score),
}


def check(expected, outputs, target):
    """Evaluate the metrics in one program, for their compiling is what takes time."""
    evaluate = jax.jit(lambda *batch: [metrics.evaluate(metric, *batch) for metric, _, _ in expected])
    for found, (metric, value, rtol) in zip(evaluate(outputs, target, WEIGHT), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=rtol, atol=1e-7, err_msg=metric.name)


def of_classes(actual, said, weight=WEIGHT, classes=2):
    """What is made of classes alone."""
    given = {"sample_weight": weight}
    adjusted = partial(metrics.balanced_accuracy, adjusted=True)
    every = range(classes)
    rows = [
        (metrics.balanced_accuracy, sk.balanced_accuracy_score(actual, said, **given)),
        (adjusted, sk.balanced_accuracy_score(actual, said, adjusted=True, **given)),
        (metrics.matthews, sk.matthews_corrcoef(actual, said, **given)),
        (metrics.confusion_matrix, sk.confusion_matrix(actual, said, labels=every, **given)),
    ]
    for weights in (None, "linear", "quadratic"):
        kappa = sk.cohen_kappa_score(actual, said, weights=weights, labels=every, **given)
        rows.append((partial(metrics.cohen_kappa, weights=weights), kappa))
    return [(make(classes=classes), value, 1e-5) for make, value in rows]


def binary_forms(logit):
    """One logit a row, a column of them, and two columns."""
    return logit, logit[:, None], np.stack([0.25 * logit, 1.25 * logit], axis=1)


@pytest.mark.parametrize("form", range(3), ids=["vector", "column", "two"])
def test_binary_metrics_equal_scikit_learn(form):
    said, probability = LOGIT > 0, expit(LOGIT.astype(np.float64))
    expected = [
        (metrics.accuracy(), sk.accuracy_score(BINARY, said, sample_weight=WEIGHT), 1e-5),
        (metrics.log_loss(), sk.log_loss(BINARY, probability, sample_weight=WEIGHT), 1e-5),
        (metrics.roc_auc(), sk.roc_auc_score(BINARY, LOGIT, sample_weight=WEIGHT), 1e-3),
    ]
    names = ["precision", "recall", "f1"]
    if form == 0:
        names, given = [*COUNTED], {"sample_weight": WEIGHT}
        precision = sk.average_precision_score(BINARY, LOGIT, **given)
        expected += [
            (metrics.average_precision(), precision, 2e-3),
            (metrics.brier(), sk.brier_score_loss(BINARY, probability, **given), 1e-5),
            (metrics.d2_log_loss(), sk.d2_log_loss_score(BINARY, probability, **given), 1e-5),
            *of_classes(BINARY, said),
        ]
    for ours, score in (COUNTED[name] for name in names):
        for average in ("binary", *AVERAGES):
            value = score(BINARY, said, average=average, sample_weight=WEIGHT)
            expected.append((ours(average), value, 1e-5))
    check(expected, binary_forms(LOGIT)[form], BINARY)


@pytest.mark.parametrize("present", [4, 3], ids=["all", "one class absent"])
def test_multiclass_metrics_equal_scikit_learn(present):
    logits, actual = np.where(np.arange(4) < present, LOGITS, -9.0), CLASSES % present
    said, probability = logits.argmax(1), softmax(logits.astype(np.float64), axis=1)
    given = {"labels": range(4), "sample_weight": WEIGHT}
    explained = 1 - sk.log_loss(actual, probability, **given) / stats.entropy(
        np.bincount(actual, WEIGHT, minlength=4)
    )
    expected = [
        (metrics.accuracy(), sk.accuracy_score(actual, said, sample_weight=WEIGHT), 1e-5),
        (metrics.log_loss(), sk.log_loss(actual, probability, **given), 1e-5),
        (metrics.perplexity(), np.exp(sk.log_loss(actual, probability, **given)), 1e-5),
        (metrics.top_k_accuracy(2), sk.top_k_accuracy_score(actual, probability, k=2, **given), 1e-5),
        (metrics.brier(), np.average(((probability - np.eye(4)[actual]) ** 2).sum(1), weights=WEIGHT), 1e-5),
        (metrics.d2_log_loss(classes=4), explained, 1e-5),
        *of_classes(actual, said, classes=4),
    ]
    for ours, score in COUNTED.values():
        for average in AVERAGES:
            value = score(actual, said, average=average, sample_weight=WEIGHT)
            expected.append((ours(average, classes=4), value, 1e-5))
    check(expected, logits, actual)


def test_metrics_of_several_labels_equal_scikit_learn():
    said = LOGITS > 0
    expected = [(metrics.hamming_loss(), sk.hamming_loss(LABELS, said, sample_weight=WEIGHT), 1e-5)]
    for ours, score in COUNTED.values():
        for average in (*AVERAGES, "samples", None):
            value = score(LABELS, said, average=average, sample_weight=WEIGHT, zero_division=0)
            expected.append((ours(average, labels=4), value, 1e-5))
    check(expected, LOGITS, LABELS)


@pytest.mark.parametrize("columns", [0, 1, 2])
def test_regression_metrics_equal_scikit_learn(columns):
    shape, m = (ROWS, columns) if columns else (ROWS,), max(columns, 1)
    outputs, target = (x[:, :m].reshape(shape) for x in (LOGITS, NUMBERS))
    scores = [
        (metrics.mse(), sk.mean_squared_error),
        (metrics.r2(m), sk.r2_score),
        (metrics.rmse(m), sk.root_mean_squared_error),
        (metrics.mae(), sk.mean_absolute_error),
        (metrics.mape(), sk.mean_absolute_percentage_error),
        (metrics.explained_variance(m), sk.explained_variance_score),
        (metrics.pinball(0.3), partial(sk.mean_pinball_loss, alpha=0.3)),
    ]
    expected = [(ours, score(target, outputs, sample_weight=WEIGHT), 1e-5) for ours, score in scores]
    expected.append((metrics.max_error(), np.abs(target - outputs).max(), 1e-6))
    relative = 2 * np.abs(target - outputs) / (np.abs(target) + np.abs(outputs))
    expected.append((metrics.smape(), np.average(relative.reshape(ROWS, m).mean(1), weights=WEIGHT), 1e-5))
    check(expected, outputs, target)


def test_metrics_of_positive_numbers_equal_scikit_learn():
    target, given = np.where(BINARY == 1, NUMBERS[:, 0], 0.0), {"sample_weight": WEIGHT}
    mean = np.exp(LOGIT.astype(np.float64))
    logs = sk.mean_squared_log_error(target, np.abs(LOGIT), **given)
    check([(metrics.msle(), logs, 1e-5), (metrics.rmsle(), np.sqrt(logs), 1e-5)], np.abs(LOGIT), target)
    expected = []
    for power in (1.0, 1.4):
        deviance = sk.mean_tweedie_deviance(target, mean, power=power, **given)
        expected.append((metrics.tweedie_deviance(power), deviance, 1e-5))
        explained = sk.d2_tweedie_score(target, mean, power=power, **given)
        expected.append((metrics.d2_tweedie(power), explained, 1e-5))
    check(expected, LOGIT, target)
    live = BINARY == 1
    for power, score in product((2.0, 3.0), (sk.mean_tweedie_deviance, sk.d2_tweedie_score)):
        make = metrics.d2_tweedie if "d2" in score.__name__ else metrics.tweedie_deviance
        found = jax.jit(partial(metrics.evaluate, make(power)))(LOGIT, target, WEIGHT * BINARY)
        value = score(target[live], mean[live], power=power, sample_weight=WEIGHT[live])
        np.testing.assert_allclose(found, value, rtol=1e-4)


def test_a_column_of_outputs_fits_a_vector_of_targets():
    found = metrics.evaluate(metrics.mse(), LOGIT[:, None], NUMBERS[:, 0])
    np.testing.assert_allclose(found, sk.mean_squared_error(NUMBERS[:, 0], LOGIT), rtol=1e-5)


def test_correlations_equal_scipy():
    x, y = np.round(LOGIT, 1), np.round(NUMBERS[:, 0], 1)
    times = np.arange(ROWS) % 3
    rows = np.repeat(x, times), np.repeat(y, times)
    both = jax.jit(lambda *b: (metrics.evaluate(metrics.pearson(), *b), metrics.exact_spearman(*b)))
    found = both(x, y, times)
    expected = stats.pearsonr(*rows).statistic, stats.spearmanr(*rows).statistic
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    assert max(both(1e6 + x, -x, times)) < -0.99  # about a large mean
    assert np.isnan(both(x, np.full(ROWS, 0.1), times)).all()
    assert np.isnan(both(np.where(times, x, np.nan), y, times + 1)).all()
    found = both(np.where(times, x, np.nan), np.where(times, y, np.inf), times)
    np.testing.assert_allclose(found, expected, rtol=2e-5)


@pytest.mark.parametrize("columns", [1, 2])
def test_medians_equal_scikit_learn(columns):
    x, y = (np.round(a[:, :columns], 1) for a in (LOGITS, NUMBERS))
    times = np.arange(ROWS) % 3
    rows = np.repeat(y, times, axis=0), np.repeat(x, times, axis=0)
    explained = jax.jit(lambda *batch, level: metrics.exact_d2_pinball(*batch, level=level))
    found = metrics.exact_median_absolute_error(x, y, times)
    np.testing.assert_allclose(found, sk.median_absolute_error(*rows), rtol=1e-6)
    for level in (0.1, 0.5, 0.9):
        found = explained(x, y, times, level=level)
        np.testing.assert_allclose(found, sk.d2_pinball_score(*rows, alpha=level), rtol=1e-5)
    assert explained(1 + 0 * x, 1 + 0 * y, times, level=0.5) == 1.0
    assert explained(0 * x, 1 + 0 * y, times, level=0.5) == 0.0
    assert np.isnan(metrics.exact_median_absolute_error(x * np.nan, y, times))


def test_calibration_error_is_the_gap_in_each_bin():
    probability = softmax(LOGITS.astype(np.float64), axis=1)
    confidence, right = probability.max(1), probability.argmax(1) == CLASSES
    expected = 0.0
    for low in np.arange(10) / 10:
        inside = (confidence > low) & (confidence <= low + 0.1)
        expected += abs(np.sum(WEIGHT[inside] * (right[inside] - confidence[inside]))) / WEIGHT.sum()
    found = metrics.evaluate(metrics.calibration_error(bins=10), LOGITS, CLASSES, WEIGHT)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_crps_is_the_integral_of_the_squared_distance_of_distributions():
    y, rows = NUMBERS[:6, 0], LOGITS[:6, :2]

    def score(distribution, y, low, high, points):
        squared = lambda x: (distribution(x) - (x >= y)) ** 2
        return quad(squared, low, high, points=points, limit=200)[0]

    normal = [
        score(lambda x, m=m, v=v: stats.norm.cdf(x, m, np.exp(v / 2)), t, -30, 40, [t])
        for (m, v), t in zip(rows, y, strict=True)
    ]
    evaluate = lambda metric, *batch: jax.jit(partial(metrics.evaluate, metric))(*batch)
    found = evaluate(metrics.crps_gaussian(), rows, y)
    np.testing.assert_allclose(found, np.mean(normal), rtol=1e-4)
    members = LOGITS[:6]
    steps = [
        score(lambda x, m=m: np.mean(m <= x), t, -8, 8, sorted([t, *m]))
        for m, t in zip(members, y, strict=True)
    ]
    found = evaluate(metrics.crps_ensemble(), members, y)
    np.testing.assert_allclose(found, np.mean(steps), rtol=1e-4)
    levels = np.arange(0.5, 200) / 200
    quantiles = stats.norm.ppf(levels, rows[:, :1], np.exp(rows[:, 1:] / 2))
    found = evaluate(metrics.crps_quantiles(levels), quantiles, y)
    np.testing.assert_allclose(found, np.mean(normal), rtol=1e-2)


def test_scaled_errors():
    series = np.cumsum(RNG.normal(size=(20, 2)), axis=0)
    scale = metrics.naive_error(series, season=2)
    np.testing.assert_allclose(scale, np.abs(series[2:] - series[:-2]).mean(0), rtol=1e-5)
    found = metrics.evaluate(metrics.mase(scale), LOGITS[:, :2], NUMBERS)
    expected = (np.abs(LOGITS[:, :2] - NUMBERS).mean(0) / scale).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert metrics.evaluate(metrics.smape(), np.zeros(2), np.zeros(2)) == 0.0


def test_perplexity_of_sequences_counts_every_position():
    logits, tokens = LOGITS.reshape(12, 5, 4), CLASSES.reshape(12, 5)
    found = metrics.evaluate(metrics.perplexity(), logits, tokens, WEIGHT[:12])
    flat = metrics.evaluate(metrics.log_loss(), LOGITS, CLASSES, np.repeat(WEIGHT[:12], 5))
    np.testing.assert_allclose(found, np.exp(flat), rtol=1e-6)


def test_mean_of_takes_rows_of_any_kind():
    metric = metrics.mean_of(losses.gaussian_nll)
    outputs = NUMBERS[:, 0], LOGIT.copy()
    expected = np.average(jax.vmap(losses.gaussian_nll)(outputs, BINARY), weights=WEIGHT * BINARY)
    outputs[1][BINARY == 0] = np.nan
    assert metric.name == "gaussian_nll" and metrics.mean_of(losses.hinge, "margin").name == "margin"
    found = metric.compute(metric.update(metric.init(), outputs, BINARY, WEIGHT * BINARY))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
