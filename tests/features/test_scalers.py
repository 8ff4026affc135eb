"""Scalers against scikit-learn, in float64, with weights as repetitions; and in float32 where it is hard."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from jdl import features
from jdl.features.moments import mean_and_std, merge, moments_of
from jdl.features.sample import Sample, quantiles, sample_of, sort
from jdl.features.sample import merge as merge_samples

RNG = np.random.default_rng(0)
N = 200
REPEATED = RNG.integers(0, 3, N)
COLUMNS = np.stack(
    [
        RNG.normal(size=N),
        np.exp(RNG.normal(size=N)),
        np.round(3 * RNG.normal(size=N)),
        -1e-2 * RNG.exponential(size=N),
        100 * RNG.normal(size=N) ** 3 + 5,
        RNG.random(N) < 0.3,
    ],
    1,
)

PAIRS = {
    "standard": (features.standard(), StandardScaler()),
    "min_max": (features.min_max(), MinMaxScaler()),
    "quantile_normal": (
        features.quantile_normal(50, noise=0),
        QuantileTransformer(n_quantiles=50, output_distribution="normal"),
    ),
    "power": (features.power(), PowerTransformer()),
    "impute_mean": (features.impute_mean(), SimpleImputer()),
    "impute_median": (features.impute_median(), SimpleImputer(strategy="median")),
}


def transformed(prepare, trained, weight, seen):
    @jax.jit
    def both(trained, weight, seen):
        stats = prepare.fit(jax.random.key(0), trained, None, weight)
        return stats, jax.vmap(prepare.apply, (None, 0))(stats, seen)

    return both(trained, weight, seen)


@pytest.mark.parametrize("name", PAIRS)
def test_scalers_are_scikit_learn_s(name: str) -> None:
    prepare, theirs = PAIRS[name]
    x = COLUMNS.copy()
    x[RNG.random(x.shape) < 0.1] = np.nan
    seen = np.concatenate([x, 1.5 * x])
    with jax.enable_x64(True):
        _, found = transformed(prepare, x, REPEATED.astype(float), seen)
        want = theirs.fit(np.repeat(x, REPEATED, 0)).transform(seen)
        np.testing.assert_allclose(np.asarray(found), want, rtol=1e-5, atol=1e-5)


def test_robust_is_scikit_learn_s_and_bent() -> None:
    with jax.enable_x64(True):
        stats, found = transformed(features.robust(), COLUMNS, REPEATED.astype(float), COLUMNS)
        repeated = np.repeat(COLUMNS, REPEATED, 0)
        theirs = RobustScaler().fit(repeated)
        np.testing.assert_allclose(stats["center"], theirs.center_, atol=1e-9)
        spread = np.quantile(repeated, 0.75, axis=0) > np.quantile(repeated, 0.25, axis=0)
        scale = np.where(spread, theirs.scale_, np.ptp(repeated, axis=0) / 2)
        np.testing.assert_allclose(stats["scale"], scale, rtol=1e-9)
        z = (COLUMNS - theirs.center_) / scale
        np.testing.assert_allclose(found, z / np.sqrt(1 + (z / 3) ** 2), atol=1e-9)


def test_float32_keeps_the_digits_it_has() -> None:
    rng = np.random.default_rng(5)
    base = (rng.normal(size=(500, 1)) + 1e4).astype(np.float32) - 1e4  # all that is left under the offset
    hard = np.concatenate([base, base * 1e-30, base * 1e30, base + 1e4, np.full((500, 1), 0.1)], 1)
    hard = hard.astype(np.float32)
    for prepare in (features.standard(), features.robust(), features.quantile_normal(noise=0)):
        _, found = transformed(prepare, hard, None, hard)
        np.testing.assert_allclose(found[:, 1], found[:, 0], atol=1e-4)
        np.testing.assert_allclose(found[:, 2], found[:, 0], atol=1e-4)
        # Under the offset float32 holds the centre and each end of the spread to half a last digit.
        np.testing.assert_allclose(found[:, 3], found[:, 0], atol=1.5 * np.spacing(np.float32(1e4)))
        np.testing.assert_array_equal(found[:, 4], 0)


def test_normal_quantiles_have_as_many_digits_at_the_upper_end_as_at_the_lower() -> None:
    prepare = features.quantile_normal(101, noise=0)
    stats = prepare.fit(None, jnp.linspace(-1, 1, 501)[:, None], None, None)
    inner = 1 - np.float32(10.0) ** -np.arange(2, 7, dtype=np.float32)
    z = jax.vmap(lambda x: prepare.apply(stats, x)[0])
    rank = (1 - inner.astype(float)) / 2
    np.testing.assert_allclose(z(inner[:, None]), -scipy.special.ndtri(rank), rtol=2e-6)
    np.testing.assert_allclose(z(-inner[:, None]), scipy.special.ndtri(rank), rtol=2e-6)


def test_noise_gives_equal_values_the_middle_of_their_ranks() -> None:
    rare = (np.arange(4000)[:, None] % 4 == 0).astype(np.float32)
    _, found = transformed(features.quantile_normal(), rare, None, np.array([[0.0], [1.0]], np.float32))
    np.testing.assert_allclose(found[:, 0], [-0.319, 1.15], atol=0.1)  # the normal quantiles at 3/8 and 7/8


def test_moments_of_many_rows_and_of_parts() -> None:
    x = (1e4 + RNG.normal(size=(20_000, 2)) * [1, 1e-2]).astype(np.float32)
    weight = jnp.ones(len(x))
    mean, std = jax.jit(lambda x: mean_and_std(moments_of(x, weight)))(x)

    @jax.jit
    def of_parts(x):
        parts = [moments_of(part, jnp.ones(len(part))) for part in jnp.split(x, [1, 3000])]
        return mean_and_std(merge(merge(parts[0], parts[1]), parts[2]))

    for found in ((mean, std), of_parts(x)):
        np.testing.assert_allclose(found[0], x.mean(0, dtype=np.float64), rtol=1e-7)
        np.testing.assert_allclose(found[1], x.std(0, dtype=np.float64), rtol=1e-6)


@partial(jax.jit, static_argnums=2)
def sampled(x, weight, cuts=(0, 1000)):
    take = lambda a, b: sample_of(x[a:b], weight[a:b], a, 100)
    parts = [take(a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
    joined = parts[0]
    for part in parts[1:]:
        joined = merge_samples(joined, part, 100)
    return joined


def test_a_sample_does_not_depend_on_the_cuts() -> None:
    x = RNG.normal(size=(1000, 2)).astype(np.float32)
    weight = RNG.integers(0, 3, 1000).astype(np.float32)
    whole = sampled(x, weight)
    assert whole.rows.shape == (100, 2) and (whole.weight > 0).all()
    assert set(np.asarray(whole.rows[:, 0])) <= set(x[weight > 0, 0])
    for a, b in zip(sampled(x, weight, (0, 40, 700, 1000)), whole, strict=True):
        np.testing.assert_array_equal(a, b)
    few = sampled(x, np.where(np.arange(1000) < 990, 0, weight).astype(np.float32))
    assert (few.weight > 0).sum() == (weight[990:] > 0).sum()


def test_a_sample_is_uniform() -> None:
    draw = jax.jit(jax.vmap(lambda first: sample_of(jnp.arange(50.0)[:, None], None, first, 10).rows[:, 0]))
    counts = np.bincount(np.asarray(draw(50 * jnp.arange(2000)), int).ravel(), minlength=50)
    assert counts.sum() == 20_000 and np.abs(counts - 400).max() < 4.5 * np.sqrt(400 * 0.8)


@pytest.mark.parametrize("weight", [None, 1.0, 0.3])
def test_quantiles_are_numpy_s(weight: float | None) -> None:
    x = COLUMNS[:, :3].astype(np.float32)
    x[:5] = [np.nan, -0.0, np.inf]
    mass = None if weight is None else jnp.full(N, weight)
    given = jnp.where(jnp.isinf(x), jnp.nan, x)
    found = jax.jit(lambda sample: quantiles(sort(sample), np.linspace(0, 1, 21)))(
        Sample(jnp.zeros(N, jnp.uint32), mass, given)
    )
    want = np.nanquantile(np.where(np.isinf(x), np.nan, x), np.linspace(0, 1, 21), axis=0).T
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


def test_piecewise_is_the_formula_of_its_paper() -> None:
    x = COLUMNS[:, :3].astype(np.float32)
    wider = np.concatenate([x, 3 * x])
    found = np.asarray(transformed(features.piecewise(6), x, None, wider)[1])
    for column, encoded, seen in zip(x.T, found.swapaxes(0, 1), wider.T, strict=True):
        edges = np.unique(np.quantile(column, np.linspace(0, 1, 7)).astype(np.float32))
        want = (seen[:, None] - edges[:-1]) / np.diff(edges)
        want[:, 1:] = np.maximum(want[:, 1:], 0)
        want[:, :-1] = np.minimum(want[:, :-1], 1)
        np.testing.assert_allclose(encoded[:, np.abs(encoded).max(0) > 0], want, atol=2e-4)


def test_winsorise_and_missing_pieces() -> None:
    x = np.arange(101, dtype=np.float32)[:, None]
    low = jnp.array([0.1, 0.2])
    fits = jax.jit(jax.vmap(lambda low: features.winsorise(low, 0.9).fit(None, x, None, None)["low"]))
    np.testing.assert_allclose(fits(low)[:, 0], [10, 20], rtol=1e-6)
    _, pieces = transformed(features.piecewise(4), x, None, np.array([[np.nan]], np.float32))
    np.testing.assert_array_equal(pieces[0], [[1, 1, 0, 0]])
