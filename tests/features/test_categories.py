"""Codes by how common they are, what stands in their place, and encodings by the target."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.model_selection import PredefinedSplit
from sklearn.preprocessing import TargetEncoder

from jdl import features
from jdl.features import Columns

RNG = np.random.default_rng(0)
N = 300
SIZES = (9, 31)
COLUMNS = Columns(SIZES)
CODES = np.stack([RNG.integers(0, 6, N), np.minimum(RNG.geometric(0.15, N), 29)], 1).astype(np.int32)
WEIGHT = RNG.integers(0, 3, N).astype(np.float32)
KEY = jax.random.key(0)


def made(step, columns=COLUMNS, codes=CODES, weight=WEIGHT, target=None, fold=None):
    """What a step makes of the rows (of them and of their folds), and the sizes of its codes."""
    coding = step(columns)

    @jax.jit
    def both(codes, weight, target, fold):
        stats = coding.prepare.fit(KEY, codes, target, weight)
        whole = jax.vmap(coding.prepare.apply, (None, 0))(stats, codes)
        if fold is None:
            return whole
        return whole, jax.vmap(coding.prepare.apply, (None, 0, 0))(stats, codes, fold)

    return both(codes, weight, target, fold), coding.sizes


def by_count(column: int) -> list[int]:
    counts = np.bincount(CODES[:, column], WEIGHT, minlength=SIZES[column])
    return [code for code in np.argsort(-counts, kind="stable") if code > 0 and counts[code] > 0]


def test_ordinal_numbers_levels_by_falling_count() -> None:
    found, sizes = made(features.ordinal())
    assert sizes == SIZES
    for column in range(2):
        numbers = {code: 1 + i for i, code in enumerate(by_count(column))}
        want = [numbers.get(code, 0) for code in CODES[:, column]]
        np.testing.assert_array_equal(found["categories"][:, column], want)


def test_most_and_rare_share_the_last_slot() -> None:
    found, sizes = made(features.ordinal(most=3, rare=jnp.float32(9)))
    assert sizes == (5, 5)
    for column in range(2):
        counts = np.bincount(CODES[:, column], WEIGHT, minlength=SIZES[column])
        common = [code for code in by_count(column)[:3] if counts[code] >= 9]
        numbers = {code: 4 for code in by_count(column)} | {code: 1 + i for i, code in enumerate(common)}
        want = [numbers.get(code, 0) for code in CODES[:, column]]
        np.testing.assert_array_equal(found["categories"][:, column], want)
    assert (
        features.ordinal(rare=3)(Columns((4,))).sizes == features.ordinal(most=9)(Columns((4,))).sizes == (4,)
    )


def test_rare_levels_fit_where_all_others_are_kept() -> None:
    codes = jnp.array([[1], [1], [2], [2], [3]])
    found, sizes = made(features.ordinal(rare=2.0), Columns((4,)), codes, None)
    assert found["categories"][:, 0].tolist() == [1, 1, 2, 2, 3] and sizes == (4,)


def test_one_hot_lays_ordinal_codes_out() -> None:
    (codes, sizes), (found, none) = made(features.ordinal(most=4)), made(features.one_hot(most=4))
    assert none == () and found["categories"].shape == (N, 0)
    want = [np.eye(size)[codes["categories"][:, i]] for i, size in enumerate(sizes)]
    np.testing.assert_array_equal(found["flat"], np.concatenate(want, 1))


def test_hashed_levels_fill_the_buckets() -> None:
    codes = np.arange(5001)[:, None]
    weight = (codes[:, 0] < 5000).astype(np.float32)
    out = made(features.hashed(64), Columns((5001,)), codes, weight)[0]["categories"][:, 0]
    counts = np.bincount(out, minlength=65)
    assert counts[0] == 2 and out[0] == out[5000] == 0  # missing, and without training weight
    assert len(counts) == 65 and np.abs(counts[1:] - 78).max() < 5 * np.sqrt(78)


def test_frequency_is_the_share_of_the_logarithms() -> None:
    found, _ = made(features.frequency())
    counts = np.bincount(CODES[:, 1], WEIGHT)
    want = np.log1p(counts[CODES[:, 1]]) / np.log1p(WEIGHT.sum())
    np.testing.assert_allclose(found["flat"][:, 1], want, rtol=1e-5)


def test_steps_by_cardinality_and_together() -> None:
    step = features.by_cardinality(
        features.ordinal(), features.together(features.hashed(4), features.frequency()), 20
    )
    found, sizes = made(step)
    assert sizes == (9, 5)
    np.testing.assert_array_equal(found["categories"][:, 0], made(features.ordinal())[0]["categories"][:, 0])
    np.testing.assert_allclose(found["flat"][:, 0], made(features.frequency())[0]["flat"][:, 1], rtol=1e-6)


TARGETS = {
    "number": (RNG.normal(size=N) + CODES[:, 0] + 3, 0),
    "two classes": (RNG.integers(0, 2, N), 2),
    "three classes": (RNG.integers(0, 3, N), 3),
}


@pytest.mark.parametrize(
    "kind, smoothing",
    [("number", "auto"), ("number", 4.0), ("two classes", "auto"), ("three classes", "auto")],
)
def test_target_encoding_is_scikit_learn_s(kind: str, smoothing) -> None:
    target, classes = TARGETS[kind]
    folds = np.asarray(features.inner_folds(KEY, N, 5))
    step = features.target_encoding(5, smoothing)
    columns = Columns(SIZES, classes)
    theirs = lambda: TargetEncoder(smooth=smoothing, cv=PredefinedSplit(folds))
    with jax.enable_x64(True):
        (whole, crossed), _ = made(step, columns, CODES, None, target, folds)
        np.testing.assert_allclose(whole["flat"], theirs().fit(CODES, target).transform(CODES), atol=1e-5)
        np.testing.assert_allclose(crossed["flat"], theirs().fit_transform(CODES, target), atol=1e-5)


def test_target_encoding_knows_weights_and_several_targets() -> None:
    target = np.stack([CODES[:, 0], RNG.normal(size=N)], 1).astype(np.float32)
    found, _ = made(features.target_encoding(smoothing=0.0), weight=WEIGHT, target=target)
    assert found["flat"].shape == (N, 4)
    code = CODES[0, 1]
    here = CODES[:, 1] == code
    want = np.average(target[here], axis=0, weights=WEIGHT[here])
    np.testing.assert_allclose(found["flat"][0, 2:], want, rtol=1e-5)
    np.testing.assert_allclose(found["flat"][:, 0][WEIGHT > 0], CODES[:, 0][WEIGHT > 0], atol=1e-5)


def test_encodings_of_training_rows_know_nothing_of_their_own_target() -> None:
    rows, levels = 4000, 1001
    rng = np.random.default_rng(1)
    codes = rng.integers(1, levels, (rows, 1)).astype(np.int32)
    noise = rng.integers(0, 2, rows).astype(np.int32)
    folds = features.inner_folds(KEY, rows, 5)
    both, _ = made(features.target_encoding(5), Columns((levels,), 2), codes, None, noise, folds)
    leaky, apart = (np.corrcoef(found["flat"][:, 0], noise)[0, 1] for found in both)
    assert abs(apart) < 0.05 < 0.3 < leaky  # three standard errors


def test_what_target_encoding_needs() -> None:
    with pytest.raises(ValueError, match="found 1 inner folds, needs at least 2"):
        features.target_encoding(1)
    with pytest.raises(ValueError, match="smoothing: found 'much', needs \"auto\" or a number"):
        features.target_encoding(smoothing="much")
