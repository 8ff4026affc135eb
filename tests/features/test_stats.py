"""Weighted moments against numpy and scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from jdl.features.stats import moments

RNG = np.random.default_rng(0)

fast = jax.jit(moments)


def column(n: int = 500) -> np.ndarray:
    """A skewed column with many ties."""
    return np.round(np.exp(2 * RNG.normal(size=n)), 1).astype(np.float32) * (RNG.random(n) > 0.3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [0.0, 3e5])
def test_moments_are_scikit_learn_s(weighted: bool, offset: float) -> None:
    x = (column() + np.float32(offset)).astype(np.float32)
    weight = RNG.random(500) if weighted else np.ones(500)
    scaler = StandardScaler().fit(x[:, None].astype(np.float64), sample_weight=weight)
    for scale in (1.0, 1e-6, 1e6):
        mean, std = fast(jnp.asarray(x), jnp.asarray(scale * weight, jnp.float32))
        np.testing.assert_allclose(mean, scaler.mean_[0], rtol=1e-6)
        np.testing.assert_allclose(std, np.sqrt(scaler.var_[0]), rtol=2e-6)


def test_digits_are_kept_over_many_rows() -> None:
    x = (1e4 + RNG.normal(size=1_000_000)).astype(np.float32)
    mean, std = fast(jnp.asarray(x), jnp.ones(len(x)))
    np.testing.assert_allclose(mean, x.mean(dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(std, x.std(dtype=np.float64), rtol=1e-5)


def test_a_first_row_far_away_costs_no_digits() -> None:
    x = np.concatenate([[1e9], RNG.normal(size=999)]).astype(np.float32)
    weight = np.ones(1000, np.float32)
    weight[0] = 1e-30
    mean, std = fast(jnp.asarray(x), jnp.asarray(weight))
    np.testing.assert_allclose(mean, x[1:].mean(), atol=1e-4)
    np.testing.assert_allclose(std, x[1:].std(), rtol=1e-4)


@given(
    st.lists(
        st.tuples(
            st.floats(-1e6, 1e6, width=32),
            st.sampled_from([0.0, 0.5, 1.0, 3.0]),
            st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -1e-40, 0.0]),
        ),
        min_size=20,
        max_size=20,
    )
)
def test_rows_without_weight_change_no_bit(rows: list) -> None:
    x, weight, other = (np.array(part, np.float32) for part in zip(*rows, strict=True))
    clean = fast(jnp.asarray(x), jnp.asarray(weight))
    dirty = fast(jnp.asarray(np.where(weight > 0, x, other)), jnp.asarray(weight))
    for a, b in zip(clean, dirty, strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
        assert np.isfinite(a)


@pytest.mark.parametrize("x", [[], [1.0], [2.0, 2.0, 2.0], [0.1, 0.1, 0.1]])
def test_few_and_equal_values(x: list[float]) -> None:
    padded = jnp.array([*x, jnp.nan, jnp.inf])
    mean, std = moments(padded, jnp.ones(len(padded)))
    assert float(mean) == (np.float32(x[0]) if x else 0.0)
    assert float(std) == 0.0
