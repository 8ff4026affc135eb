"""Resampling, shuffling and padding beyond their formula: inverses, exactness, precision, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6, 8), (4, 2, 2, 8)])
def test_unshuffling_pixels_undoes_shuffling(shape):
    x = RNG.normal(size=shape)
    axes = len(shape) - 1
    shuffled = nn.pixel_shuffle(2)({}, jnp.asarray(x))
    assert shuffled.shape == (*(2 * n for n in shape[:-1]), shape[-1] // 2**axes)
    np.testing.assert_array_equal(nn.pixel_unshuffle(2)({}, shuffled), jnp.asarray(x))


def test_resizing_keeps_constants_and_lines_and_takes_any_number_of_axes():
    line = jnp.arange(8.0)[:, None]
    inside = slice(2, -2)  # beyond the middle of the first and last pixel nothing can be a line
    places = (np.arange(16) + 0.5) / 2 - 0.5
    for method in ("linear", "cubic", "cubic-pytorch"):
        np.testing.assert_allclose(
            nn.resize((16,), method)({}, line)[inside, 0][2:-2], places[4:-4], rtol=1e-5
        )
    assert nn.resize((8,), "nearest")({}, jnp.arange(4)[:, None]).ravel().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    whole = nn.resize((3, 5, 2), "lanczos3")({}, jnp.full((4, 3, 4, 2), 7.0))
    np.testing.assert_allclose(whole, np.full((3, 5, 2, 2), 7), rtol=1e-5)


def test_antialiasing_uses_every_pixel():
    spike = jnp.zeros((16, 1)).at[2].set(16.0)
    assert nn.resize((2,))({}, spike).sum() > 0
    assert nn.resize((2,), antialias=False)({}, spike).sum() == 0


def test_resizing_in_half_precision_sums_in_float32():
    x = jnp.asarray(RNG.normal(size=(9, 9, 2)), jnp.bfloat16)
    found = nn.resize(4)({}, x)
    assert found.dtype == jnp.bfloat16
    exact = nn.resize(4)({}, x.astype(jnp.float32))
    np.testing.assert_array_equal(found, exact.astype(jnp.bfloat16))


def test_the_value_of_padding_may_be_traced():
    padded = jax.jit(jax.vmap(lambda value: nn.pad(((1, 2),), value=value)({}, jnp.ones((2, 1))).ravel()))
    assert padded(jnp.array([0.5, -1.0])).tolist() == [[0.5, 1, 1, 0.5, 0.5], [-1, 1, 1, -1, -1]]
    assert nn.pad(1)({}, jnp.ones((1, 1, 1, 2), jnp.bfloat16)).shape == (3, 3, 3, 2)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.resize((4, 0)), r"shape is \(4, 0\), needs a positive integer or two"),
        (lambda: nn.resize(4, "area"), "resize: method is 'area', needs one of .*'nearest'"),
        (
            lambda: nn.resize((4,))({}, jnp.zeros((4, 4, 1))),
            r"resize: has shape \(4, 4, 1\), needs \(length, ch",
        ),
        (lambda: nn.pixel_shuffle(0), "pixel_shuffle: factor is 0, needs a positive integer"),
        (lambda: nn.pixel_shuffle(2)({}, jnp.zeros((2, 2, 6))), r"has 6 channels, needs a multiple of 2\^2"),
        (
            lambda: nn.pixel_shuffle(2)({}, jnp.zeros(4)),
            r"has shape \(4,\), needs \(height, width, channels\)",
        ),
        (
            lambda: nn.pixel_unshuffle(2)({}, jnp.zeros((2, 3, 1))),
            r"has lengths \(2, 3\), needs multiples of 2",
        ),
        (lambda: nn.pad(-1), "pad: widths are -1, needs a number or"),
        (lambda: nn.pad((1, 1)), r"pad: widths are \(1, 1\), needs a number or"),
        (lambda: nn.pad(1, mode="same"), "pad: mode is 'same', needs one of .*'reflect'"),
        (
            lambda: nn.pad(((1, 1),))({}, jnp.zeros((2, 2, 1))),
            r"pad: has shape \(2, 2, 1\), needs \(length, ch",
        ),
    ],
)
def test_refusals(build, message):
    with pytest.raises(nn.LayerError, match=message):
        build()
