"""Metrics against scikit-learn: weighted, merged in any order, with rows that must not count."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn import metrics as sk
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from jdl import metrics

RNG = np.random.default_rng(0)
ROWS = 60
WEIGHT = RNG.gamma(1.0, size=ROWS).astype(np.float32)
LOGIT = RNG.normal(size=ROWS).astype(np.float32)
BINARY = (LOGIT + RNG.normal(size=ROWS) > 0).astype(np.int32)
LOGITS = RNG.normal(size=(ROWS, 4)).astype(np.float32)
CLASSES = RNG.integers(0, 4, ROWS)
NUMBERS = (LOGITS[:, :2] + 0.5 * RNG.normal(size=(ROWS, 2)) + 3.0).astype(np.float32)
AVERAGES = ("micro", "macro", "weighted")
COUNTED = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}

CASES = {
    "accuracy": (metrics.accuracy(), LOGIT, BINARY),
    "accuracy_4": (metrics.accuracy(), LOGITS, CLASSES),
    "log_loss": (metrics.log_loss(), LOGIT, BINARY),
    "log_loss_4": (metrics.log_loss(), LOGITS, CLASSES),
    "f1": (metrics.f1(), LOGIT, BINARY),
    "f1_macro": (metrics.f1("macro", classes=4), LOGITS, CLASSES),
    "precision_weighted": (metrics.precision("weighted", classes=4), LOGITS, CLASSES),
    "recall_micro": (metrics.recall("micro", classes=4), LOGITS, CLASSES),
    "roc_auc": (metrics.roc_auc(bins=64), LOGIT, BINARY),
    "mse": (metrics.mse(), LOGITS[:, :2], NUMBERS),
    "r2": (metrics.r2(2), LOGITS[:, :2], NUMBERS),
}
UPDATE = {name: jax.jit(metric.update) for name, (metric, _, _) in CASES.items()}
EVALUATE = {name: jax.jit(partial(metrics.evaluate, metric)) for name, (metric, _, _) in CASES.items()}
EXACT = jax.jit(metrics.exact_roc_auc)
BINNED = jax.jit(partial(metrics.evaluate, metrics.roc_auc()))
every_case = pytest.mark.parametrize("name", CASES)


def check(expected, outputs, target):
    """Evaluate the metrics in one program, for their compiling is what takes time."""
    evaluate = jax.jit(lambda *batch: [metrics.evaluate(metric, *batch) for metric, _, _ in expected])
    for found, (metric, value, rtol) in zip(evaluate(outputs, target, WEIGHT), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=rtol, err_msg=metric.name)


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
    for name, score in COUNTED.items():
        for average in ("binary", *AVERAGES):
            value = score(BINARY, said, average=average, sample_weight=WEIGHT)
            expected.append((getattr(metrics, name)(average), value, 1e-5))
    check(expected, binary_forms(LOGIT)[form], BINARY)


@pytest.mark.parametrize("present", [4, 3], ids=["all", "one class absent"])
def test_multiclass_metrics_equal_scikit_learn(present):
    logits, actual = np.where(np.arange(4) < present, LOGITS, -9.0), CLASSES % present
    said, probability = logits.argmax(1), softmax(logits.astype(np.float64), axis=1)
    log_loss = sk.log_loss(actual, probability, labels=range(4), sample_weight=WEIGHT)
    expected = [
        (metrics.accuracy(), sk.accuracy_score(actual, said, sample_weight=WEIGHT), 1e-5),
        (metrics.log_loss(), log_loss, 1e-5),
    ]
    for name, score in COUNTED.items():
        for average in AVERAGES:
            value = score(actual, said, average=average, sample_weight=WEIGHT)
            expected.append((getattr(metrics, name)(average, classes=4), value, 1e-5))
    check(expected, logits, actual)


@pytest.mark.parametrize("columns", [0, 1, 2])
def test_regression_metrics_equal_scikit_learn(columns):
    shape = (ROWS, columns) if columns else (ROWS,)
    outputs, target = (x[:, : max(columns, 1)].reshape(shape) for x in (LOGITS, NUMBERS))
    expected = [
        (metrics.mse(), sk.mean_squared_error(target, outputs, sample_weight=WEIGHT), 1e-5),
        (metrics.r2(max(columns, 1)), sk.r2_score(target, outputs, sample_weight=WEIGHT), 1e-5),
    ]
    check(expected, outputs, target)


def test_a_column_of_outputs_fits_a_vector_of_targets():
    found = metrics.evaluate(metrics.mse(), LOGIT[:, None], NUMBERS[:, 0])
    np.testing.assert_allclose(found, sk.mean_squared_error(NUMBERS[:, 0], LOGIT), rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.integers(0, 3)), min_size=12, max_size=12))
def test_exact_roc_auc_equals_scikit_learn_with_ties(rows):
    score, actual, weight = (np.array(column, np.float32) for column in zip(*rows, strict=True))
    live = weight > 0
    found, binned = EXACT(score, actual, weight), BINNED(score, actual, weight)
    if len(set(actual[live])) < 2:
        assert np.isnan(found) and np.isnan(binned)
    else:
        expected = sk.roc_auc_score(actual[live], score[live], sample_weight=weight[live])
        np.testing.assert_allclose([found, binned], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1.0, -12.0), (0.01, 0.0), (100.0, 50.0)])
def test_binned_roc_auc_is_close_to_the_exact_one_on_real_data(scale, shift):
    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x[:, :3] + RNG.normal(size=(len(x), 3)) * x[:, :3].std(0))
    logit = (LogisticRegression().fit(x, y).decision_function(x) * scale + shift).astype(np.float32)
    expected = sk.roc_auc_score(y, logit)
    assert 0.6 < expected < 0.99
    np.testing.assert_allclose(EXACT(logit, y), expected, rtol=1e-6)
    assert abs(BINNED(logit, y) - expected) < 1e-3


@every_case
@settings(max_examples=15, deadline=None)
@given(parts=st.lists(st.integers(0, 3), min_size=ROWS, max_size=ROWS), order=st.permutations(range(4)))
def test_any_partition_merged_in_any_order_gives_the_same(name, parts, order):
    metric, outputs, target = CASES[name]
    whole = metric.compute(UPDATE[name](metric.init(), outputs, target, WEIGHT))
    stats = [UPDATE[name](metric.init(), outputs, target, WEIGHT * (np.array(parts) == i)) for i in range(4)]
    a, b, c, d = (stats[i] for i in order)
    chain = metric.merge(metric.merge(metric.merge(a, b), c), d)
    tree = metric.merge(metric.merge(d, c), metric.merge(b, a))
    np.testing.assert_allclose([metric.compute(chain), metric.compute(tree)], whole, rtol=2e-6, atol=1e-6)


@every_case
def test_jit_vmap_and_scan_equal_the_plain_call(name):
    metric, outputs, target = CASES[name]
    whole = EVALUATE[name](outputs, target, WEIGHT)
    batches = [np.reshape(x, (6, ROWS // 6, *x.shape[1:])) for x in (outputs, target, WEIGHT)]

    def scanned(outputs, target, weight):
        batches = outputs, target, weight
        return metric.compute(
            jax.lax.scan(lambda stat, b: (metric.update(stat, *b), None), metric.init(), batches)[0]
        )

    np.testing.assert_allclose(jax.jit(scanned)(*batches), whole, rtol=2e-6, atol=1e-6)
    found = jax.jit(jax.vmap(lambda *b: metrics.evaluate(metric, *b)))(*batches)
    apart = [EVALUATE[name](*(x[i] for x in batches)) for i in range(6)]
    np.testing.assert_allclose(found, apart, rtol=2e-6, atol=1e-6)


@every_case
def test_rows_of_weight_zero_change_no_bit(name):
    metric, outputs, target = CASES[name]
    weight = WEIGHT.copy()
    weight[::3] = 0.0
    spoiled, nonsense = outputs.copy(), np.array(target, np.float32)
    spoiled[::3], nonsense[::3] = np.nan, np.nan
    spoiled[::6] = np.inf
    clean = UPDATE[name](metric.init(), outputs, target, weight)
    dirty = UPDATE[name](metric.init(), spoiled, nonsense, weight)
    jax.tree.map(np.testing.assert_array_equal, clean, dirty)
    live = weight > 0
    alone = metrics.evaluate(metric, outputs[live], target[live], weight[live])
    np.testing.assert_allclose(metric.compute(dirty), alone, rtol=2e-6)


@every_case
def test_what_is_wrong_in_a_row_that_counts_gives_nan(name):
    metric, outputs, target = CASES[name]
    spoiled, negative = outputs.copy(), WEIGHT.copy()
    spoiled[3], negative[3] = np.nan, -1.0
    assert np.isnan(EVALUATE[name](spoiled, target, WEIGHT))
    assert np.isnan(EVALUATE[name](outputs, target, negative))
    if np.issubdtype(target.dtype, np.integer):
        for bad in (-1, 4, 0.5):
            wrong = np.array(target, np.float32)
            wrong[3] = bad
            assert np.isnan(EVALUATE[name](outputs, wrong, WEIGHT)), bad


@every_case
def test_no_rows_give_nan(name):
    metric, outputs, target = CASES[name]
    assert np.isnan(metric.compute(metric.init()))
    assert np.isnan(EVALUATE[name](outputs, target, 0.0 * WEIGHT))


@every_case
def test_sums_stay_exact_over_sixty_million_rows(name):
    metric, outputs, target = CASES[name]
    halves = [
        UPDATE[name](metric.init(), outputs, target, WEIGHT * (np.arange(ROWS) < ROWS // 2)),
        UPDATE[name](metric.init(), outputs, target, WEIGHT * (np.arange(ROWS) >= ROWS // 2)),
    ]

    # A thousand merges of each half, then a thousand of the result: 60 million rows.
    def repeat(stat):
        return jax.lax.fori_loop(0, 1000, lambda _, total: metric.merge(total, stat), metric.init())

    large = jax.jit(lambda a, b: repeat(metric.merge(repeat(a), repeat(b))))(*halves)
    for half in halves:
        large = metric.merge(large, half)
    np.testing.assert_allclose(
        metric.compute(large), EVALUATE[name](outputs, target, WEIGHT), rtol=1e-6, atol=2e-7
    )


def test_small_batches_are_not_lost_in_a_large_sum():
    metric = metrics.accuracy()
    right = metric.update(metric.init(), np.ones(1), np.ones(1, np.int32), np.ones(1))
    wrong = metric.update(metric.init(), np.ones(1), np.zeros(1, np.int32), np.full(1, 2.0**25))

    def add(_, stat):
        return metric.merge(stat, right)

    stat = jax.jit(lambda s: jax.lax.fori_loop(0, 100_000, add, s))(wrong)
    np.testing.assert_allclose(metric.compute(stat), 1e5 / (2.0**25 + 1e5), rtol=1e-6)


def test_one_batch_is_summed_exactly():
    weight = np.array([2.0**25, *np.ones(1000)], np.float32)
    target = np.array([0, *np.ones(1000)], np.int32)
    found = metrics.evaluate(metrics.accuracy(), np.ones(1001), target, weight)
    np.testing.assert_allclose(found, 1000 / (2.0**25 + 1000), rtol=1e-6)


def test_r2_with_a_mean_far_from_zero():
    target = (1e6 + np.round(NUMBERS[:, 0] * 16)).astype(np.float32)
    outputs = target + np.round(LOGIT * 8).astype(np.float32)
    expected = sk.r2_score(target.astype(np.float64), outputs, sample_weight=WEIGHT)
    metric = metrics.r2()
    np.testing.assert_allclose(metrics.evaluate(metric, outputs, target, WEIGHT), expected, rtol=1e-5)
    stat = metric.init()
    for i in range(0, ROWS, 5):
        stat = metric.update(stat, outputs[i : i + 5], target[i : i + 5], WEIGHT[i : i + 5])
    np.testing.assert_allclose(metric.compute(stat), expected, rtol=1e-5)


def test_r2_of_a_constant_target():
    target = np.full(ROWS, 0.1, np.float32)
    metric = metrics.r2()
    assert metrics.evaluate(metric, target, target, WEIGHT) == 1.0
    assert metrics.evaluate(metric, LOGIT, target, WEIGHT) == 0.0
    half = metric.update(metric.init(), LOGIT, target, WEIGHT)
    assert metric.compute(metric.merge(half, metric.update(half, LOGIT, target, 3 * WEIGHT))) == 0.0


def test_a_class_never_predicted_or_never_seen_scores_zero():
    never_said, never_seen = np.full(3, -1.0), np.zeros(3, np.int32)
    assert metrics.evaluate(metrics.precision(), never_said, np.ones(3, np.int32)) == 0.0
    assert metrics.evaluate(metrics.recall(), -never_said, never_seen) == 0.0
    assert metrics.evaluate(metrics.f1(), never_said, never_seen) == 0.0


def test_the_threshold_may_be_traced():
    def score(threshold):
        return metrics.evaluate(metrics.recall(threshold=threshold), LOGIT, BINARY, WEIGHT)

    found = jax.jit(jax.vmap(score))(jnp.array([0.2, 0.5, 0.8]))
    expected = [sk.recall_score(BINARY, expit(LOGIT) > t, sample_weight=WEIGHT) for t in (0.2, 0.5, 0.8)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_names_and_directions():
    greater = {metric.name: metric.greater for metric, _, _ in CASES.values()}
    assert greater == {
        "accuracy": True, "log_loss": False, "f1": True, "f1_macro": True, "precision_weighted": True,
        "recall_micro": True, "roc_auc": True, "mse": False, "r2": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.f1("mean"), "average is 'mean', needs one of binary, micro, macro, weighted"),
        (lambda: metrics.f1(classes=3), "classes=3"),
        (lambda: metrics.evaluate(metrics.f1("macro", classes=3), LOGITS, CLASSES), "4 classes.*classes=3"),
        (lambda: metrics.evaluate(metrics.accuracy(), LOGITS, CLASSES[:5]), r"\(60, 4\).*\(5,\)"),
        (lambda: metrics.evaluate(metrics.accuracy(), LOGITS, LOGITS), r"target \(60, 4\).* and \(batch,\)"),
        (lambda: metrics.evaluate(metrics.accuracy(), LOGITS, CLASSES, WEIGHT[:5]), r"weights \(5,\)"),
        (lambda: metrics.evaluate(metrics.mse(), LOGITS, NUMBERS), r"\(60, 4\).*\(60, 2\).*same shape"),
        (lambda: metrics.evaluate(metrics.r2(), NUMBERS, NUMBERS), r"2 outputs.*r2\(outputs=1\)"),
        (lambda: metrics.evaluate(metrics.roc_auc(), LOGITS, CLASSES), "logits of two classes"),
        (lambda: metrics.exact_roc_auc(LOGITS, CLASSES), "logits of two classes"),
    ],
)
def test_what_does_not_fit_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()
