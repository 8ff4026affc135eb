"""The preparation of tables: what a row becomes, and whom it is learned from."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from jdl.data import Category, Number, Schema, Target
from jdl.features import table

SCHEMA = Schema(
    Target("y", "regression"),
    (Number("plain"), Number("gaps", missing=3), Number("still"), Number("more", missing=1)),
    (Category("c", ("a", "b", "c")), Category("d", ("e",))),
)
PREPARE = table(SCHEMA)
ROWS = 30
RNG = np.random.default_rng(0)

fit = jax.jit(lambda rows, weight: PREPARE.fit(None, rows, None, weight))
apply = jax.jit(jax.vmap(PREPARE.apply, in_axes=(None, 0)))


def rows() -> dict[str, np.ndarray]:
    numbers = RNG.normal(size=(ROWS, 4)).astype(np.float32) * [1, 100, 0, 1e-3] + [0, 1000, 0.1, 0]
    numbers[RNG.random((ROWS, 4)) < [0, 0.3, 0, 0.1]] = np.nan
    return {
        "numbers": numbers.astype(np.float32),
        "categories": np.stack([RNG.integers(0, 4, ROWS), RNG.integers(0, 2, ROWS)], 1).astype(np.int32),
    }


def halves() -> np.ndarray:
    return (np.arange(ROWS) < ROWS // 2).astype(np.float32)


def test_numbers_are_scikit_learn_s_fitted_on_the_training_rows() -> None:
    data = rows()
    found = apply(fit(data, halves()), data)
    out = found["numbers"]
    varying = [0, 1, 3]
    scaler = StandardScaler().fit(data["numbers"][: ROWS // 2, varying].astype(np.float64))
    want = np.nan_to_num(scaler.transform(data["numbers"][:, varying]))
    np.testing.assert_allclose(out[:, varying], want, atol=2e-5)
    np.testing.assert_array_equal(out[:, 2], 0)
    np.testing.assert_array_equal(found["flat"], np.isnan(data["numbers"][:, [1, 3]]))
    assert out.dtype == jnp.float32


def test_no_weight_is_a_weight_of_one() -> None:
    data = rows()
    for a, b in zip(
        jax.tree.leaves(fit(data, None)), jax.tree.leaves(fit(data, np.ones(ROWS, np.float32))), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_levels_no_training_row_holds_are_unseen() -> None:
    data = rows()
    data["categories"] = np.array([[1, 1], [2, 0], [3, 1]] * 10, np.int32)
    weight = np.array([1, 2, 0] * 10, np.float32)
    out = apply(fit(data, weight), data)["categories"]
    np.testing.assert_array_equal(out[:3], [[2, 1], [1, 0], [0, 1]])  # the commonest level is 1
    assert out.dtype == jnp.int32


def test_a_column_without_training_values_is_zero() -> None:
    data = rows()
    data["numbers"][: ROWS // 2, 1] = np.nan
    out = apply(fit(data, halves()), data)["numbers"]
    assert np.isfinite(out).all()
    np.testing.assert_array_equal(out[:, 1], 0)


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.nan, np.inf, -np.inf, 3e38]))
@settings(max_examples=30)
def test_rows_without_weight_change_no_bit(seed: int, rubbish: float) -> None:
    rng = np.random.default_rng(seed)
    data, weight = rows(), rng.choice([0, 0.5, 1, 2], ROWS).astype(np.float32)
    gone = weight == 0
    other = {name: part.copy() for name, part in data.items()}
    other["numbers"][gone] = rubbish
    other["categories"][gone] = rng.integers(-(2**31), 2**31 - 1, (gone.sum(), 2))
    for a, b in zip(jax.tree.leaves(fit(data, weight)), jax.tree.leaves(fit(other, weight)), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@given(
    st.lists(st.floats(width=32), min_size=4, max_size=4),
    st.lists(st.floats(width=32), min_size=4, max_size=4),
)
@settings(max_examples=50)
def test_every_number_becomes_a_finite_one(trained: list[float], row: list[float]) -> None:
    data = rows()
    data["numbers"][:20] = np.array(trained, np.float32)
    seen = {"numbers": np.array([row] * ROWS, np.float32), "categories": data["categories"]}
    assert np.isfinite(apply(fit(data, None), seen)["numbers"]).all()


def test_folds_are_vmapped() -> None:
    data = rows()
    weights = np.stack([halves(), 1 - halves(), np.ones(ROWS, np.float32)])
    together = jax.vmap(fit, in_axes=(None, 0))(data, weights)
    for i, weight in enumerate(weights):
        alone = fit(data, weight)
        for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(a[i], b, rtol=1e-6)


def test_tables_of_numbers_or_categories_alone() -> None:
    for schema in (
        Schema(SCHEMA.target, numbers=SCHEMA.numbers),
        Schema(SCHEMA.target, categories=SCHEMA.categories),
    ):
        data = rows()
        if not schema.numbers:
            data["numbers"] = np.zeros((ROWS, 0), np.float32)
        if not schema.categories:
            data["categories"] = np.zeros((ROWS, 0), np.int32)
        prepare = table(schema)
        out = jax.vmap(prepare.apply, in_axes=(None, 0))(prepare.fit(None, data, None, None), data)
        assert out["numbers"].shape == (ROWS, len(schema.numbers))
        assert out["flat"].shape == (ROWS, 2 if schema.numbers else 0)
        assert out["categories"].shape == (ROWS, len(schema.categories))


def test_preparation_does_not_load_the_readers_of_tables() -> None:
    code = "import sys, jdl.features; print({'polars', 'pyarrow', 'sklearn'} & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "set()"
