"""Attention: what shares, what is near, what is dropped, and what makes no sense."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from jdl.nn.positions import alibi_slopes
from tests.nn.drawn import equations, random_params

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def test_a_window_equals_a_mask():
    length, window = 10, 3
    near, plain = (nn.attention(2, alibi=True, window=w) for w in (window, None))
    x, keys, pairs = normal(length, 4), jnp.arange(length) != 4, RNG.random((length, length)) < 0.7
    params, _ = near.init(KEY, x)
    i = np.arange(length)
    inside = np.abs(i[:, None] - i) < window

    @jax.jit
    def run(params, x):
        def both(net, mask):
            y, back = jax.vjp(lambda params, x: net(params, x, mask=mask), params, x)
            return y, back(jnp.cos(y))

        masks = (keys, keys & inside), (pairs, pairs & inside)  # the first works in blocks
        return [(both(near, given), both(plain, whole)) for given, whole in masks]

    for found, expected in run(params, x):
        close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        jax.tree.map(close, found, expected)


def test_a_window_costs_in_proportion_to_the_length():
    net = nn.attention(2, causal=True, window=8)
    one, two = (nn.flops(net, jnp.zeros((length, 4))) for length in (64, 128))
    assert two == 2 * one
    assert one < nn.flops(nn.attention(2, causal=True), jnp.zeros((64, 4))) / 1.5


def test_grouped_queries_are_heads_with_the_same_keys():
    x = normal(5, 12)
    grouped, plain = nn.attention(6, kv_heads=2), nn.attention(6)
    params, _ = grouped.init(KEY, x)

    def repeated(leaf):
        heads = leaf.reshape(*leaf.shape[:-1], 2, 2)
        return jnp.repeat(heads, 3, axis=-2).reshape(*leaf.shape[:-1], 12)

    shared = {name: jax.tree.map(repeated, params[name]) for name in ("k", "v")}
    assert params["k"]["w"].shape == params["v"]["w"].shape == (12, 4)
    found, expected = jax.jit(lambda one, other: (grouped(one, x), plain(other, x)))(
        params, {**params, **shared}
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("heads", "exponents"),
    [
        (8, [1, 2, 3, 4, 5, 6, 7, 8]),  # Press, Smith and Lewis 2022, section 3
        (16, np.arange(1, 17) / 2),
        (12, [1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5]),  # the reference implementation's
        (3, [4, 8, 2]),
        (1, [8]),
    ],
)
def test_slopes_are_the_published_ones(heads, exponents):
    np.testing.assert_allclose(alibi_slopes(heads), 2.0 ** -np.asarray(exponents, float))


def test_dropout_drops_weights_after_the_softmax():
    n, eye = 64, jnp.eye(64)
    params = {name: {"w": eye} for name in ("q", "k", "v", "out")}
    zero = {**params, "q": {"w": 0 * eye}}  # every weight is 1 / n, and the values are the rows of one

    @jax.jit
    def run(rate, key):
        net = nn.attention(1, dropout=rate, bias=False)
        return net.apply(zero, {}, eye, key=key)[0], net.apply(zero, {}, eye)[0]

    dropped, whole = run(0.25, KEY)
    np.testing.assert_allclose(whole, 1 / n, rtol=1e-5)
    kept = dropped > 0
    np.testing.assert_allclose(dropped[kept], 1 / n / 0.75, rtol=1e-5)
    # Binomial, 4096 draws: five standard deviations, once in 1.7 million keys.
    assert abs(int(kept.sum()) - 3072) < 5 * (4096 * 0.25 * 0.75) ** 0.5
    np.testing.assert_allclose(run(0.0, KEY)[0], whole, rtol=1e-6)
    assert set(nn.attention(1, dropout=0.5, bias=False).parts) == {*params, "drop"}
    assert set(nn.attention(1, dropout=0, bias=False).parts) == {*params}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kv_heads": 0}, "kv_heads is 0, needs a positive integer"),
        ({"kv_heads": 3}, "heads is 4, needs a multiple of 3 kv_heads"),
        ({"window": 2.0}, "window is 2.0, needs a positive integer"),
        ({"rotary": 1e4, "alibi": True}, "rotary and alibi are two ways to tell positions; choose one"),
    ],
)
def test_settings_that_make_no_sense(arguments, message):
    with pytest.raises(nn.LayerError, match=f"attention: {message}"):
        nn.attention(4, **arguments)
    with pytest.raises(nn.LayerError, match="dropout: rate is 2"):
        nn.attention(4, dropout=2)


@pytest.mark.parametrize("arguments", [{"window": 2}, {"rotary": 1e4}, {"alibi": True}])
def test_positions_of_two_sequences_are_not_compared(arguments):
    net = nn.chain(mix=nn.attention(2, **arguments))
    with pytest.raises(nn.LayerError, match="mix: window, rotary and alibi compare positions of one"):
        net.specs(jnp.zeros((3, 4)), jnp.zeros((5, 4)))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (((3, 4), (5, 4), (4, 4)), r"the values have shape \(4, 4\), needs \(5, m'\)"),
        (((3, 4), (5, 4), (5,)), r"the values have shape \(5,\), needs \(5, m'\)"),
        (((3, 4), None, (3, 4)), "values without a context"),
    ],
)
def test_values_that_fit_no_keys(inputs, message):
    net = nn.attention(2)
    inputs = [None if shape is None else jnp.zeros(shape) for shape in inputs]
    with pytest.raises(nn.LayerError, match=f"attention: {message}"):
        net.specs(*inputs)


def test_rotary_needs_heads_of_even_width():
    with pytest.raises(nn.LayerError, match=r"rotary: has shape \(4, 2, 3\), needs .* d even"):
        nn.attention(2, rotary=1e4).specs(jnp.zeros((4, 6)))


def test_causal_attention_sees_nothing_later():
    net, x = nn.attention(2, causal=True), jnp.asarray(normal(5, 4))
    params, _ = random_params(net, x)
    jacobian = jax.jacobian(lambda x: net(params, x))(x)  # (query, n, key, n)
    seen = np.abs(jacobian).max((1, 3)) > 0
    np.testing.assert_array_equal(seen, np.tril(np.ones((5, 5), bool)))


def test_the_last_query_of_causal_cross_attention_sees_the_last_key():
    net, x, context = nn.attention(1, causal=True), jnp.asarray(normal(2, 4)), jnp.asarray(normal(5, 4))
    params, _ = random_params(net, x, context)
    jacobian = jax.jacobian(lambda context: net(params, x, context))(context)
    seen = np.abs(jacobian).max((1, 3)) > 0
    np.testing.assert_array_equal(seen, [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])


def test_a_query_that_may_look_nowhere_gives_zeros_and_finite_gradients():
    q, k, v = (jnp.asarray(normal(3, 2, 4)) for _ in range(3))
    mask = jnp.array([[True, False, True], [False, False, False], [True, True, True]])

    def attend(q, k, v):
        return nn.dot_product_attention(q, k, v, mask)

    found, back = jax.vjp(attend, q, k, v)
    assert (found[1] == 0).all()
    assert (found[0] != 0).all()
    for gradient in back(jnp.ones_like(found)):
        assert np.isfinite(gradient).all()
    assert (back(jnp.ones_like(found))[0][1] == 0).all()


def test_masked_keys_have_no_influence():
    net, x = nn.attention(2), jnp.asarray(normal(4, 6))
    params, _ = random_params(net, x)
    mask = jnp.array([True, True, False, True])
    other = x.at[2].set(1e3)
    found, changed = net(params, x, mask=mask), net(params, other, mask=mask)
    np.testing.assert_array_equal(np.delete(found, 2, 0), np.delete(changed, 2, 0))


def test_softmax_is_in_float32_in_half_precision():
    q, k, v = (jnp.ones((n, 1, 2), jnp.bfloat16) for n in (1, 4096, 4096))
    jaxpr = jax.make_jaxpr(nn.dot_product_attention)(q, k, v)
    dtypes = {e.outvars[0].aval.dtype for e in equations(jaxpr.jaxpr) if e.primitive.name == "exp"}
    assert dtypes == {jnp.dtype("float32")}
    assert nn.dot_product_attention(q, k, v).astype(float).ravel().tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("x", "keywords", "message"),
    [
        (jnp.zeros((5, 7)), {}, r"has shape \(5, 7\), needs \(length, n\), n a multiple of 2 heads"),
        (jnp.zeros(6), {}, r"has shape \(6,\), needs \(length, n\)"),
        (jnp.zeros((5, 6)), {"mask": jnp.ones(5)}, "the mask is float32, needs bool"),
        (jnp.zeros((5, 6)), {"mask": jnp.ones(4, bool)}, r"mask has shape \(4,\), needs .* \(2, 5, 5\)"),
        (jnp.zeros((5, 6)), {"mask": jnp.ones((3, 5, 5), bool)}, r"mask has shape \(3, 5, 5\), needs"),
        (jnp.zeros((5, 6)), {"mask": jnp.ones((1, 1, 5, 5), bool)}, r"mask has shape \(1, 1, 5, 5\), needs"),
    ],
)
def test_attention_refuses_inputs_of_the_wrong_shape(x, keywords, message):
    with pytest.raises(nn.LayerError, match=f"mix: .*{message}"):
        nn.chain(mix=nn.attention(2)).init(KEY, x, **keywords)


def test_attention_refuses_a_context_of_the_wrong_shape():
    with pytest.raises(nn.LayerError, match=r"the context has shape \(6,\), needs \(length', m\)"):
        nn.attention(2).init(KEY, jnp.zeros((5, 6)), jnp.zeros(6))
