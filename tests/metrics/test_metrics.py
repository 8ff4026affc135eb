"""What every metric promises: weighted, merged in any order, with rows that must not count."""

from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdl import losses, metrics
from tests.metrics.rows import BINARY, CLASSES, LABELS, LOGIT, LOGITS, NUMBERS, ROWS, WEIGHT


def shares(metric):
    """A matrix of weights as shares of all, which do not grow with the number of rows."""
    return metric._replace(compute=lambda stat: metric.compute(stat) / jnp.sum(metric.compute(stat)))


# Metrics of the same kind of rows, which are tested together: their compiling is what takes time.
GROUPS = {
    "two classes": (
        LOGIT,
        BINARY,
        [
            metrics.accuracy(), metrics.log_loss(), metrics.f1(), metrics.roc_auc(bins=64),
            metrics.average_precision(bins=64), metrics.brier(), metrics.calibration_error(bins=5),
            metrics.balanced_accuracy(), metrics.matthews(), metrics.cohen_kappa(), metrics.jaccard(),
            metrics.f_beta(2.0), metrics.d2_log_loss(), metrics.d2_brier(),
            metrics.mean_of(losses.hinge), shares(metrics.confusion_matrix()),
        ],
    ),
    "classes": (
        LOGITS,
        CLASSES,
        [
            metrics.accuracy(), metrics.log_loss(), metrics.f1("macro", classes=4),
            metrics.precision("weighted", classes=4), metrics.recall("micro", classes=4),
            metrics.jaccard(None, classes=4), metrics.top_k_accuracy(2), metrics.brier(),
            metrics.perplexity(), metrics.calibration_error(), metrics.d2_log_loss(classes=4),
            metrics.d2_brier(classes=4), metrics.balanced_accuracy(classes=4, adjusted=True),
            metrics.matthews(classes=4), metrics.cohen_kappa(classes=4, weights="quadratic"),
            shares(metrics.confusion_matrix(classes=4)),
        ],
    ),
    "labels": (
        LOGITS,
        LABELS,
        [
            metrics.hamming_loss(), metrics.f1("samples", labels=4), metrics.f1("macro", labels=4),
            metrics.precision("weighted", labels=4), metrics.recall("micro", labels=4),
            metrics.f_beta(0.5, None, labels=4),
        ],
    ),
    "numbers": (
        LOGITS[:, :2],
        NUMBERS,
        [
            metrics.mse(), metrics.r2(2), metrics.rmse(2), metrics.mae(), metrics.mape(),
            metrics.max_error(), metrics.explained_variance(2), metrics.pinball(0.3), metrics.smape(),
            metrics.mase(np.array([0.5, 2.0])),
        ],
    ),
    "positive numbers": (
        np.abs(LOGIT),
        np.abs(NUMBERS[:, 0]),
        [
            metrics.tweedie_deviance(1.0), metrics.tweedie_deviance(1.5), metrics.tweedie_deviance(2.0),
            metrics.d2_tweedie(1.0), metrics.d2_tweedie(1.5), metrics.msle(), metrics.rmsle(),
            metrics.pearson(),
        ],
    ),
    "forecasts": (
        LOGITS[:, :2],
        NUMBERS[:, 0],
        [
            metrics.crps_gaussian(), metrics.crps_ensemble(), metrics.crps_quantiles([0.2, 0.8]),
            metrics.pinball([0.2, 0.8]),
        ],
    ),
}  # fmt: skip
every_group = pytest.mark.parametrize("name", GROUPS)


def together(several):
    """One metric of several, which gives all their values in one array."""

    def values(stats):
        return jnp.concatenate(
            [jnp.ravel(one.compute(stat)) for one, stat in zip(several, stats, strict=True)]
        )

    return metrics.Metric(
        "together",
        lambda: tuple(one.init() for one in several),
        lambda stats, *batch: tuple(
            one.update(stat, *batch) for one, stat in zip(several, stats, strict=True)
        ),
        lambda a, b: tuple(one.merge(x, y) for one, x, y in zip(several, a, b, strict=True)),
        values,
        greater=True,
    )


CASES = {name: (together(several), *rows) for name, (*rows, several) in GROUPS.items()}


def evaluated(metric, outputs, target, weight):
    """The statistic and the value of a batch, in one program."""
    stat = metric.update(metric.init(), outputs, target, weight)
    return stat, metric.compute(stat)


def merged(metric, stats):
    """Merge four statistics one after the other, and two by two the other way round."""
    a, b, c, d = stats
    chain = reduce(metric.merge, stats)
    tree = metric.merge(metric.merge(d, b), metric.merge(c, a))
    return metric.compute(chain), metric.compute(tree)


BOTH = {name: jax.jit(partial(evaluated, metric)) for name, (metric, *_) in CASES.items()}
MERGED = {name: jax.jit(partial(merged, metric)) for name, (metric, *_) in CASES.items()}


