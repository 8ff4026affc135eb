"""Folds: scikit-learn's, with rows to choose the epoch by cut from the training rows."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import model_selection

from jdl.sweeps.splits import splits, whole
from jdl.train import RecipeError

KEY = jax.random.key(0)


def rows_of(fold):
    return np.concatenate(list(fold))


@given(
    rows=st.integers(12, 60),
    folds=st.integers(2, 4),
    stop=st.sampled_from([0.0, 0.1, 0.3]),
    kind=st.sampled_from(["numbers", "classes", "group", "time"]),
    seed=st.integers(0, 5),
)
def test_parts_share_no_row_group_or_moment(rows, folds, stop, kind, seed):
    rng = np.random.default_rng(seed)
    data = {"y": rng.integers(0, 2, rows) if kind == "classes" else rng.normal(size=rows)}
    if kind == "classes":
        data["y"][: 2 * folds] = [0, 1] * folds
    if kind == "group":
        data["group"] = np.arange(rows) // 3
    if kind == "time":
        data["time"] = rng.permutation(np.arange(rows) // 2)
    found = splits(data, folds, stop, jax.random.key(seed))
    assert len(found) == folds
    for fold in found:
        assert len(np.unique(rows_of(fold))) == len(rows_of(fold))
        assert len(fold.train) and len(fold.held) and (len(fold.stop) > 0) == (stop > 0)
        parts = [part for part in fold if len(part)]
        if kind == "group":
            groups = [set(data["group"][part]) for part in parts]
            assert sum(map(len, groups)) == len(set.union(*groups))
        if kind == "time":
            for before, after in zip(parts, parts[1:], strict=False):
                assert data["time"][before].max() < data["time"][after].min()
    if kind != "time":
        assert sorted(np.concatenate([fold.held for fold in found])) == list(range(rows))


def test_a_number_is_a_stratified_splitter_shuffled_by_the_key():
    y = np.array([0, 0, 1] * 10)
    found = splits({"y": y}, 5, 0.0, KEY)
    assert [int(y[fold.held].sum()) for fold in found] == [2] * 5
    again, other = splits({"y": y}, 5, 0.0, KEY), splits({"y": y}, 5, 0.0, jax.random.key(1))
    assert all((a.held == b.held).all() for a, b in zip(found, again, strict=True))
    assert any((a.held != b.held).any() for a, b in zip(found, other, strict=True))


@pytest.mark.parametrize(
    "splitter",
    [
        model_selection.RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0),
        model_selection.TimeSeriesSplit(3),
        model_selection.PredefinedSplit([-1, 0, 1, 0] * 5),
        model_selection.ShuffleSplit(1, test_size=0.3, random_state=0),
        model_selection.LeaveOneGroupOut(),
    ],
    ids=lambda splitter: type(splitter).__name__,
)
def test_splitters_of_scikit_learn(splitter):
    data = {"y": np.array([0, 1] * 10)}
    if isinstance(splitter, model_selection.LeaveOneGroupOut):
        data["group"] = np.arange(20) // 7
    expected = list(splitter.split(np.zeros((20, 1)), data["y"], data.get("group")))
    found = splits(data, splitter, 0.0, KEY)
    assert len(found) == len(expected)
    for fold, (train, held) in zip(found, expected, strict=True):
        assert sorted(fold.train) == sorted(train) and sorted(fold.held) == sorted(held)


def test_all_rows():
    (fold,) = whole(5)
    assert fold.train.tolist() == [0, 1, 2, 3, 4] and not len(fold.stop) and not len(fold.held)


@pytest.mark.parametrize(
    ("folds", "stop", "words"),
    [
        (1, 0.1, "needs at least 2"),
        (True, 0.1, "needs a number, a splitter"),
        (5, 1.0, r"stop: found 1\.0"),
        ([([0, 1], [1, 2])], 0.0, "row 1 is both trained on and held out"),
        ([([0, 1], [20])], 0.0, "asks for row 20, needs 0 to 19"),
        ([([-1, 1], [3])], 0.0, "asks for row -1"),
        ([([0.5], [3])], 0.0, "needs row numbers"),
        ([], 0.0, "found none"),
        ([([0], [1])], 0.5, "training rows|2"),
    ],
)
def test_bad_folds_are_named(folds, stop, words):
    with pytest.raises(ValueError, match=words):
        splits({"y": np.zeros(20)}, folds, stop, KEY)


def test_too_few_moments_of_time():
    with pytest.raises(RecipeError, match="2 moments of time cannot be cut into 5 windows"):
        splits({"y": np.zeros(20), "time": np.arange(20) // 10}, 5, 0.0, KEY)
