"""Blocks of image networks: what their settings change, dropped branches, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn, tree

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def shapes(net, *shape):
    """Paths and shapes of parameters, and the output's shape, without computing anything."""
    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    params, state = jax.eval_shape(net.init, KEY, x)
    found = {path: leaf.shape for path, leaf in tree.items(params)}
    return found, jax.eval_shape(net.apply, params, state, x)[0].shape


def test_a_shortcut_is_a_convolution_only_where_the_shape_changes():
    for net in (nn.resnet_block(8), nn.bottleneck_block(8)):
        found, output = shapes(net, 4, 4, 8)
        assert output == (4, 4, 8)
        assert not [path for path in found if path.startswith("shortcut")]
    for net in (nn.resnet_block(8, 2), nn.bottleneck_block(8, 2)):
        found, output = shapes(net, 5, 4, 8)
        assert output == (3, 2, 8)
        assert found["shortcut/conv/w"] == (1, 1, 8, 8)
    assert shapes(nn.resnet_block(6), 4, 4, 8)[0]["shortcut/conv/w"] == (1, 1, 8, 6)


def test_a_bottleneck_of_groups_is_resnexts():
    found, output = shapes(nn.bottleneck_block(256, ratio=2, groups=32), 4, 4, 256)
    assert output == (4, 4, 256)
    assert found["middle/conv/w"] == (3, 3, 4, 128)


def test_what_an_inverted_residual_holds():
    found, output = shapes(nn.inverted_residual(6, 2, expand=1, window=5), 5, 5, 4)
    assert output == (3, 3, 6)
    assert not [path for path in found if path.startswith(("expand", "excite"))]
    assert found["depthwise/conv/w"] == (5, 5, 1, 4)
    net = nn.inverted_residual(4, expand=4.5, excite=nn.squeeze_excite(3))
    found, output = shapes(net, 5, 5, 4)
    assert output == (5, 5, 4)
    assert found["project/conv/w"] == (1, 1, 18, 4)
    assert found["excite/squeeze/w"] == (18, 6)


def test_patches_in_other_dimensions():
    assert shapes(nn.patch_embed(5, (4,)), 9, 2) == ({"w": (4, 2, 5), "b": (5,)}, (2, 5))
    assert shapes(nn.patch_embed(5, (1, 2, 2), bias=False), 3, 4, 4, 2) == ({"w": (1, 2, 2, 2, 5)}, (12, 5))


def test_patches_are_in_row_order_and_leave_out_the_rest():
    x = RNG.normal(size=(5, 7, 2)).astype(np.float32)
    w, b = (RNG.normal(size=size).astype(np.float32) for size in ((2, 3, 2, 4), (4,)))
    found = nn.patch_embed(4, (2, 3))({"w": w, "b": b}, jnp.asarray(x))
    patches = [x[i : i + 2, j : j + 3] for i in (0, 2) for j in (0, 3)]
    np.testing.assert_allclose(
        found, [np.einsum("uvc,uvco->o", p, w) + b for p in patches], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    "build",
    [
        lambda rate: nn.convnext_block(window=3, rate=rate, scale=1.0),
        lambda rate: nn.inverted_residual(3, rate=rate),
    ],
)
def test_a_block_at_a_traced_rate_is_left_out_or_scaled(build):
    xs = jnp.asarray(RNG.normal(size=(24, 3, 3, 3)), jnp.float32)
    params, state = build(0.0).init(KEY, xs[0])

    def run(rate):
        return nn.batched(build(rate))(params, state, xs, key=KEY)[0] - xs

    ours, whole = jax.jit(lambda rate: (run(rate), run(0.0)))(0.5)
    kept = np.abs(ours).max((1, 2, 3)) > 0
    assert 0 < kept.sum() < 24
    np.testing.assert_allclose(ours[kept], 2 * whole[kept], rtol=1e-4, atol=1e-5)
    assert build(0.0).parts.keys() == {"depth"} and "stochastic_depth" not in repr(build(0.0).parts)


def test_refusals():
    with pytest.raises(nn.LayerError, match="squeeze_excite: ratio is 0, needs a positive integer"):
        nn.squeeze_excite(0)
    with pytest.raises(
        nn.LayerError, match=r"stem/first/conv: has shape \(4, 4\), needs \(height, width, channels\)"
    ):
        nn.chain(stem=nn.resnet_block(4)).init(KEY, jnp.zeros((4, 4)))
    with pytest.raises(nn.LayerError, match=r"has height and width \(3, 4\), .* at least \(4, 4\)"):
        nn.patch_embed(2, 4).init(KEY, jnp.zeros((3, 4, 1)))
    with pytest.raises(nn.LayerError, match="conv: width is 0, needs a positive integer"):
        nn.bottleneck_block(2)
