"""Convolutions beyond their formula: every way of computing them, the programs they lower to, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from jdl.nn.convolve import by_xla, convolve
from tests.nn.test_layers import equations

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)


def normal(*shape):
    return RNG.normal(size=shape)


def close(found, expected, tolerance=1e-10):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), found, expected
    )


# spatial lengths, channels, width, window, strides, dilation, padding, groups
WAYS = {
    "1-D, in blocks": ((9,), 4, 8, (3,), (2,), (1,), ((1, 2),), 2),
    "tiles": ((7, 8), 3, 4, (2, 1), (2, 3), (1, 1), ((0, 0), (0, 0)), 1),
    "padding that makes the output longer": ((5, 6), 3, 2, (3, 2), (1, 1), (1, 1), ((2, 2), (1, 0)), 1),
    "shifts": ((5, 8), 3, 6, (2, 3), (2, 1), (2, 1), ((3, 1), (0, 1)), 3),
    "merged groups": ((3, 3), 48, 48, (2, 2), (1, 1), (1, 1), ((1, 0), (0, 1)), 4),
    "3-D": ((4, 4, 5), 3, 2, (2, 3, 2), (2, 1, 1), (1, 1, 2), ((1, 1), (0, 2), (1, 1)), 1),
    "3-D, shifts": ((4, 3, 3), 2, 4, (2, 1, 2), (1, 2, 1), (2, 1, 1), ((1, 1), (0, 0), (0, 2)), 2),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_convolving_agrees_with_xla(way):
    lengths, channels, width, window, *how, groups = WAYS[way]
    xs, w = normal(2, *lengths, channels), normal(*window, channels // groups, width)
    dx, dw = normal(*xs.shape), normal(*w.shape)

    def all_of(run):
        y, tangent = jax.jvp(run, (xs, w), (dx, dw))
        return y, tangent, jax.vjp(run, xs, w)[1](jnp.sin(y))

    def both():
        ours = all_of(lambda xs, w: convolve(xs, w, *how, groups))
        return ours, all_of(lambda xs, w: by_xla(xs, w, *how, groups=groups))

    with jax.enable_x64(True):
        close(*jax.jit(both)())


NETS = {
    "1-D": (nn.conv(4, (3,), stride=2), (9, 2)),
    "2-D, longer": (nn.conv(4, 3, padding=2), (5, 6, 3)),
    "3-D": (nn.conv(4, (3, 2, 3), stride=(1, 2, 1)), (4, 5, 4, 2)),
    "groups": (nn.conv(66, 3, groups=2), (4, 4, 66)),
    "groups in 3-D": (nn.conv(4, (2, 2, 2), groups=2), (3, 3, 3, 4)),
    "wide depthwise": (nn.depthwise_conv((65,), padding=32), (70, 4)),
    "transposed": (nn.conv_transpose(4, 3, stride=2), (5, 6, 3)),
    "transposed with groups": (nn.conv_transpose(4, (3,), stride=2, dilation=2, groups=2), (5, 4)),
}


@pytest.mark.parametrize("name", NETS)
def test_on_a_cpu_every_convolution_of_a_step_is_one_that_xla_is_fast_in(name):
    net, shape = NETS[name]
    xs = jnp.zeros((3, *shape))
    params = jax.eval_shape(lambda: net.init(KEY, xs[0])[0])

    def loss(params, xs):
        return jnp.sum(nn.batched(net)(params, {}, xs)[0])

    inside = equations(jax.make_jaxpr(jax.grad(loss, (0, 1)))(params, xs).jaxpr)
    found = [e for e in inside if e.primitive.name == "conv_general_dilated"]
    assert len(found) == 3  # forward, by the input, by the kernel
    for convolution in found:
        image, kernel = (operand.aval.shape for operand in convolution.invars)
        axes, given = len(image) - 2, convolution.params
        assert axes < 3 and given["feature_group_count"] == given["batch_group_count"] == 1
        images, kernels, outputs = given["dimension_numbers"]
        assert images == outputs == (0, axes + 1, *range(1, axes + 1))
        assert kernels == (axes + 1, axes, *range(axes))
        assert all(k <= n for k, n in zip(kernel[:axes], image[1:-1], strict=True))


def test_depthwise_is_made_of_products_of_elements_and_keeps_only_its_input():
    net, xs = nn.depthwise_conv((3, 3)), jnp.zeros((3, 8, 8, 2))
    params = jax.eval_shape(lambda: net.init(KEY, xs[0])[0])

    def run(params, xs):
        return nn.batched(net)(params, {}, xs)[0]

    inside = list(
        equations(jax.make_jaxpr(jax.grad(lambda *args: run(*args).sum(), (0, 1)))(params, xs).jaxpr)
    )
    assert not [e for e in inside if e.primitive.name in ("conv_general_dilated", "dot_general")]
    back = jax.eval_shape(lambda *args: jax.vjp(run, *args)[1], params, xs)
    assert [leaf.shape for leaf in jax.tree.leaves(back)] == [params["w"].shape, xs.shape]


def test_where_there_is_a_gpu_groups_are_xlas(monkeypatch):
    net, x = nn.depthwise_conv(3), jnp.zeros((4, 4, 6))
    params = jax.eval_shape(lambda: net.init(KEY, x)[0])
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    found = [
        e.params["feature_group_count"]
        for e in equations(jax.make_jaxpr(lambda params: net(params, x))(params).jaxpr)
        if e.primitive.name == "conv_general_dilated"
    ]
    assert found == [6]


def test_a_depthwise_convolution_sums_in_float32():
    x, w = jnp.full((64, 1), 5, jnp.bfloat16), jnp.ones((64, 1, 1), jnp.bfloat16)
    net = nn.depthwise_conv((64,), padding="VALID", bias=False)
    assert net({"w": w}, x).astype(float).tolist() == [[320.0]]  # bfloat16 does not hold 315


def test_a_separable_convolution_is_one_whose_kernel_is_a_product():
    net, x = nn.separable_conv(4, (2, 3), multiplier=2, stride=2), normal(5, 6, 3)
    with jax.enable_x64(True):
        depthwise, pointwise, b = normal(2, 3, 1, 6), normal(6, 4), normal(4)
        kernel = np.einsum("uvcm,cmo->uvco", depthwise.reshape(2, 3, 3, 2), pointwise.reshape(3, 2, 4))
        params = {"depthwise": {"w": depthwise}, "pointwise": {"w": pointwise, "b": b}}
        close(net(params, x), nn.conv(4, (2, 3), stride=2)({"w": kernel, "b": b}, x))


# --- transposed --------------------------------------------------------------------------------------------

TRANSPOSED = [
    # lengths of the convolution's input, window, arguments
    ((7,), (3,), {"stride": 2, "padding": "VALID"}),
    ((8,), (3,), {"stride": 2, "padding": "SAME"}),
    ((8,), (2,), {"stride": 4, "padding": "SAME"}),
    ((6, 9), (2, 4), {"stride": (1, 3), "padding": "SAME", "dilation": (2, 1), "groups": 2}),
    ((8, 5), (3, 2), {"stride": (3, 1), "padding": ((1, 0), (1, 2)), "dilation": (2, 3)}),
]


@pytest.mark.parametrize(("lengths", "window", "arguments"), TRANSPOSED)
def test_a_transposed_convolution_is_the_gradient_of_a_convolution(lengths, window, arguments):
    groups = arguments.get("groups", 1)
    kernel = normal(*window, 4 // groups, 6)  # of a convolution of 4 channels to 6
    ours = kernel.reshape(*window, 4 // groups, groups, -1).swapaxes(-3, -1).reshape(*window, 6 // groups, 4)
    forward = nn.conv(6, window, bias=False, **arguments)
    backward = nn.conv_transpose(4, window, bias=False, **arguments)

    def both(x):
        y, back = jax.vjp(lambda x: forward({"w": kernel}, x), x)
        return backward({"w": ours}, jnp.sin(y)), back(jnp.sin(y))[0]

    with jax.enable_x64(True):
        found, expected = jax.jit(both)(normal(*lengths, 4))
    unseen = np.asarray(expected).copy()  # a stride may leave the last places of the input unseen
    unseen[tuple(map(slice, found.shape[:-1]))] -= np.asarray(found)
    close(unseen, np.zeros_like(unseen))


# --- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: nn.conv(4, (3,) * 4),
            r"window is .*, needs a positive integer or two \(one in 1-D, three in 3-D",
        ),
        (lambda: nn.conv(4, (3,), stride=(1, 1)), r"stride is \(1, 1\), needs a positive integer or one"),
        (lambda: nn.conv(4, (3, 3, 3), dilation=(1, 1)), r"dilation is \(1, 1\), needs .* or three"),
        (lambda: nn.conv(4, (3,), padding=((1, 1), (1, 1))), r"padding is .* or \(\(left, right\),\)"),
        (lambda: nn.conv(4, groups=3), "conv: width is 4, needs a multiple of 3 groups"),
        (lambda: nn.conv(4, groups=0), "conv: groups is 0, needs a positive integer"),
        (lambda: nn.conv(0), "conv: width is 0, needs a positive integer"),
        (lambda: nn.depthwise_conv(3, multiplier=0), "depthwise_conv: multiplier is 0, needs"),
        (lambda: nn.conv_transpose(4, groups=3), "conv_transpose: width is 4, needs a multiple of 3 groups"),
        (lambda: nn.conv_transpose(4, output_padding=-1), "output_padding is -1, needs an integer from 0"),
        (lambda: nn.conv_transpose(4, stride=2, output_padding=2), "output_padding is 2, needs less than"),
    ],
)
def test_settings_that_mean_nothing(build, message):
    with pytest.raises(nn.LayerError, match=message):
        build()


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (nn.conv(4, groups=2), (5, 5, 3), "part: has 3 channels, needs a multiple of 2 groups"),
        (nn.conv(4, (3,)), (5, 5, 3), r"part: has shape \(5, 5, 3\), needs \(length, channels\)"),
        (nn.conv(4, (3,), padding=0), (2, 3), r"part: has length \(2,\), padding included; .* \(3,\)"),
        (nn.depthwise_conv((3, 3, 3)), (5, 5, 3), r"needs \(depth, height, width, channels\)"),
        (nn.depthwise_conv(), (), r"part: has shape \(\), needs \(height, width, channels\)"),
        (nn.conv_transpose(4, (3,)), (5, 5, 3), r"part: has shape \(5, 5, 3\), needs \(length, channels\)"),
        (nn.conv_transpose(4, (3,), padding=2), (2, 1), r"padding .* leaves nothing of an axis of length 2"),
        (nn.conv_transpose(4, (3,), groups=2), (2, 3), "part: has 3 channels, needs a multiple of 2 groups"),
    ],
)
def test_inputs_of_the_wrong_shape(net, shape, message):
    with pytest.raises(nn.LayerError, match=message):
        nn.chain(part=net).init(KEY, jnp.zeros(shape))
