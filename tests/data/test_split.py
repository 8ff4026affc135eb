"""Hold-out splits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

from jdl.data import DataError, holdout

labels = st.lists(st.integers(0, 4), min_size=2, max_size=60)


@given(labels, st.floats(0.01, 0.99), st.integers(0, 5), st.booleans())
def test_a_split_is_a_partition_that_keeps_every_class(
    y: list[int], fraction: float, seed: int, stratify: bool
) -> None:
    if stratify and len(set(y)) == len(y):
        with pytest.raises(DataError, match="has a single row"):
            holdout(y, fraction, seed)
        return
    train, valid = holdout(y, fraction, seed, stratify)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, valid])), np.arange(len(y)))
    assert len(train) > 0
    assert len(valid) > 0
    again = holdout(y, fraction, seed, stratify)
    np.testing.assert_array_equal(valid, again[1])
    if stratify:
        assert set(np.asarray(y)[train]) == set(y)


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=30, max_size=100), st.integers(0, 3))
def test_stratified_counts_are_proportional_as_scikit_learn_s(y: list[str], seed: int) -> None:
    sizes = np.unique(y, return_counts=True)[1]
    if len(sizes) < 2 or sizes.min() < 5:
        return
    _, valid = holdout(y, 0.3, seed)
    splitter = StratifiedShuffleSplit(1, test_size=len(valid), random_state=seed)
    _, theirs = next(splitter.split(np.zeros(len(y)), y))
    ours = np.unique(np.asarray(y)[valid], return_counts=True)[1]
    assert len(valid) == round(0.3 * len(y))
    assert np.abs(ours - len(valid) * sizes / len(y)).max() < 1
    assert np.abs(ours - np.unique(np.asarray(y)[theirs], return_counts=True)[1]).max() <= 1


def test_the_seed_decides_and_strings_and_booleans_are_classes() -> None:
    y = ["no"] * 90 + ["yes"] * 10
    first, second = holdout(y, 0.2, seed=0)[1], holdout(y, 0.2, seed=1)[1]
    assert not np.array_equal(first, second)
    assert (first >= 90).sum() == (second >= 90).sum() == 2
    np.testing.assert_array_equal(holdout(np.array(y) == "yes", 0.2, seed=0)[1], first)


def test_numbers_are_split_without_strata() -> None:
    y = np.linspace(0, 1, 50)
    train, valid = holdout(y, 0.2, stratify=False)
    assert (len(train), len(valid)) == (40, 10)
    with pytest.raises(DataError, match="each of the 50 classes has a single row"):
        holdout(y, 0.2)


@pytest.mark.parametrize(("y", "fraction"), [([1], 0.5), ([], 0.5), ([1, 1], 0.0), ([1, 1], 1.0)])
def test_impossible_splits(y: list[int], fraction: float) -> None:
    with pytest.raises(DataError, match=r"needs at least 2|needs to lie between 0 and 1"):
        holdout(y, fraction)
