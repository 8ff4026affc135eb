"""Convolutions: both ways of computing them agree, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from jdl.nn.convolve import by_plain_layouts, by_xla
from tests.nn.drawn import KEY, equations, normal, random_params


@pytest.mark.parametrize(
    ("window", "strides", "dilation", "pads"),
    [
        ((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
        ((3, 2), (2, 3), (1, 2), ((0, 2), (1, 0))),
        ((1, 4), (3, 1), (2, 2), ((0, 0), (2, 2))),
    ],
)
def test_both_ways_of_convolving_agree(window, strides, dilation, pads):
    xs, w = normal(2, 8, 7, 2), normal(*window, 2, 3)
    dx, dw = normal(*xs.shape), normal(*w.shape)

    def all_of(convolve):
        def run(xs, w):
            return convolve(xs, w, strides, dilation, pads)

        y, tangent = jax.jvp(run, (xs, w), (dx, dw))
        return y, tangent, jax.vjp(run, xs, w)[1](jnp.sin(y))

    ours, theirs = jax.jit(lambda: (all_of(by_plain_layouts), all_of(by_xla)))()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), ours, theirs)


def has_plain_layouts(function, *args):
    """Whether every convolution is one of NHWC images with an HWIO kernel."""
    inside = equations(jax.make_jaxpr(function)(*args).jaxpr)
    found = [e.params["dimension_numbers"] for e in inside if e.primitive.name == "conv_general_dilated"]
    assert found
    return {tuple(layout) for layout in found} == {((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))}


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_on_a_cpu_the_gradients_of_conv_have_plain_layouts(channels):
    net, xs = nn.conv(4, stride=2, dilation=2), normal(3, 7, 6, channels)
    params, _ = random_params(net, xs[0])

    def loss(params, xs):
        return jnp.sum(nn.batched(net)(params, {}, xs)[0])

    assert has_plain_layouts(jax.grad(loss, (0, 1)), params, xs)


def test_where_there_is_a_gpu_conv_is_xlas(monkeypatch):
    net, xs = nn.conv(4, stride=2), normal(3, 7, 6, 2)
    params, _ = random_params(net, xs[0])

    def loss(params):
        return jnp.sum(nn.batched(net)(params, {}, xs)[0] ** 2)

    on_cpu = jax.grad(loss)(params)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not has_plain_layouts(jax.grad(loss), params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), jax.grad(loss)(params), on_cpu)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "window is 0, needs a positive integer or two"),
        ({"window": (3, 3, 3, 3)}, "window is .3, 3, 3, 3., needs"),
        ({"stride": -1}, "stride is -1, needs"),
        ({"dilation": 1.5}, "dilation is 1.5, needs"),
        ({"padding": "same"}, "padding is 'same', needs 'SAME', 'VALID', a number, or"),
        ({"padding": -1}, "padding is -1, needs"),
        ({"padding": (1, 1)}, "padding is .1, 1., needs"),
    ],
)
def test_conv_refuses_settings_that_mean_nothing(arguments, message):
    with pytest.raises(nn.LayerError, match=message):
        nn.conv(4, **arguments)


def test_images_of_the_wrong_shape():
    with pytest.raises(
        nn.LayerError, match=r"stem: has shape \(2, 8, 8, 1\), needs \(height, width, channels\)"
    ):
        nn.chain(stem=nn.conv(4)).init(KEY, jnp.zeros((2, 8, 8, 1)))
    with pytest.raises(nn.LayerError, match=r"has height and width \(2, 8\), .* needs at least \(3, 3\)"):
        nn.conv(4, padding="VALID").init(KEY, jnp.zeros((2, 8, 1)))
    with pytest.raises(nn.LayerError, match=r"needs at least \(5, 5\)"):
        nn.max_pool(5)({}, jnp.zeros((4, 4, 1)))
