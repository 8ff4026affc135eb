"""Calibration against scikit-learn, SciPy and parameters that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression

from jdl.sweeps import calibrate
from jdl.sweeps.crossfit import log_loss


class Known(ClassifierMixin, BaseEstimator):
    """A classifier whose inputs are its logits."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x):
        return special.softmax(x, 1)

    def predict(self, x):
        return x.argmax(1)


def drawn(rows, classes, seed, scale=1.0, shift=0.0):
    """Draw logits, and classes with the probabilities that the logits times ``scale`` plus ``shift`` mean."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, classes)) * 2
    chance = special.softmax(logits * scale + shift, 1)
    return logits, (chance.cumsum(1) < rng.uniform(size=(rows, 1))).sum(1)


@pytest.mark.parametrize("classes", [2, 4])
def test_temperature_is_scikit_learns(classes):
    logits, target = drawn(3000, classes, 0, scale=0.6)
    beta = calibrate.temperature().fit(logits, target, None)
    frozen = FrozenEstimator(Known().fit(logits, target))
    peer = CalibratedClassifierCV(frozen, method="temperature", ensemble=False).fit(logits, target)
    (inner,) = peer.calibrated_classifiers_[0].calibrators
    assert beta == pytest.approx(inner.beta_, rel=3e-3)
    assert beta == pytest.approx(0.6, rel=0.1)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_temperature_minimises_its_loss(seed, classes):
    logits, target = drawn(30, classes, seed)
    weight = np.random.default_rng(seed).uniform(0.1, 1, 30)
    smooth = np.full((30, classes), 1 / 32 / (classes - 1))
    smooth[np.arange(30), target] = 31 / 32

    def loss(beta):
        return -weight @ (smooth * special.log_softmax(beta * logits, 1)).sum(1)

    found = calibrate.temperature().fit(logits, target, weight)
    best = optimize.minimize_scalar(loss, (0.0, 1.0), method="brent", bounds=None).x
    assert found == pytest.approx(max(best, 0.0), rel=1e-4, abs=1e-5)


def test_vector_finds_the_scales_and_shifts_that_made_the_classes():
    scale, shift = np.array([0.5, 1.0, 1.5]), np.array([0.5, 0.0, -0.5])
    logits, target = drawn(10_000, 3, 1, scale, shift)
    rule = calibrate.vector()
    stats = rule.fit(logits - logits.mean(1, keepdims=True), target, None)
    wanted = special.softmax(logits * scale + shift, 1)
    assert log_loss(rule.apply(stats, logits), target) < log_loss(special.softmax(logits, 1), target) - 0.01
    plain = calibrate.temperature()
    assert log_loss(rule.apply(stats, logits), target) < log_loss(
        plain.apply(plain.fit(logits, target, None), logits), target
    )
    assert log_loss(wanted, target) == pytest.approx(log_loss(rule.apply(stats, logits), target), abs=0.03)


def test_separated_classes_have_a_finite_scale():
    logits = np.array([[5.0, 0.0], [0.0, 5.0]] * 10)
    target = np.array([0, 1] * 10)
    for rule in (calibrate.temperature(), calibrate.vector(), calibrate.isotonic()):
        found = rule.apply(rule.fit(logits, target, None), logits)
        assert 0.9 < found[0, 0] < 1, rule.name
    np.testing.assert_allclose(calibrate.temperature().fit(logits, target, None) * 5, np.log(21), rtol=1e-6)


def test_isotonic_is_scikit_learns_between_its_edges():
    logits, target = drawn(500, 2, 2)
    rule = calibrate.isotonic()
    second = special.softmax(logits, 1)[:, 1]
    wanted = IsotonicRegression(out_of_bounds="clip").fit(second, target).predict(second)
    found = rule.apply(rule.fit(logits, target, None), logits)
    np.testing.assert_allclose(found[:, 1], np.clip(wanted, 1 / 502, 501 / 502), atol=2e-3)
    three, target = drawn(300, 3, 3)
    found = rule.apply(rule.fit(three, target, None), three)
    np.testing.assert_allclose(found.sum(1), 1)
    assert (found > 0).all()


@given(st.integers(0, 2**32 - 1))
def test_temperature_keeps_the_order_and_forgets_shifts(seed):
    logits, target = drawn(20, 3, seed)
    rule = calibrate.temperature()
    beta = rule.fit(logits, target, None)
    moved = rule.fit(logits + np.arange(20)[:, None], target, None)
    assert beta == pytest.approx(moved, rel=1e-6)
    if beta > 1e-6:
        np.testing.assert_array_equal(rule.apply(beta, logits).argmax(1), logits.argmax(1))


def test_weights_are_repeats():
    logits, target = drawn(400, 3, 4)
    times = np.arange(400) % 3 + 1
    rule = calibrate.temperature()
    repeated = rule.fit(logits.repeat(times, 0), target.repeat(times), None)
    weighted, plain = (rule.fit(logits, target, weight) for weight in (times, None))
    assert weighted == pytest.approx(repeated, rel=0.01)  # which are smoothed less
    assert abs(plain - repeated) > 2 * abs(weighted - repeated)


def test_best_of_takes_the_rule_that_suits():
    logits, target = drawn(2000, 2, 5, scale=0.5)
    rules = calibrate.temperature(), calibrate.isotonic()
    number, _ = calibrate.best_of(*rules).fit(logits, target, None)
    assert number == 0
    bent = np.sign(logits) * logits**4  # far from any temperature
    number, stats = calibrate.best_of(*rules).fit(bent, target, None)
    assert number == 1
    found = calibrate.best_of(*rules).apply((number, stats), bent)
    np.testing.assert_array_equal(found, rules[1].apply(stats, bent))
    with pytest.raises(ValueError, match="best_of: found no rules"):
        calibrate.best_of()


@pytest.mark.parametrize("rule", [calibrate.temperature(), calibrate.vector(), calibrate.isotonic()])
def test_bad_input_is_named(rule):
    for logits, target, message in (
        (np.zeros(3), [0, 1, 0], r"values: have shape \(3,\), need \(rows, classes\)"),
        (np.zeros((3, 1)), [0, 0, 0], "two classes at least"),
        (np.zeros((3, 2)), [0, 1, 2], "target: found class 2, needs 0 to 1"),
        (np.zeros((3, 2)), [0, -1, 1], "target: found class -1"),
        (np.zeros((3, 2)), [0.0, 1.0, 1.0], "one integer class a row"),
        (np.full((3, 2), np.inf), [0, 1, 1], "row 0 is not finite"),
    ):
        with pytest.raises(ValueError, match=message):
            rule.fit(logits, target, None)
