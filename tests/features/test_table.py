"""The preparation of tables: what a row becomes, and whom it is learned from."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from jdl import features
from jdl.data import MISSING_DAY, WORDS, Category, Date, Number, Schema, Target, Text
from jdl.features import dates, table

SCHEMA = Schema(
    Target("y", "regression"),
    (Number("plain"), Number("gaps", missing=3), Number("still"), Number("more", missing=1)),
    (Category("c", ("a", "b", "c")), Category("d", ("e",))),
)
PREPARE = table(SCHEMA)
ROWS = 30
HEAD, TAIL = slice(ROWS // 2), slice(ROWS // 2, ROWS)
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
        stats = jax.jit(prepare.fit)(None, data, None, None)
        out = jax.jit(jax.vmap(prepare.apply, in_axes=(None, 0)))(stats, data)
        assert out["numbers"].shape == (ROWS, len(schema.numbers))
        assert out["flat"].shape == (ROWS, 2 if schema.numbers else 0)
        assert out["categories"].shape == (ROWS, len(schema.categories))


def test_every_kind_of_column_has_its_step() -> None:
    schema = Schema(
        Target("y", "classification", classes=("no", "yes")),
        SCHEMA.numbers,
        SCHEMA.categories,
        dates=(Date("day", "date"), Date("time", "datetime")),
        texts=(Text("words"),),
    )
    levels = features.together(features.ordinal(most=1), features.target_encoding(2))
    numbers = features.chain(features.robust(), features.impute_constant(0.0))
    prepare = table(schema, numbers, levels, texts=features.ngrams(8), pieces=features.piecewise(5))
    assert features.cardinalities(schema, levels) == (3, 2) and prepare.folds == 2
    data = rows()
    data["dates"] = RNG.integers(0, 20_000, (ROWS, 2, 2)).astype(np.int32)
    data["dates"][0, 0, 0] = MISSING_DAY
    data["texts"] = RNG.integers(0, 2**31 - 1, (ROWS, 1, WORDS)).astype(np.int32)
    y, key = RNG.integers(0, 2, ROWS).astype(np.int32), jax.random.key(0)

    @jax.jit
    def whole_and_halves(data):
        begin, end = (jax.tree.map(lambda x, s=s: x[s], (data, y, halves())) for s in (HEAD, TAIL))
        left, right = prepare.summary.part(key, *begin, 0), prepare.summary.part(key, *end, ROWS // 2)
        return prepare.fit(key, data, y, halves()), prepare.summary.finish(prepare.summary.merge(left, right))

    stats, merged = whole_and_halves(data)
    for a, b in zip(jax.tree.leaves(stats), jax.tree.leaves(merged), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    found = jax.jit(jax.vmap(prepare.apply, (None, 0)))(stats, data)
    shapes = {name: value.shape[1:] for name, value in found.items()}
    calendar = 2 * 9 + 3 + 2
    assert shapes == {"numbers": (6,), "categories": (2,), "flat": (2 + 2 + calendar + 8,), "pieces": (4, 5)}
    assert all(np.isfinite(value).all() for value in found.values())
    assert found["numbers"][0, 4] == 0


def test_a_schema_without_target_and_missing_days() -> None:
    prepare = table(Schema(numbers=SCHEMA.numbers))
    assert prepare.summary is not None and dates.MISSING_DAY == MISSING_DAY


def test_preparation_does_not_load_the_readers_of_tables() -> None:
    code = "import sys, jdl.features; print({'polars', 'pyarrow', 'sklearn'} & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "set()"
