"""Greedy selection against the plain loop over all members."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdl.sweeps import ensemble


def plain(members, loss, size):
    """Select as Caruana et al. wrote it down, in double precision; give the least loss on the way."""
    total, losses = 0.0, []
    for count in range(1, size + 1):
        each = [loss((total + member) / count) for member in members]
        total = total + members[int(np.argmin(each))]
        losses.append(min(each))
    return min(losses)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.booleans())
def test_classes_are_selected_as_by_the_plain_loop(seed, classes, weighted):
    rng = np.random.default_rng(seed)
    members = rng.dirichlet(np.ones(classes), (40, 25))
    target = rng.integers(0, classes, 25)
    weight = rng.uniform(0.1, 2, 25) if weighted else None

    def loss(mean):
        return np.average(-np.log(mean[np.arange(25), target]), weights=weight)

    weights = ensemble.select(members, target, weight, size=12)
    assert weights.sum() == pytest.approx(1)
    assert loss(ensemble.mixed(weights, members)) == pytest.approx(plain(members, loss, 12), rel=1e-4)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(), (1,), (2,)]))
def test_numbers_are_selected_as_by_the_plain_loop(seed, shape):
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(20, *shape))
    members = target * 0.5 + rng.normal(size=(30, 20, *shape))
    weight = rng.uniform(0.1, 2, 20)

    def loss(mean):
        return np.average(((mean - target) ** 2).reshape(20, -1).sum(1), weights=weight)

    weights = ensemble.select(members, target, weight, size=12)
    assert loss(ensemble.mixed(weights, members)) == pytest.approx(plain(members, loss, 12), rel=1e-4)
    fold = np.arange(20) % 4
    found = ensemble.cross_fitted(members, target, fold, weight, size=12)
    rest = fold != 2
    alone = ensemble.select(members[:, rest], target[rest], weight[rest], size=12)
    np.testing.assert_allclose(found[~rest], ensemble.mixed(alone, members[:, ~rest]), rtol=1e-5)


def test_folds_are_predicted_by_what_was_selected_on_the_others():
    rng = np.random.default_rng(0)
    members, target = rng.dirichlet(np.ones(3), (20, 30)), rng.integers(0, 3, 30)
    fold = np.arange(30) % 3
    found = ensemble.cross_fitted(members, target, fold)
    for number in range(3):
        rest = fold != number
        alone = ensemble.select(members[:, rest], target[rest])
        np.testing.assert_allclose(found[~rest], ensemble.mixed(alone, members[:, ~rest]), rtol=1e-6)


def test_a_member_that_is_right_is_all_of_it():
    target = np.arange(10) % 2
    right = np.eye(2)[target] * 0.98 + 0.01
    members = np.stack([np.full((10, 2), 0.5), right, 1 - right])
    assert ensemble.select(members, target).tolist() == [0, 1, 0]


def test_zeros_cost_much_and_not_everything():
    members = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.4], [0.6, 0.4]]])
    weights = ensemble.select(members, [0, 0])
    assert weights[1] > 0 and np.isfinite(weights).all()


@pytest.mark.parametrize(
    ("members", "target", "message"),
    [
        (np.zeros((0, 3, 2)), [0, 1, 0], "one member at least"),
        (np.zeros(3), [0, 1, 0], "members: have shape"),
        (np.full((2, 3, 2), 0.5), [0, 1, 2], "a column for each class"),
        (np.full((2, 3, 2), 0.5), [0, 1], "target: has 2 rows, values have 3"),
        (np.full((2, 3), np.nan), [0.0, 1.0, 2.0], "row 0 is not finite"),
        (np.zeros((2, 3, 2)), [0.0, 1.0, 2.0], r"have shape \(2, 3, 2\), need \('members', 3\)"),
    ],
)
def test_bad_members_are_named(members, target, message):
    with pytest.raises(ValueError, match=message):
        ensemble.select(members, np.asarray(target))
    with pytest.raises(ValueError, match="size: found 0"):
        ensemble.select(np.full((2, 3, 2), 0.5), [0, 1, 1], size=0)
