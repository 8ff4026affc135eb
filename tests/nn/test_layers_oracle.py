"""Layers against torch and flax, in float64: values, and gradients by the input and by every parameter."""

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from jdl import nn

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape)


def double(tree):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), tree)


def with_gradients(function, args, cotangent):
    """Give the value, and the gradient by each argument, of a function of float64 arrays."""

    def run(args):
        y, back = jax.vjp(function, *args)
        return y, back(cotangent)

    return jax.jit(run)(double(args))


def agree(ours, theirs, *args, tolerance=1e-9):
    """Compare one of our functions with one of torch's, or with another JAX function."""
    with jax.enable_x64(True):
        shape = jax.eval_shape(ours, *double(args)).shape
        cotangent = normal(*shape)
        y, gradients = with_gradients(ours, args, cotangent)
        if getattr(theirs, "in_jax", False):
            expected, theirs_back = with_gradients(theirs, args, cotangent)
        else:
            tensors = [torch.tensor(arg, requires_grad=True) for arg in args]
            result = theirs(*tensors)
            result.backward(torch.tensor(cotangent))
            expected, theirs_back = result.detach().numpy(), [tensor.grad.numpy() for tensor in tensors]
        np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)
        for ours_leaf, theirs_leaf in zip(gradients, theirs_back, strict=True):
            np.testing.assert_allclose(ours_leaf, theirs_leaf, rtol=tolerance, atol=tolerance)


def in_jax(function):
    function.in_jax = True
    return function


def run(net, params, xs, **keywords):
    return nn.batched(net)(params, {}, xs, **keywords)[0]


# --- dense and embed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 5), (4, 3, 5)])
def test_dense_equals_torch_and_flax(shape):
    args = normal(*shape), normal(5, 2), normal(2)

    def ours(x, w, b):
        return run(nn.dense(2), {"w": w, "b": b}, x)

    agree(ours, lambda x, w, b: F.linear(x, w.T, b), *args)

    def theirs(x, w, b):
        return linen.Dense(2).apply({"params": {"kernel": w, "bias": b}}, x)

    agree(ours, in_jax(theirs), *args)
    agree(lambda x, w: run(nn.dense(2, bias=False), {"w": w}, x), lambda x, w: x @ w, *args[:2])


def test_embed_equals_torch_and_flax():
    ids = np.array([[0, 3, 3], [1, 0, 4]])

    def ours(w):
        return run(nn.embed(6, 2), {"w": w}, ids)

    table = normal(6, 2)
    agree(ours, lambda w: F.embedding(torch.tensor(ids), w), table)
    agree(ours, in_jax(lambda w: linen.Embed(6, 2).apply({"params": {"embedding": w}}, ids)), table)


# --- conv and pooling --------------------------------------------------------------------------------------

CONVS = [
    # window, stride, dilation, padding
    (3, 1, 1, "SAME"),
    (3, 2, 1, "SAME"),
    (1, 1, 1, "VALID"),
    ((3, 2), (2, 1), (1, 2), "VALID"),
    (3, 2, 1, 1),
    (2, 1, 2, ((1, 0), (0, 2))),
]


def torch_pads(padding):
    if isinstance(padding, int):
        return (padding,) * 4
    (top, bottom), (left, right) = padding
    return left, right, top, bottom


@pytest.mark.parametrize(("window", "stride", "dilation", "padding"), CONVS)
def test_conv_equals_flax(window, stride, dilation, padding):
    size = (window, window) if isinstance(window, int) else window
    args = normal(2, 7, 6, 3), normal(*size, 3, 4), normal(4)
    net = nn.conv(4, window, stride=stride, dilation=dilation, padding=padding)
    module = linen.Conv(4, size, strides=stride, kernel_dilation=dilation, padding=padding)

    def ours(x, w, b):
        return run(net, {"w": w, "b": b}, x)

    def theirs(x, w, b):
        return module.apply({"params": {"kernel": w, "bias": b}}, x)

    agree(ours, in_jax(theirs), *args)

    def one(x, w, b):
        return net({"w": w, "b": b}, x)  # by itself, and not directly under the batch axis

    agree(lambda x, w, b: jnp.stack([one(row, w, b) for row in x]), in_jax(theirs), *args)


