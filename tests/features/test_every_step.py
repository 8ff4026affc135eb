"""What every step promises: to merge, to be mapped over folds, and to see no row without weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdl import features
from jdl.features.prepare import same_folds
from tests.features.every_step import EVERY, FLAT, KEY, ROWS, apply, fit, rows, target, weights

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


@pytest.fixture(scope="module")
def fitted():
    return fit(KEY, rows(), target(), weights())


@given(st.integers(0, 2**31), st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -1e-40]))
@settings(max_examples=8)
def test_rows_without_weight_change_no_bit(seed: int, rubbish: float) -> None:
    data, weight, y = rows(), weights(seed), target()
    gone = weight == 0
    rng = np.random.default_rng(seed)
    other = {name: part.copy() for name, part in data.items()}
    other["numbers"][gone] = rubbish
    for name in ("categories", "dates", "texts"):
        other[name][gone] = rng.integers(-(2**31), 2**31 - 1, other[name][gone].shape)
    y_other = np.where(gone, -5, y)
    assert_same_bits(fit(KEY, other, y_other, weight), fit(KEY, data, y, weight))


def test_no_weight_is_a_weight_of_one() -> None:
    assert_close(
        fit(KEY, rows(), target(), np.ones(ROWS, np.float32)), fit(KEY, rows(), target(), None), 1e-6
    )


def test_a_table_may_be_cut_anywhere(fitted) -> None:
    summary = EVERY.summary

    def in_parts(count: int):
        cut = lambda x: x.reshape(count, ROWS // count, *x.shape[1:])
        first = jnp.arange(count) * (ROWS // count)
        given = jax.tree.map(cut, (rows(), target(), weights()))
        parts = jax.vmap(lambda part, first: summary.part(KEY, *part, first))(given, first)
        joined = jax.tree.map(lambda x: x[0], parts)
        for i in range(1, count):
            joined = summary.merge(joined, jax.tree.map(lambda x, i=i: x[i], parts))
        return summary.finish(joined)

    for count in (2, 8):
        found = jax.jit(in_parts, static_argnums=0)(count)
        assert_close(found, fitted, 1e-6)
        for name in ("ordinal", "hashed", "impute_median", "piecewise", "min_max"):  # counts and samples
            assert_same_bits(found[name], fitted[name])


def test_folds_are_vmapped() -> None:
    masks = np.stack([(FOLDS != fold) * weights() for fold in range(2)])
    together = jax.jit(jax.vmap(fit, (None, None, None, 0)))(KEY, rows(), target(), masks)
    for i, mask in enumerate(masks):
        assert_close(jax.tree.map(lambda x, i=i: x[i], together), fit(KEY, rows(), target(), mask), 1e-5)


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
    found = apply(fit(KEY, data, target(), weights()), other, FOLDS)
    for name in ("standard", "min_max", "robust", "winsorise", "quantile_normal", "power"):
        np.testing.assert_array_equal(np.isnan(found[name]), ~np.isfinite(other["numbers"]), err_msg=name)
        found[name] = np.nan_to_num(found[name], nan=0.0, posinf=np.inf, neginf=-np.inf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found):
        assert np.isfinite(leaf).all(), path


def test_stats_are_finite_without_any_row() -> None:
    stats = fit(KEY, rows(), target(), np.zeros(ROWS, np.float32))
    found = apply(stats, rows(1), FOLDS)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found):
        own = path[0].key
        numbers = own in dict((name, 0) for kind, name, _ in FLAT if kind == "numbers")
        assert np.isfinite(np.nan_to_num(leaf, nan=0.0) if numbers else leaf).all(), path
        assert not np.isinf(leaf).any(), path


def test_inner_folds_are_drawn_by_row_and_key() -> None:
    found = features.inner_folds(KEY, 5000, 5)
    share = np.bincount(found, minlength=5) / 5000
    assert share.shape == (5,) and (np.abs(share - 0.2) < 0.03).all()
    part = features.inner_folds(KEY, jnp.arange(4000, 5000), 5)
    np.testing.assert_array_equal(part, found[4000:])
    other = features.inner_folds(jax.random.key(4), 5000, 5)
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
    stats = chained.fit(None, data, None, None)
    out = jax.vmap(lambda row: chained.apply(stats, row))(data)
    whole = np.where(np.isnan(data), np.nanmean(data), data)
    np.testing.assert_allclose(out, (whole - whole.mean()) / whole.std(), atol=1e-5)
