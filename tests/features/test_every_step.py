"""What every step promises: to merge, to be mapped over folds, and to see no row without weight."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdl import features
from jdl.features.prepare import same_folds
from tests.features.every_step import EVERY, FLAT, KEY, ROWS, apply, fits, rows, target, weights

FOLDS = np.arange(ROWS) % 3


def assert_same_bits(found, expected) -> None:
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def assert_close(found, expected, tolerance: float) -> None:
    for path, a in jax.tree_util.tree_leaves_with_path(found):
        b = jax.tree_util.tree_leaves_with_path(expected)
        b = dict(b)[path]
        scale = np.max(np.abs(np.where(np.isfinite(b), b, 0)), initial=1e-30)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale, err_msg=str(path))


def both(weight) -> np.ndarray:
    """Weights of two folds, the first of them the one asked for."""
    return np.stack([weight, weights(9)])


def first(tree):
    return jax.tree.map(lambda x: x[0], tree)


@jax.jit
def finish(parts):
    return EVERY.summary.finish(parts)


@partial(jax.jit, static_argnums=0)
def in_parts(count: int):
    cut = lambda x: x.reshape(count, ROWS // count, *x.shape[1:])
    begin = jnp.arange(count) * (ROWS // count)
    given = jax.tree.map(cut, (rows(), target(), weights()))
    parts = jax.vmap(lambda part, first: EVERY.summary.part(KEY, *part, first))(given, begin)
    while count > 1:
        left, right = (jax.tree.map(lambda x, side=side: x[side::2], parts) for side in (0, 1))
        parts, count = jax.vmap(EVERY.summary.merge)(left, right), count // 2
    return first(parts)


@pytest.fixture(scope="module")
def fitted():
    return finish(in_parts(1))


@given(st.integers(0, 2**31), st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -1e-40]))
@settings(max_examples=8)
def test_rows_without_weight_change_no_bit(seed: int, rubbish: float) -> None:
    data, y = rows(), target()
    weight = weights(seed)
    gone = weight == 0
    rng = np.random.default_rng(seed)
    other = {name: part.copy() for name, part in data.items()}
    other["numbers"][gone] = rubbish
    for name in ("categories", "dates", "texts"):
        other[name][gone] = rng.integers(-(2**31), 2**31 - 1, other[name][gone].shape)
    y_other = np.where(gone, -5, y)
    found, expected = fits(KEY, other, y_other, both(weight)), fits(KEY, data, y, both(weight))
    assert_same_bits(first(found), first(expected))


def test_a_table_may_be_cut_anywhere(fitted) -> None:
    found = finish(in_parts(8))
    assert_close(found, fitted, 1e-6)
    for name in ("ordinal", "hashed", "impute_median", "piecewise", "min_max"):  # counts and samples
        assert_same_bits(found[name], fitted[name])


def test_folds_are_vmapped_and_fit_is_finish_of_one_part(fitted) -> None:
    found = fits(KEY, rows(), target(), both(weights()))
    assert_close(first(found), fitted, 1e-5)


@given(
    st.lists(st.floats(width=32), min_size=5, max_size=5),
    st.lists(st.floats(width=32), min_size=5, max_size=5),
    st.integers(0, 2**31),
)
@settings(max_examples=30)
def test_every_row_becomes_finite(trained: list[float], row: list[float], seed: int) -> None:
    data, other = rows(), rows(seed)
    data["numbers"][:20] = np.array(trained, np.float32)
    other["numbers"][:] = np.array(row, np.float32)
    other["dates"][:9] = np.random.default_rng(seed).integers(-(2**31), 2**31 - 1, (9, 2, 2))
    found = apply(first(fits(KEY, data, target(), both(weights()))), other, FOLDS)
    for name in ("standard", "min_max", "robust", "winsorise", "quantile_normal", "power"):
        np.testing.assert_array_equal(np.isnan(found[name]), ~np.isfinite(other["numbers"]), err_msg=name)
        found[name] = np.nan_to_num(found[name], nan=0.0, posinf=np.inf, neginf=-np.inf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found):
        assert np.isfinite(leaf).all(), path


def test_stats_are_finite_without_any_row() -> None:
    stats = first(fits(KEY, rows(), target(), both(np.zeros(ROWS, np.float32))))
    found = apply(stats, rows(1), FOLDS)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found):
        own = path[0].key
        numbers = own in dict((name, 0) for kind, name, _ in FLAT if kind == "numbers")
        assert np.isfinite(np.nan_to_num(leaf, nan=0.0) if numbers else leaf).all(), path
        assert not np.isinf(leaf).any(), path


def test_inner_folds_are_drawn_by_row_and_key() -> None:
    folds = jax.jit(lambda key, rows: features.inner_folds(key, rows, 5))
    found = folds(KEY, jnp.arange(5000))
    share = np.bincount(found, minlength=5) / 5000
    assert share.shape == (5,) and (np.abs(share - 0.2) < 0.03).all()
    part = folds(KEY, jnp.arange(4000, 9000))
    np.testing.assert_array_equal(part[:1000], found[4000:])
    other = folds(jax.random.key(4), jnp.arange(5000))
    assert 0.75 < (other != found).mean() < 0.85


def test_steps_need_one_number_of_inner_folds() -> None:
    steps = [EVERY, EVERY._replace(folds=5)]
    assert same_folds(EVERY, EVERY._replace(folds=0)) == 3
    with pytest.raises(ValueError, match=r"steps with \[3, 5\] inner folds; needs one number"):
        features.chain(*steps)


def test_a_chain_merges_where_one_step_learns() -> None:
    fill, scale = features.impute_constant(1.0), features.standard()
    assert features.chain(fill, scale, fill).summary is not None
    assert features.chain(fill, fill).summary is not None
    assert features.chain(scale, features.power()).summary is None
    data = rows()["numbers"][:, :1]
    chained = features.chain(features.impute_mean(), scale)
    fitted = jax.jit(lambda data: chained.fit(None, data, None, None))
    out = jax.jit(jax.vmap(chained.apply, (None, 0)))(fitted(data), data)
    whole = np.where(np.isnan(data), np.nanmean(data), data)
    np.testing.assert_allclose(out, (whole - whole.mean()) / whole.std(), atol=1e-5)
