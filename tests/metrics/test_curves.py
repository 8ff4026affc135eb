"""Curves and limits: ties, bins, constants, and options that are traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn import metrics as sk
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from jdl import metrics
from tests.metrics.rows import BINARY, LOGIT, NUMBERS, RNG, ROWS, WEIGHT

EXACT = jax.jit(lambda *batch: (metrics.exact_roc_auc(*batch), metrics.exact_average_precision(*batch)))


BINNED = jax.jit(
    lambda *batch: [metrics.evaluate(m(), *batch) for m in (metrics.roc_auc, metrics.average_precision)]
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.integers(0, 3)), min_size=12, max_size=12))
def test_exact_curves_equal_scikit_learn_with_ties(rows):
    score, actual, weight = (np.array(column, np.float32) for column in zip(*rows, strict=True))
    live = weight > 0
    found, binned = EXACT(score, actual, weight), BINNED(score, actual, weight)
    given = {"y_true": actual[live], "y_score": score[live], "sample_weight": weight[live]}
    if len(set(actual[live])) < 2:
        assert np.isnan([found[0], binned[0]]).all()
    else:
        expected = sk.roc_auc_score(**given)
        np.testing.assert_allclose([found[0], binned[0]], expected, rtol=1e-5, atol=1e-6)
    if not actual[live].any():
        assert np.isnan([found[1], binned[1]]).all()
    else:
        expected = sk.average_precision_score(**given)
        np.testing.assert_allclose([found[1], binned[1]], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1.0, -12.0), (0.01, 0.0), (100.0, 50.0)])
def test_binned_curves_are_close_to_the_exact_ones_on_real_data(scale, shift):
    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x[:, :3] + RNG.normal(size=(len(x), 3)) * x[:, :3].std(0))
    logit = (LogisticRegression().fit(x, y).decision_function(x) * scale + shift).astype(np.float32)
    expected = sk.roc_auc_score(y, logit), sk.average_precision_score(y, logit)
    assert min(expected) > 0.6 and max(expected) < 0.99
    weight = np.ones(len(y))
    np.testing.assert_allclose(EXACT(logit, y, weight), expected, rtol=1e-6)
    area, precision = np.abs(np.subtract(BINNED(logit, y, weight), expected))
    assert area < 1e-3 and precision < 2e-3


def test_r2_with_a_mean_far_from_zero():
    target = (1e6 + np.round(NUMBERS[:, 0] * 16)).astype(np.float32)
    outputs = target + np.round(LOGIT * 8).astype(np.float32)
    expected = sk.r2_score(target.astype(np.float64), outputs, sample_weight=WEIGHT)
    metric = metrics.r2()
    np.testing.assert_allclose(metrics.evaluate(metric, outputs, target, WEIGHT), expected, rtol=1e-5)
    stat, update = metric.init(), jax.jit(metric.update)
    for i in range(0, ROWS, 5):
        stat = update(stat, outputs[i : i + 5], target[i : i + 5], WEIGHT[i : i + 5])
    np.testing.assert_allclose(metric.compute(stat), expected, rtol=1e-5)


def test_r2_of_a_constant_target():
    target = np.full(ROWS, 0.1, np.float32)
    metric = metrics.r2()
    assert metrics.evaluate(metric, target, target, WEIGHT) == 1.0
    assert metrics.evaluate(metric, LOGIT, target, WEIGHT) == 0.0
    half = metric.update(metric.init(), LOGIT, target, WEIGHT)
    assert metric.compute(metric.merge(half, metric.update(half, LOGIT, target, 3 * WEIGHT))) == 0.0
    shifted = metrics.explained_variance()
    assert metrics.evaluate(shifted, target + 1, target, WEIGHT) == 1.0
    assert metrics.evaluate(shifted, LOGIT, target, WEIGHT) == 0.0


def test_a_class_never_predicted_or_never_seen_scores_zero():
    names = "precision", "recall", "f1", "jaccard", "matthews", "cohen_kappa", "d2_log_loss"
    several = jax.jit(lambda *b: {name: metrics.evaluate(getattr(metrics, name)(), *b) for name in names})
    never_said, never_seen = np.full(3, -1.0), np.zeros(3, np.int32)
    assert several(never_said, np.ones(3, np.int32))["precision"] == 0.0
    assert several(-never_said, never_seen)["recall"] == 0.0
    found = several(never_said, never_seen)
    assert found["f1"] == found["jaccard"] == found["matthews"] == 0.0
    assert np.isnan(found["cohen_kappa"]) and np.isnan(found["d2_log_loss"])


def test_the_threshold_may_be_traced():
    def score(threshold):
        return metrics.evaluate(metrics.recall(threshold=threshold), LOGIT, BINARY, WEIGHT)

    found = jax.jit(jax.vmap(score))(jnp.array([0.2, 0.5, 0.8]))
    expected = [sk.recall_score(BINARY, expit(LOGIT) > t, sample_weight=WEIGHT) for t in (0.2, 0.5, 0.8)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_other_options_may_be_traced():
    def scores(x):
        several = [metrics.f_beta(x), metrics.pinball(x), metrics.tweedie_deviance(1 + x), metrics.mase(x)]
        target = [BINARY, NUMBERS[:, 0], NUMBERS[:, 0], NUMBERS[:, 0]]
        values = [metrics.evaluate(m, LOGIT, t, WEIGHT) for m, t in zip(several, target, strict=True)]
        return jnp.stack([*values, metrics.exact_d2_pinball(LOGIT, NUMBERS[:, 0], WEIGHT, level=x)])

    found, alone = jax.jit(jax.vmap(scores))(jnp.array([0.2, 0.8])), jax.jit(scores)
    np.testing.assert_allclose(found, [alone(0.2), alone(0.8)], rtol=1e-5)
    assert np.isfinite(found).all() and (np.abs(found[0] - found[1]) > 1e-3).all()
