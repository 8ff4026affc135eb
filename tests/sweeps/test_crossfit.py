"""What is fitted on out-of-fold predictions never sees the rows that it is applied to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdl.sweeps import Fold, calibrate, cross_fitted, ensemble, thresholds
from jdl.sweeps.crossfit import Rule, fold_of

MEMORY = Rule("memory", lambda values, target, weight: set(target.tolist()), lambda seen, values: values)


def test_each_fold_is_given_what_was_fitted_on_the_others():
    seen = []
    rule = MEMORY._replace(
        fit=lambda values, target, weight: seen.append(target.tolist()), apply=lambda _, v: v
    )
    found = cross_fitted(rule, np.arange(6.0), np.arange(6), [0, 1, 2, 0, 1, 2])
    assert found.tolist() == list(range(6))
    assert seen == [[1, 2, 4, 5], [0, 2, 3, 5], [0, 1, 3, 4]]


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_a_folds_own_targets_change_nothing_of_it(seed):
    rng = np.random.default_rng(seed)
    probabilities, fold = rng.dirichlet(np.ones(3), 24), np.arange(24) % 3
    target = rng.integers(0, 3, 24)
    other = np.where(fold == 1, (target + 1) % 3, target)
    for rule, values in (
        (calibrate.temperature(), np.log(probabilities)),
        (thresholds.tuned("balanced_accuracy"), probabilities),
    ):
        both = [cross_fitted(rule, values, classes, fold)[fold == 1] for classes in (target, other)]
        np.testing.assert_array_equal(*both)
    members = rng.dirichlet(np.ones(3), (4, 24))
    both = [ensemble.cross_fitted(members, classes, fold)[fold == 1] for classes in (target, other)]
    np.testing.assert_array_equal(*both)


def test_noise_is_scored_at_chance():
    """Of predictions that know nothing; scored where it was fitted, everything looks better than chance."""
    honest, apparent = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        target, fold = rng.integers(0, 2, 200), np.arange(200) % 5
        members = rng.dirichlet(np.ones(2), (40, 200))
        mixed = ensemble.cross_fitted(members, target, fold, size=20)
        rule = thresholds.tuned("balanced_accuracy")
        stats = rule.fit(members[0], target, None)
        chosen = cross_fitted(rule, members[0], target, fold)
        one = [np.mean(chosen == target), np.mean(mixed.argmax(1) == target)]
        logits = np.log(members[0])
        calibrated = cross_fitted(calibrate.vector(), logits, target, fold)
        honest.append([*one, np.mean(-np.log(calibrated[np.arange(200), target]))])
        greedy = ensemble.mixed(ensemble.select(members, target, size=20), members)
        apparent.append(
            [np.mean(rule.apply(stats, members[0]) == target), np.mean(greedy.argmax(1) == target)]
        )
    mean, error = np.mean(honest, 0), np.std(honest, 0, ddof=1) / np.sqrt(20)
    assert (np.abs(mean[:2] - 0.5) <= 3 * error[:2]).all(), (mean, error)
    assert np.log(2) - 3 * error[2] <= mean[2] < 0.71
    assert (np.mean(apparent, 0) > 0.5 + 4 * error[:2]).all(), "the test would not see a leak"


def test_rows_that_weigh_nothing_may_hold_anything():
    rng = np.random.default_rng(0)
    values, target, fold = rng.dirichlet(np.ones(2), 40), rng.integers(0, 2, 40), np.arange(40) % 4
    weight = np.where(np.arange(40) < 8, 0.0, 1.0)
    members = np.stack([values, values[:, ::-1], np.full_like(values, 0.5)])
    for rule in (calibrate.temperature(), calibrate.vector(), calibrate.isotonic(), thresholds.tuned("f1")):
        own = values if rule.name.startswith("tuned") else np.log(values)
        lost = np.where(weight[:, None] > 0, own, np.nan)
        flipped = np.where(weight > 0, target, 1 - target)
        found = [cross_fitted(rule, *rows, fold, weight)[8:] for rows in ((own, target), (lost, flipped))]
        np.testing.assert_array_equal(*found)
    lost = np.where(weight[None, :, None] > 0, members, 0.9)
    found = [ensemble.select(some, target, weight) for some in (members, lost)]
    np.testing.assert_array_equal(*found)


def test_rows_are_of_the_first_fold_that_holds_them_out():
    none = np.zeros(0, int)
    folds = [Fold(none, none, np.array([0, 2])), Fold(none, none, np.array([2, 3]))]
    assert fold_of(folds, 5).tolist() == [0, -1, 0, 1, -1]


@pytest.mark.parametrize(
    ("values", "target", "fold", "weight", "message"),
    [
        ([1.0, 2.0], [1], [0, 1], None, "target: has 1 rows, values have 2"),
        ([], [], [], None, "at least one"),
        (
            [1.0, np.nan],
            [0, 1],
            [0, 1],
            None,
            "row 1 is not finite; leave out the rows that no fold holds out",
        ),
        ([1.0, 2.0], [0, 1], [0, 0], None, "fold: found 1, needs at least two"),
        ([1.0, 2.0], [0, 1], [0], None, r"fold: has shape \(1,\), needs \(2,\)"),
        ([1.0, 2.0], [0, 1], [0, 1], [0, 0], "weight: needs 2 numbers of at least 0, not all 0"),
        ([1.0, 2.0], [0, 1], [0, 1], [-1, 1], "weight: needs 2 numbers of at least 0"),
        ([1.0, 2.0], [0, 1], [0, 1], [1, 0], "the rows of all folds but one weigh nothing"),
    ],
)
def test_bad_rows_are_named(values, target, fold, weight, message):
    with pytest.raises(ValueError, match=message):
        cross_fitted(MEMORY, values, target, fold, weight)
