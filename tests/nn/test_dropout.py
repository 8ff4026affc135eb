"""Dropout of channels, of whole examples, and to SELU's lowest value; see also ``test_dropout_rate.py``."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from jdl.nn.dropout import SELU_LOWEST

KEY = jax.random.key(0)
LAYERS = (nn.dropout, nn.spatial_dropout, nn.stochastic_depth, nn.alpha_dropout, nn.spatial_alpha_dropout)


def drop(layer, rate, x, key=KEY):
    return layer(rate).apply({}, {}, x, key=key)[0]


@partial(jax.jit, static_argnums=0)
def drops(layer, rates, xs):
    """Rows are members: a rate for each, one key for all."""
    return jax.vmap(lambda rate, x: drop(layer, rate, x))(rates, xs)


def deviations(kept):
    """How many standard deviations the share that is dropped lies from the rate of 0.3."""
    used = round(0.3 * 65536) / 65536
    return abs(np.mean(~np.asarray(kept)) - used) / (used * (1 - used) / kept.size) ** 0.5


@pytest.mark.parametrize("layer", [nn.spatial_dropout, nn.spatial_alpha_dropout])
def test_channels_are_dropped_whole_at_the_rate_given(layer):
    found = drop(layer, 0.3, jnp.ones((2, 3, 100_000)))
    assert (found == found[:1, :1]).all()
    kept = found[0, 0] > 0  # ones stay above zero, SELU's lowest does not
    # Dropped channels are binomial; 4.9 standard deviations are passed by one key in a million. KEY is fixed.
    assert deviations(kept) < 4.9


def test_stochastic_depth_keeps_all_of_an_example_or_nothing():
    net = nn.batched(nn.stochastic_depth(0.3))
    ys = jax.jit(lambda xs: net({}, {}, xs, key=KEY)[0])(jnp.ones((100_000, 2, 1)))
    assert (ys == ys[:, :1]).all()
    assert deviations(ys[:, 0, 0] > 0) < 4.9
    used = round(0.3 * 65536) / 65536
    np.testing.assert_allclose(np.unique(ys), [0, 1 / (1 - used)], rtol=1e-6)


def test_a_residual_part_with_stochastic_depth_is_left_out_or_scaled():
    net = nn.residual(nn.chain(lambda x: 3 * x, nn.stochastic_depth(0.5)))
    xs = jnp.arange(1.0, 65.0)[:, None] * jnp.ones(2)
    ys, _ = jax.jit(lambda xs: nn.batched(net)({}, {}, xs, key=KEY))(xs)
    assert set(np.unique(ys / xs)) == {1.0, 7.0}
    np.testing.assert_array_equal(net({}, xs[0]), 4 * xs[0])


@pytest.mark.parametrize("layer", [nn.alpha_dropout, nn.spatial_alpha_dropout])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.8])
def test_alpha_dropout_keeps_mean_and_variance(layer, rate):
    n = 400_000
    x = np.random.default_rng(0).normal(size=n).astype(np.float32)
    y = np.float64(drop(layer, rate, (x - x.mean()) / x.std()))
    # At 4.9 deviations: of a mean of n elements of variance one, and of a variance, by the kurtosis.
    assert abs(y.mean()) < 4.9 / n**0.5
    kurtosis = np.mean((y - y.mean()) ** 4) / y.var() ** 2
    assert abs(y.var() - 1) < 4.9 * ((kurtosis - 1) / n) ** 0.5


def test_alpha_dropout_is_the_papers_affine_map():
    x, rate = np.linspace(-2, 2, 1000), 0.25  # a multiple of 1/65536
    with jax.enable_x64(True):
        found = np.asarray(jax.jit(lambda x: drop(nn.alpha_dropout, rate, x))(x))
    a = ((1 - rate) * (1 + rate * SELU_LOWEST**2)) ** -0.5
    b = -a * rate * SELU_LOWEST
    kept = np.isclose(found, a * x + b, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[~kept], a * SELU_LOWEST + b, rtol=1e-12)
    assert 150 < (~kept).sum() < 350  # binomial: 250 give or take 7 deviations
    slope = jax.jit(jax.grad(lambda x: drop(nn.alpha_dropout, rate, x).sum()))(np.float32(x))
    np.testing.assert_allclose(slope, np.where(kept, a, 0), rtol=1e-6)


def test_selus_lowest_value_is_seen_from_far_below():
    np.testing.assert_allclose(jax.nn.selu(-1e6), SELU_LOWEST, rtol=1e-6)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_rate_may_be_traced_and_mapped(layer):
    rates = jnp.array([0.0, 0.25, 1.0, -0.1])
    found = drops(layer, rates, jnp.ones((4, 3, 16)))
    np.testing.assert_allclose(found[0], 1, rtol=1e-6)
    np.testing.assert_allclose(found[1], drop(layer, 0.25, jnp.ones((3, 16))), rtol=1e-6)
    assert np.isnan(found[2:]).all()


@pytest.mark.parametrize("layer", LAYERS)
def test_without_a_key_the_input_comes_back_and_with_one_its_dtype(layer):
    x = jnp.ones((3, 4), jnp.bfloat16)
    assert layer(0.5)({}, x) is x
    found = drop(layer, 0.5, x)
    assert found.dtype == x.dtype and found.shape == x.shape
    assert drop(layer, 0.5, jnp.ones((2, 2), int)).dtype == jnp.float32


@pytest.mark.parametrize("layer", LAYERS)
def test_rates_outside_zero_to_one_are_refused_by_name(layer):
    for rate in (1, 1.5, -0.1, float("nan")):
        with pytest.raises(nn.LayerError, match=rf"{layer.__name__}: rate is .*, needs a number in \[0, 1\)"):
            layer(rate)


@pytest.mark.parametrize("layer", [nn.spatial_dropout, nn.spatial_alpha_dropout])
def test_a_scalar_has_no_channels(layer):
    with pytest.raises(nn.LayerError, match=r"part: has shape \(\), needs \(…, channels\)"):
        nn.chain(part=layer(0.5)).init(KEY, jnp.zeros(()))


def test_fading_dropout_falls_along_a_cosine_from_its_middle():
    steps = jnp.array([0, 50, 75, 90, 100, 200])

    @jax.jit
    def dropped(step):
        y, state = nn.fading_dropout(0.4, 100).apply({}, {"step": step}, jnp.ones(50_000), key=KEY)
        return jnp.mean(y == 0), state["step"], y.mean()

    share, after, mean = jax.vmap(dropped)(steps)
    t = np.clip((np.array(steps) / 100 - 0.5) / 0.5, 0, 1)
    np.testing.assert_allclose(share, 0.4 * 0.5 * (1 + np.cos(np.pi * t)), atol=0.012)  # 5 deviations
    np.testing.assert_allclose(mean, 1, atol=0.02)
    assert after.tolist() == (steps + 1).tolist()


def test_fading_dropout_counts_stochastic_passes_alone():
    net = nn.repeat(2, nn.fading_dropout(0.4, 2))
    params, state = net.init(KEY, jnp.ones(3))
    y, same = net.apply(params, state, jnp.ones(3))
    assert y.tolist() == [1, 1, 1] and jax.tree.all(jax.tree.map(np.array_equal, state, same))
    for _ in range(2):
        _, state = nn.batched(net)(params, state, jnp.ones((5, 3)), key=KEY)
    assert state["step"].tolist() == [2, 2]
    y, _ = net.apply(params, state, jnp.ones(3), key=KEY)
    assert y.tolist() == [1, 1, 1]  # training is over


def test_fading_dropout_takes_traced_numbers():
    def mean(rate, steps, flat):
        net = nn.fading_dropout(rate, steps, flat=flat)
        return jnp.mean(net.apply({}, {"step": jnp.int32(8)}, jnp.ones(10_000), key=KEY)[0] == 0)

    rates, steps, flats = (
        jnp.array([0.0, 0.3, 0.3, 0.3]),
        jnp.array([10, 10, 8, 10]),
        jnp.array([0.5, 0.9, 0.9, 0.6]),
    )
    found = jax.jit(jax.vmap(mean))(rates, steps, flats)
    np.testing.assert_allclose(found, [0, 0.3, 0, 0.15], atol=0.025)
    with pytest.raises(nn.LayerError, match="fading_dropout: rate is 1.0"):
        nn.fading_dropout(1.0, 10)


def test_masks_are_as_even_as_jaxs_own_bits():
    keys = jax.random.split(KEY, 512)
    out = (
        np.asarray(
            jax.jit(jax.vmap(lambda key: drop(nn.dropout, 0.5, jnp.ones(1024), key) == 0))(keys), float
        )
        - 0.5
    )
    by_example, by_element = out.mean(1), out.mean(0)
    for means, count in ((by_example, 1024), (by_element, 512)):
        z = means * 2 * count**0.5
        assert abs(z).max() < 5 and abs(z.var() - 1) < 0.25  # 5 deviations of a variance of 512 numbers: 0.31
    # No two examples, and no two elements, have masks that agree more than chance lets them.
    for rows in (out, out.T):
        pairs = (4 * rows @ rows.T / rows.shape[1]) * rows.shape[1] ** 0.5
        assert abs(pairs[~np.eye(len(rows), dtype=bool)]).max() < 6
    for shift in (1, 2, 16):  # nor is an element like those near it
        assert abs((4 * out[:, shift:] * out[:, :-shift]).mean()) * out.size**0.5 < 5