@every_group
@settings(max_examples=15, deadline=None)
@given(parts=st.lists(st.integers(0, 3), min_size=ROWS, max_size=ROWS), order=st.permutations(range(4)))
def test_any_partition_merged_in_any_order_gives_the_same(name, parts, order):
    _, outputs, target = CASES[name]
    _, whole = BOTH[name](outputs, target, WEIGHT)
    stats = [BOTH[name](outputs, target, WEIGHT * (np.array(parts) == i))[0] for i in order]
    for found in MERGED[name](stats):
        np.testing.assert_allclose(found, whole, rtol=2e-6, atol=1e-6)


@every_group
def test_jit_vmap_and_scan_equal_the_plain_call(name):
    metric, outputs, target = CASES[name]

    def scanned(*batches):
        update = lambda stat, batch: (metric.update(stat, *batch), None)
        return metric.compute(jax.lax.scan(update, metric.init(), batches)[0])

    batches = [np.reshape(x, (2, 3, ROWS // 6, *x.shape[1:])) for x in (outputs, target, WEIGHT)]
    found = jax.jit(jax.vmap(scanned))(*batches)
    for i in range(2):
        _, half = BOTH[name](outputs, target, WEIGHT * (np.arange(ROWS) // (ROWS // 2) == i))
        np.testing.assert_allclose(found[i], half, rtol=2e-6, atol=1e-6)


@every_group
def test_rows_of_weight_zero_change_no_bit(name):
    _, outputs, target = CASES[name]
    live = np.arange(ROWS) % 6 == 1
    weight, spoiled, nonsense = WEIGHT * live, outputs.copy(), np.array(target, np.float32)
    spoiled[~live], nonsense[~live] = np.nan, np.nan
    spoiled[::6] = np.inf
    clean, _ = BOTH[name](outputs, target, weight)
    dirty, value = BOTH[name](spoiled, nonsense, weight)
    jax.tree.map(np.testing.assert_array_equal, clean, dirty)
    alone = [
        np.repeat(x[live], 6, axis=0) for x in (outputs, target, weight)
    ]  # in the shape that is compiled
    _, alone = BOTH[name](*alone)
    np.testing.assert_allclose(value, alone, rtol=2e-6, atol=1e-7)


@every_group
def test_a_weight_of_two_is_two_rows(name):
    _, outputs, target = CASES[name]
    weight = np.arange(ROWS, dtype=np.float32) % 3
    times = weight.astype(int)
    _, found = BOTH[name](outputs, target, weight)
    rows = np.repeat(outputs, times, axis=0), np.repeat(target, times, axis=0)
    np.testing.assert_allclose(BOTH[name](*rows, np.ones(ROWS))[1], found, rtol=2e-6, atol=1e-6)


@every_group
def test_what_is_wrong_in_a_row_that_counts_gives_nan(name):
    _, outputs, target = CASES[name]
    spoiled, negative = outputs.copy(), WEIGHT.copy()
    spoiled[3], negative[3] = np.nan, -1.0
    assert np.isnan(BOTH[name](spoiled, target, WEIGHT)[1]).all()
    assert np.isnan(BOTH[name](outputs, target, negative)[1]).all()
    if np.issubdtype(target.dtype, np.integer):
        for bad in (-1, 4, 0.5):
            wrong = np.array(target, np.float32)
            wrong[3] = bad
            _, found = BOTH[name](outputs, wrong, WEIGHT)
            if name == "two classes":  # a hinge loss takes a label between 0 and 1
                found = np.delete(found, 14) if bad == 0.5 else found
            assert np.isnan(found).all(), bad


@every_group
def test_no_rows_give_nan(name):
    metric, outputs, target = CASES[name]
    assert np.isnan(metric.compute(metric.init())).all()
    assert np.isnan(BOTH[name](outputs, target, 0.0 * WEIGHT)[1]).all()


@every_group
def test_sums_stay_exact_over_sixty_million_rows(name):
    metric, outputs, target = CASES[name]
    halves = [
        BOTH[name](outputs, target, WEIGHT * (np.arange(ROWS) < ROWS // 2))[0],
        BOTH[name](outputs, target, WEIGHT * (np.arange(ROWS) >= ROWS // 2))[0],
    ]

    # A thousand merges of each half, then a thousand of the result: 60 million rows.
    def repeat(stat):
        return jax.lax.fori_loop(0, 1000, lambda _, total: metric.merge(total, stat), metric.init())

    @jax.jit
    def large(a, b):
        return metric.compute(reduce(metric.merge, [repeat(metric.merge(repeat(a), repeat(b))), a, b]))

    _, whole = BOTH[name](outputs, target, WEIGHT)
    np.testing.assert_allclose(large(*halves), whole, rtol=1e-6, atol=2e-7)


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


def test_names_and_directions():
    found = {metric.name: metric.greater for _, _, several in GROUPS.values() for metric in several}
    assert found == {
        "accuracy": True, "log_loss": False, "f1": True, "roc_auc": True, "average_precision": True,
        "brier": False, "calibration_error": False, "balanced_accuracy": True, "matthews": True,
        "cohen_kappa": True, "jaccard": True, "f_beta": True, "d2_log_loss": True, "d2_brier": True,
        "hinge": False, "confusion_matrix": False, "f1_macro": True, "precision_weighted": True,
        "recall_micro": True, "jaccard_by_class": True, "top_2_accuracy": True, "perplexity": False,
        "hamming_loss": False, "f1_samples": True, "f_beta_by_class": True, "mse": False, "r2": True,
        "rmse": False, "mae": False, "mape": False, "max_error": False, "explained_variance": True,
        "pinball": False, "smape": False, "mase": False, "tweedie_deviance": False, "d2_tweedie": True,
        "msle": False, "rmsle": False, "pearson": True, "crps_gaussian": False, "crps_ensemble": False,
        "crps_quantiles": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.f1("mean"), "average is 'mean', needs one of binary, micro, macro, weighted"),
        (lambda: metrics.f1(classes=3), "classes=3"),
        (lambda: metrics.f1(labels=3), "binary.* found labels=3"),
        (lambda: metrics.f1("samples", classes=3), "samples.* needs labels="),
        (lambda: metrics.cohen_kappa(weights="cubic"), "cohen_kappa: weights are 'cubic', needs None"),
        (lambda: metrics.evaluate(metrics.f1("macro", classes=3), LOGITS, CLASSES), "4 classes.*classes=3"),
        (lambda: metrics.evaluate(metrics.f1("macro", labels=3), LOGITS, LABELS), "4 labels.*labels=3"),
        (lambda: metrics.evaluate(metrics.hamming_loss(), LOGITS, CLASSES), r"\(60, 4\).*\(60,\).* labels\)"),
        (lambda: metrics.evaluate(metrics.cohen_kappa(), LOGITS, CLASSES), "4 classes.*classes=2"),
        (lambda: metrics.evaluate(metrics.d2_brier(), LOGITS, CLASSES), "d2_brier: outputs of 4 classes"),
        (lambda: metrics.evaluate(metrics.top_k_accuracy(), LOGIT, BINARY), "more than two classes"),
        (lambda: metrics.evaluate(metrics.accuracy(), LOGITS, CLASSES[:5]), r"\(60, 4\).*\(5,\)"),
        (lambda: metrics.evaluate(metrics.accuracy(), LOGITS, LOGITS), r"target \(60, 4\).* and \(batch,\)"),
        (lambda: metrics.evaluate(metrics.accuracy(), LOGITS, CLASSES, WEIGHT[:5]), r"weights \(5,\)"),
        (lambda: metrics.evaluate(metrics.mse(), LOGITS, NUMBERS), r"\(60, 4\).*\(60, 2\).*same shape"),
        (lambda: metrics.evaluate(metrics.r2(), NUMBERS, NUMBERS), r"2 outputs.*r2\(outputs=1\)"),
        (lambda: metrics.evaluate(metrics.rmse(), NUMBERS, NUMBERS), r"2 outputs.*rmse\(outputs=1\)"),
        (lambda: metrics.evaluate(metrics.pearson(), NUMBERS, NUMBERS), r"2 outputs.*pearson\(outputs=1\)"),
        (lambda: metrics.exact_spearman(NUMBERS, NUMBERS), r"exact_spearman: .*\(60, 2\), needs one column"),
        (lambda: metrics.evaluate(metrics.d2_tweedie(), NUMBERS, NUMBERS), r"d2_tweedie: .* one a row"),
        (lambda: metrics.evaluate(metrics.roc_auc(), LOGITS, CLASSES), "logits of two classes"),
        (lambda: metrics.exact_roc_auc(LOGITS, CLASSES), "logits of two classes"),
        (lambda: metrics.exact_average_precision(LOGITS, CLASSES), "average_precision: .* two classes"),
        (lambda: metrics.evaluate(metrics.pinball([0.1, 0.2]), LOGITS, LOGIT), r"needs \(batch, 2\)"),
        (lambda: metrics.evaluate(metrics.crps_gaussian(), LOGITS, LOGIT), r"crps_gaussian: .*\(batch, 2\)"),
        (lambda: metrics.evaluate(metrics.crps_ensemble(), LOGIT, LOGIT), r"crps_ensemble: .*\(batch, k\)"),
        (lambda: metrics.evaluate(metrics.mase(np.ones(3)), NUMBERS, NUMBERS), r"scale has shape \(3,\)"),
        (lambda: metrics.naive_error(np.ones(3), season=3), "naive_error: found 3 steps"),
    ],
)
def test_what_does_not_fit_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()