@pytest.mark.parametrize(("window", "stride", "dilation", "padding"), CONVS[2:])
def test_conv_equals_torch(window, stride, dilation, padding):
    size = (window, window) if isinstance(window, int) else window
    padding = 0 if padding == "VALID" else padding
    net = nn.conv(4, window, stride=stride, dilation=dilation, padding=padding)

    def theirs(x, w, b):
        x = F.pad(x.permute(0, 3, 1, 2), torch_pads(padding))
        y = F.conv2d(x, w.permute(3, 2, 0, 1), b, stride=stride, dilation=dilation)
        return y.permute(0, 2, 3, 1)

    def ours(x, w, b):
        return run(net, {"w": w, "b": b}, x)

    agree(ours, theirs, normal(2, 7, 6, 3), normal(*size, 3, 4), normal(4))


POOLS = [
    # window, stride, padding
    (2, None, 0),
    (3, None, 0),
    (3, 2, 1),
    ((2, 3), (1, 2), 0),
]


@pytest.mark.parametrize(("window", "stride", "padding"), POOLS)
@pytest.mark.parametrize(
    ("ours", "theirs"), [(nn.max_pool, F.max_pool2d), (nn.average_pool, F.avg_pool2d)], ids=["max", "average"]
)
def test_pooling_equals_torch(ours, theirs, window, stride, padding):
    net = ours(window, stride=stride, padding=padding)

    def oracle(x):
        return theirs(x.permute(0, 3, 1, 2), window, stride, padding).permute(0, 2, 3, 1)

    agree(lambda x: run(net, {}, x), oracle, normal(2, 7, 8, 3))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(nn.max_pool, linen.max_pool), (nn.average_pool, linen.avg_pool)],
    ids=["max", "average"],
)
def test_pooling_with_same_padding_equals_flax(ours, theirs):
    net = ours(3, stride=2, padding="SAME")
    oracle = in_jax(lambda x: theirs(x, (3, 3), (2, 2), "SAME"))
    agree(lambda x: run(net, {}, x), oracle, normal(2, 6, 7, 2))


# --- normalisation -----------------------------------------------------------------------------------------

START = {"mean": normal(3), "var": np.exp(normal(3))}


