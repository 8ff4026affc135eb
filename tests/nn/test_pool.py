"""Pooling beyond its formula: ties, NaN, padding, norms that are traced, programs, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdl import nn
from jdl.nn.adaptive_pool import _bins
from tests.nn.test_layers import equations

RNG = np.random.default_rng(0)


def column(*values):
    return jnp.array(values, jnp.float32)[:, None]


def slope(net, x):
    return jax.jit(jax.grad(lambda x: net({}, x).sum()))(x).ravel().tolist()


def test_of_equal_largest_elements_the_first_gets_the_gradient_of_windows_that_overlap():
    net = nn.max_pool((3,), stride=1)
    assert slope(net, column(1, 1, 1, 0, 1)) == [1, 1, 1, 0, 0]
    assert slope(nn.adaptive_max_pool((2,)), column(2, 1, 1, 1, 1)) == [1, 0, 1, 0, 0]
    x = jnp.array([[1.0, 3.0, 0.0], [3.0, 3.0, 0.0], [0.0, 0.0, 0.0]])[..., None]
    assert slope(nn.max_pool(2, stride=1), x) == [0, 2, 0, 1, 1, 0, 0, 0, 0]  # row by row, as in PyTorch


@pytest.mark.parametrize(
    "net",
    [
        nn.max_pool((2,), stride=1),
        nn.max_pool((2,)),
        nn.adaptive_max_pool((2,)),
        nn.average_pool((2,), stride=1),
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_nan_is_seen_in_every_window_that_holds_it(net, place):
    x = column(3, 1, 2, 4)
    inputs = jnp.stack([x.at[place].set(value) for value in (-99.0, 99.0, jnp.nan)])
    lowest, largest, unknown = nn.batched(nn.chain(net))({}, {}, inputs)[0]
    np.testing.assert_array_equal(np.isnan(unknown), lowest != largest)
    assert (lowest != largest).any()


def test_padding_never_wins_and_counts_only_where_asked():
    x = column(-4, -2)
    assert nn.max_pool((3,), stride=1, padding=1)({}, x).ravel().tolist() == [-2, -2]
    assert nn.average_pool((3,), stride=1, padding=1)({}, x).ravel().tolist() == [-2, -2]
    bare = nn.average_pool((3,), stride=1, padding=1, count_padding=False)
    assert bare({}, x).ravel().tolist() == [-3, -3]
    assert nn.average_pool((2,), padding=2, count_padding=False)({}, x).ravel().tolist() == [0, -3, 0]


def test_the_norm_of_lp_pool_may_be_traced_and_has_a_gradient():
    x = column(3, -4, 0, 0)
    pooled = jax.jit(jax.vmap(lambda norm: nn.lp_pool(norm, (2,))({}, x).ravel()))
    np.testing.assert_allclose(
        pooled(jnp.array([1.0, 2.0, 4.0])), [[7, 0], [5, 0], [337**0.25, 0]], rtol=1e-5
    )
    first = lambda norm: nn.lp_pool(norm, (2,))({}, x)[0, 0]
    # d/dp of (Σ a^p)^(1/p) = y (Σ a^p ln a / Σ a^p / p - ln Σ a^p / p²), at p = 2
    expected = 5 * ((9 * np.log(3) + 16 * np.log(4)) / 25 / 2 - np.log(25) / 4)
    np.testing.assert_allclose(jax.grad(first)(2.0), expected, rtol=1e-4)


@pytest.mark.parametrize("norm", [0.5, 1, 2, 3.5])
def test_the_gradient_of_lp_pool_is_zero_where_a_window_is(norm):
    found = slope(nn.lp_pool(norm, (2,)), column(0, 0, 0, 1))
    np.testing.assert_allclose(found, [0, 0, 0, 1], rtol=1e-6)


def test_global_pools_take_any_number_of_axes_and_sum_in_float32():
    x = jnp.full((64, 64, 2), 3.0, jnp.bfloat16)
    assert nn.global_average_pool(x).tolist() == [3, 3]
    assert nn.global_average_pool(x).dtype == jnp.bfloat16
    assert nn.global_max_pool(jnp.array([1.0, 2.0])).tolist() == [1, 2]
    net = nn.chain(nn.global_max_pool, nn.dense(2))
    assert jax.eval_shape(net.init, jax.random.key(0), x)[0]["dense"]["w"].shape == (2, 2)


@given(n=st.integers(1, 40), count=st.integers(1, 40))
def test_bins_cover_every_position_in_order(n, count):
    places, real = _bins(n, count)
    for i in range(count):
        mine = places[i][real[i]].tolist()
        assert mine == list(range(mine[0], mine[-1] + 1))
        assert set(places[i].tolist()) == set(mine)
        assert i * n / count - 1 < mine[0] <= i * n / count
        assert (i + 1) * n / count <= mine[-1] + 1 < (i + 1) * n / count + 1


def test_pooling_and_its_gradient_need_no_window_reduction_and_no_scatter():
    nets = (
        nn.max_pool(3, stride=2, padding=1),
        nn.average_pool(3, stride=1),
        nn.lp_pool(2, 3),
        nn.max_pool(2),
    )
    for net in nets:
        inside = equations(jax.make_jaxpr(jax.grad(lambda x: net({}, x).sum()))(jnp.zeros((9, 9, 2))).jaxpr)  # noqa: B023
        names = {equation.primitive.name for equation in inside}
        assert not [name for name in names if name.startswith(("reduce_window", "select_and", "scatter"))]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.max_pool(0), "window is 0, needs a positive integer or two"),
        (lambda: nn.max_pool((2,), padding=2), r"padding .* must be smaller than the window \(2,\)"),
        (
            lambda: nn.average_pool((2,), stride=(1, 1)),
            r"stride is \(1, 1\), needs a positive integer or one",
        ),
        (lambda: nn.lp_pool(0, 2), "lp_pool: norm is 0, needs a number above zero"),
        (lambda: nn.adaptive_max_pool((2, 0)), r"size is \(2, 0\), needs a positive integer or two"),
        (
            lambda: nn.max_pool((2,))({}, jnp.zeros((4, 4, 1))),
            r"has shape \(4, 4, 1\), needs \(length, channels\)",
        ),
        (lambda: nn.max_pool((3,))({}, jnp.zeros((2, 1))), r"has length \(2,\), .* needs at least \(3,\)"),
        (
            lambda: nn.lp_pool(2, 3)({}, jnp.zeros((2, 1))),
            r"has shape \(2, 1\), needs \(height, width, channels\)",
        ),
        (
            lambda: nn.adaptive_average_pool(2)({}, jnp.zeros((4, 4))),
            r"adaptive_average_pool: has shape \(4, 4\)",
        ),
        (
            lambda: nn.max_pool((2,), dilation=2, padding=1)({}, jnp.zeros((1, 1))),
            r"padding \(\(1, 1\),\) and dilation \(2,\) leave a window empty",
        ),
    ],
)
def test_refusals(build, message):
    with pytest.raises(nn.LayerError, match=message):
        build()


def test_pooling_leaves_out_rows_that_fill_no_window():
    x = jnp.arange(25.0).reshape(5, 5, 1)
    assert nn.max_pool(2)({}, x)[..., 0].tolist() == [[6, 8], [16, 18]]
    assert nn.average_pool(2)({}, x)[..., 0].tolist() == [[3, 5], [13, 15]]


def test_pooling_of_integers():
    x = jnp.arange(16, dtype=jnp.int32).reshape(4, 4, 1) - 20
    assert nn.max_pool(2, padding="SAME", stride=1)({}, x)[-1, -1].tolist() == [-5]
    assert nn.max_pool(2)({}, x).dtype == jnp.int32
    assert nn.average_pool(3, stride=1)({}, x)[0, 0].tolist() == [-15.0]


def test_average_pool_sums_in_float32():
    x = jnp.full((32, 32, 1), 1.0, jnp.bfloat16)
    assert nn.average_pool(31, stride=1)({}, x).astype(float).ravel().tolist() == [1.0] * 4


def test_max_pool_shares_the_gradient_among_equals():
    gradient = jax.grad(lambda x: nn.max_pool(2)({}, x).sum())(jnp.zeros((2, 2, 1)))
    assert gradient.ravel().tolist() == [0.25] * 4


def test_max_pool_refuses_windows_of_padding_alone():
    with pytest.raises(nn.LayerError, match=r"padding .* must be smaller than the window \(2, 2\)"):
        nn.max_pool(2, padding=2)
