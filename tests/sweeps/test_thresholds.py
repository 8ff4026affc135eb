"""Decisions against every decision there is, and scikit-learn's metrics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from jdl.sweeps.thresholds import confusion, decided, of_confusion, tuned

SCORES = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1": metrics.f1_score,
}


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(SCORES)), st.booleans())
def test_no_threshold_is_better(seed, name, coarse):
    rng = np.random.default_rng(seed)
    second = rng.uniform(0.05, 0.95, 15)
    second = second.round(1) if coarse else second
    target = np.append(rng.integers(0, 2, 13), [0, 1])
    probabilities = np.stack([1 - second, second], 1)
    rule = tuned(name)
    found = SCORES[name](target, rule.apply(rule.fit(probabilities, target, None), probabilities))
    edges = np.concatenate([[-1], np.sort(second), [2]])
    every = [
        SCORES[name](target, (second > edge).astype(int), **({"zero_division": 0.0} if name == "f1" else {}))
        for edge in (edges[1:] + edges[:-1]) / 2
    ]
    assert found == pytest.approx(max(every))


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_metrics_of_confusion_are_scikit_learns(seed, classes):
    rng = np.random.default_rng(seed)
    target, chosen = np.concatenate([rng.integers(0, classes, (2, 20)), [range(classes)] * 2], 1)
    weight = rng.uniform(0.1, 1, len(target))
    counts = confusion(chosen, target, classes, weight)
    for name, score in SCORES.items():
        how = {"average": "binary" if classes == 2 else "macro"} if name == "f1" else {}
        wanted = score(target, chosen, sample_weight=weight, **how)
        assert of_confusion(name, classes)(counts) == pytest.approx(wanted), name


def test_costs_of_calibrated_probabilities_give_the_threshold_of_decision_theory():
    rng = np.random.default_rng(0)
    second = rng.uniform(size=20_000)
    target = (rng.uniform(size=20_000) < second).astype(int)
    factors = tuned([[0, 1], [4, 0]]).fit(np.stack([1 - second, second], 1), target, None)
    assert 1 / (1 + factors[1]) == pytest.approx(1 / 5, abs=0.03)


@given(st.integers(0, 2**32 - 1))
def test_several_classes_are_decided_no_worse_than_by_the_likeliest(seed):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([4, 1, 1], 40)
    target = np.append(rng.integers(0, 3, 37), [0, 1, 2])
    for name in SCORES:
        rule, score = tuned(name), of_confusion(name, 3)
        factors = rule.fit(probabilities, target, None)
        tuned_score = score(confusion(rule.apply(factors, probabilities), target, 3))
        assert tuned_score >= score(confusion(probabilities.argmax(1), target, 3))
        assert factors[0] == 1


def test_rare_classes_are_chosen_for_balanced_accuracy():
    rng = np.random.default_rng(1)
    target = rng.choice(3, 3000, p=[0.9, 0.07, 0.03])
    signal = np.eye(3)[target] + rng.normal(size=(3000, 3)) + np.log([0.9, 0.07, 0.03])
    probabilities = np.exp(signal) / np.exp(signal).sum(1, keepdims=True)
    rule = tuned("balanced_accuracy")
    chosen = rule.apply(rule.fit(probabilities, target, None), probabilities)
    gain = [metrics.balanced_accuracy_score(target, found) for found in (chosen, probabilities.argmax(1))]
    assert gain[0] > gain[1] + 0.1


def test_candidates_are_thinned_where_there_are_many(monkeypatch):
    rng = np.random.default_rng(2)
    second = rng.uniform(size=2000)
    target = (rng.uniform(size=2000) < second).astype(int)
    probabilities = np.stack([1 - second, second], 1)
    exact = tuned("f1").fit(probabilities, target, None)
    monkeypatch.setattr("jdl.sweeps.thresholds.CELLS", 4 * 200)
    rough = tuned("f1").fit(probabilities, target, None)
    both = [metrics.f1_score(target, decided(factors, probabilities)) for factors in (exact, rough)]
    assert both[0] >= both[1] > both[0] - 0.01


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("auc", "metric: found 'auc', needs one of"),
        ([[0, 1]], r"metric: costs have shape \(1, 2\), need \(2, 2\)"),
        ([[0, np.inf], [1, 0]], "all finite"),
    ],
)
def test_bad_metrics_are_named(metric, message):
    with pytest.raises(ValueError, match=message):
        tuned(metric).fit([[0.5, 0.5], [0.2, 0.8]], [0, 1], None)