@pytest.mark.parametrize("shape", [(6, 3), (4, 2, 5, 3)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_equals_torch(shape, training):
    net, args = nn.batch_norm(momentum=0.8), (normal(*shape), normal(3), normal(3))
    key = jax.random.key(0) if training else None
    with jax.enable_x64(True):
        start = double(START)

    def ours(x, scale, bias):
        return nn.batched(net)({"scale": scale, "bias": bias}, start, x, key=key)[0]

    mean, var = torch.tensor(START["mean"]), torch.tensor(START["var"])

    def theirs(x, scale, bias):
        y = F.batch_norm(x.movedim(-1, 1), mean, var, scale, bias, training, momentum=0.2, eps=1e-5)
        return y.movedim(1, -1)

    agree(ours, theirs, *args)
    _, state = nn.batched(net)({"scale": args[1], "bias": args[2]}, START, jnp.asarray(args[0]), key=key)
    count = args[0].size // 3
    unbiased = (state["var"] - 0.8 * START["var"]) * count / (count - 1) + 0.8 * START["var"]
    np.testing.assert_allclose(state["mean"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(unbiased if training else state["var"], var, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_equals_flax(training):
    net, args = nn.batch_norm(), (normal(4, 5, 3), normal(3), normal(3))
    key = jax.random.key(0) if training else None
    module = linen.BatchNorm(use_running_average=not training, momentum=0.9, use_fast_variance=False)
    with jax.enable_x64(True):
        start = double(START)

    def theirs(x, scale, bias, start=start):
        variables = {"params": {"scale": scale, "bias": bias}, "batch_stats": start}
        return module.apply(variables, x, mutable=["batch_stats"])

    def ours(x, scale, bias):
        return nn.batched(net)({"scale": scale, "bias": bias}, start, x, key=key)[0]

    agree(ours, in_jax(lambda *args: theirs(*args)[0]), *args)
    _, state = nn.batched(net)({"scale": args[1], "bias": args[2]}, START, jnp.asarray(args[0]), key=key)
    expected = theirs(*args, start=START)[1]["batch_stats"]
    for name in ("mean", "var"):
        np.testing.assert_allclose(state[name], expected[name], rtol=1e-5, atol=1e-6)


def test_layer_norm_equals_torch_and_flax():
    args = normal(4, 2, 6), normal(6), normal(6)

    def ours(x, scale, bias):
        return run(nn.layer_norm(), {"scale": scale, "bias": bias}, x)

    agree(ours, lambda x, scale, bias: F.layer_norm(x, (6,), scale, bias), *args)
    module = linen.LayerNorm(epsilon=1e-5, use_fast_variance=False)

    def theirs(x, scale, bias):
        return module.apply({"params": {"scale": scale, "bias": bias}}, x)

    agree(ours, in_jax(theirs), *args)


# --- attention ---------------------------------------------------------------------------------------------

BATCH, LENGTH, WIDTH, HEADS = 2, 5, 8, 2
SHAPES = [(WIDTH, WIDTH), (WIDTH,)] * 4


def projections(q, q_b, k, k_b, v, v_b, out, out_b):
    pairs = {"q": (q, q_b), "k": (k, k_b), "v": (v, v_b), "out": (out, out_b)}
    return {name: {"w": w, "b": b} for name, (w, b) in pairs.items()}


def torch_attention(x, source, weights, **masks):
    q, q_b, k, k_b, v, v_b, out, out_b = weights
    y, _ = F.multi_head_attention_forward(
        x.transpose(0, 1), source.transpose(0, 1), source.transpose(0, 1), WIDTH, HEADS,
        in_proj_weight=None, in_proj_bias=torch.cat([q_b, k_b, v_b]), bias_k=None, bias_v=None,
        add_zero_attn=False, dropout_p=0.0, out_proj_weight=out.T, out_proj_bias=out_b, need_weights=False,
        use_separate_proj_weight=True, q_proj_weight=q.T, k_proj_weight=k.T, v_proj_weight=v.T, **masks,
    )  # fmt: skip
    return y.transpose(0, 1)


def weights(source_width=WIDTH):
    return [normal(source_width if i in (2, 4) else shape[0], *shape[1:]) for i, shape in enumerate(SHAPES)]


def test_attention_equals_torch():
    def ours(x, *w):
        return run(nn.attention(HEADS), projections(*w), x)

    agree(ours, lambda x, *w: torch_attention(x, x, w), normal(BATCH, LENGTH, WIDTH), *weights())


def test_causal_attention_equals_torch():
    later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)

    def ours(x, *w):
        return run(nn.attention(HEADS, causal=True), projections(*w), x)

    def theirs(x, *w):
        return torch_attention(x, x, w, attn_mask=later)

    agree(ours, theirs, normal(BATCH, LENGTH, WIDTH), *weights())


def test_cross_attention_with_padded_keys_equals_torch():
    seen = np.array([[1, 1, 1, 0], [1, 0, 0, 1]], bool)

    def ours(x, context, *w):
        return nn.batched(nn.attention(HEADS))(projections(*w), {}, x, context, mask=seen)[0]

    def theirs(x, context, *w):
        return torch_attention(x, context, w, key_padding_mask=torch.tensor(~seen))

    agree(ours, theirs, normal(BATCH, LENGTH, WIDTH), normal(BATCH, 4, 6), *weights(6))


@pytest.mark.parametrize("shape", [(LENGTH,), (LENGTH, LENGTH), (1, LENGTH, LENGTH), (HEADS, LENGTH, LENGTH)])
def test_attention_with_masks_equals_torch_and_flax(shape):
    mask = RNG.random((BATCH, *shape)) < 0.6
    mask[..., 0] = True
    full = np.zeros((BATCH, HEADS, LENGTH, LENGTH), bool)
    for b in range(BATCH):
        full[b] = mask[b]
    args = normal(BATCH, LENGTH, WIDTH), *weights()

    def ours(x, *w):
        return run(nn.attention(HEADS), projections(*w), x, mask=mask)

    barred = torch.tensor(~full.reshape(-1, LENGTH, LENGTH))
    agree(ours, lambda x, *w: torch_attention(x, x, w, attn_mask=barred), *args)
    module = linen.MultiHeadDotProductAttention(HEADS)

    def flax(x, q, q_b, k, k_b, v, v_b, out, out_b):
        def split(w, b):
            return {"kernel": w.reshape(-1, HEADS, 4), "bias": b.reshape(HEADS, 4)}

        params = {"query": split(q, q_b), "key": split(k, k_b), "value": split(v, v_b)}
        params["out"] = {"kernel": out.reshape(HEADS, 4, -1), "bias": out_b}
        return module.apply({"params": params}, x, mask=jnp.asarray(full))

    agree(ours, in_jax(flax), *args)
