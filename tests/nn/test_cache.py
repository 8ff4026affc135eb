"""Decoding with a cache: token by token equals the full pass, and what cannot be decoded is refused."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
BATCH, LENGTH, WIDTH = 2, 7, 8
XS = RNG.normal(size=(BATCH, LENGTH, WIDTH))


def decoder(**options):
    return nn.repeat(2, nn.residual(nn.attention(4, causal=True, **options)))


NETWORKS = {
    "plain": nn.chain(nn.learned_positions(9), decoder()),
    "grouped": nn.chain(nn.sinusoidal_positions(), decoder(kv_heads=2, window=2)),
    "rotary": decoder(rotary=100.0, kv_heads=1),
    "alibi": decoder(alibi=True),
}


def drawn(net, *inputs):
    """Parameters without compiling what draws them."""
    shapes, _ = jax.eval_shape(net.init, KEY, *inputs)
    return jax.tree.map(lambda leaf: jnp.asarray(0.4 * RNG.normal(size=leaf.shape), jnp.float32), shapes)


def caches(net, *inputs):
    """One cache for each example."""
    return jax.tree.map(lambda leaf: jnp.stack([leaf] * BATCH), net.init_cache(*(xs[0] for xs in inputs)))


@pytest.mark.parametrize("name", NETWORKS)
def test_token_by_token_equals_the_full_pass(name):
    net = NETWORKS[name]
    run = nn.batched(net)

    @jax.jit
    def both(params, xs, cache):
        (begun, cache), _ = run(params, {}, xs[:, :3], cache=cache)

        def step(cache, x):
            (y, cache), _ = run(params, {}, x[:, None], cache=cache)
            return cache, y[:, 0]

        cache, rest = jax.lax.scan(step, cache, jnp.swapaxes(xs[:, 3:], 0, 1))
        whole, _ = run(params, {}, xs)
        return jnp.concatenate([begun, jnp.swapaxes(rest, 0, 1)], 1), whole, cache

    with jax.enable_x64(True):
        xs = jnp.asarray(XS)
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), drawn(net, xs[0]))
        found, whole, cache = both(params, xs, caches(net, xs))
    assert found.dtype == whole.dtype == jnp.float64
    np.testing.assert_allclose(found, whole, rtol=1e-10, atol=1e-10)
    counts = [leaf for leaf in jax.tree.leaves(cache) if leaf.dtype == jnp.int32]
    assert counts and all((count == LENGTH).all() for count in counts)


def test_all_tokens_are_one_program():
    net, traces = NETWORKS["rotary"], []
    params = drawn(net, XS[0])

    @jax.jit
    def step(params, x, cache):
        traces.append(x.shape)
        return net(params, x, cache=cache)

    x = jnp.asarray(XS[0], jnp.float32)
    cache = net.init_cache(x)
    rows = []
    for t in range(LENGTH):
        y, cache = step(params, x[t : t + 1], cache)
        rows.append(y)
    assert traces == [(1, WIDTH)]
    np.testing.assert_allclose(jnp.concatenate(rows), jax.jit(net)(params, x), rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def attend():
    """Attention, and a compiled pass of it with a cache."""
    net = nn.attention(2, causal=True, window=4)
    params = drawn(net, XS[0, :4])
    x = jnp.asarray(XS[0, :4], jnp.float32)
    return net, params, x, jax.jit(lambda x, cache, mask=None: net(params, x, cache=cache, mask=mask))


def test_more_positions_than_the_cache_holds_are_nan_and_overwrite_nothing(attend):
    net, params, x, run = attend
    full, cache = run(x, net.init_cache(x))
    beyond, after = run(2 * x, cache)
    assert np.isfinite(full).all()
    assert np.isnan(beyond).all()
    np.testing.assert_array_equal(after["keys"], cache["keys"])
    np.testing.assert_array_equal(after["values"], cache["values"])
    again, _ = run(x, after)
    assert np.isnan(again).all()
    _, three = run(x[:3], net.init_cache(x))
    last, _ = run(x[2:][::-1], three)  # one more fits, the second does not
    np.testing.assert_allclose(last[0], full[3], rtol=1e-5)
    assert np.isnan(last[1]).all()


def test_a_mask_speaks_of_all_positions_of_the_cache(attend):
    net, params, x, run = attend
    mask = jnp.array([True, False, True, True])
    whole = jax.jit(net)(params, x, mask=mask)
    first, cache = run(x[:3], net.init_cache(x), mask)
    last, _ = run(x[3:], cache, mask)
    np.testing.assert_allclose(jnp.concatenate([first, last]), whole, rtol=1e-5, atol=1e-6)
    with pytest.raises(
        nn.LayerError, match=r"mask has shape \(3,\), needs one that broadcasts to \(2, 3, 4\)"
    ):
        run(x[:3], net.init_cache(x), mask[:3])


def test_positions_go_on_where_they_were():
    x = jnp.asarray(XS[0], jnp.float32)

    @partial(jax.jit, static_argnums=0)
    def run(net, params):
        first, cache = net(params, x[:4], cache=net.init_cache(x))
        last, cache = net(params, x[4:], cache=cache)
        return jnp.concatenate([first, last]), net(params, x), net(params, x[:1], cache=cache)[0]

    for net in (nn.sinusoidal_positions(), nn.learned_positions(LENGTH)):
        found, whole, beyond = run(net, drawn(net, x))
        np.testing.assert_allclose(found, whole, rtol=1e-6)
    assert np.isnan(beyond).all()  # the table has no further row


def test_a_decoder_with_a_context_is_given_it_with_every_token():
    net = nn.repeat(2, nn.encoder_decoder_block(2, nn.feed_forward(6), rotary=100.0, kv_heads=1))
    contexts, seen = (
        jnp.asarray(RNG.normal(size=(BATCH, 3, 5)), jnp.float32),
        jnp.array([[1, 1, 0], [1, 0, 1]]) > 0,
    )
    xs = jnp.asarray(XS, jnp.float32)
    params = drawn(net, xs[0], contexts[0])
    assert set(net.init_cache(xs[0], contexts[0])) == {"attention"}
    run = jax.jit(nn.batched(net))
    whole, _ = run(params, {}, xs, contexts, context_mask=seen)
    cache, pieces = caches(net, xs, contexts), []
    for t in range(LENGTH):
        (y, cache), _ = run(params, {}, xs[:, t : t + 1], contexts, context_mask=seen, cache=cache)
        pieces.append(y)
    np.testing.assert_allclose(jnp.concatenate(pieces, 1), whole, rtol=1e-5, atol=1e-5)


def test_under_a_cast_the_cache_is_in_its_dtype():
    net = nn.cast(nn.chain(nn.attention(2, causal=True)))
    cache = jax.eval_shape(net.init_cache, jnp.zeros((3, 4)))["attention"]
    assert {name: leaf.dtype for name, leaf in cache.items()} == {
        "keys": jnp.bfloat16, "values": jnp.bfloat16, "index": jnp.int32
    }  # fmt: skip
    params, _ = jax.eval_shape(net.init, KEY, jnp.zeros((3, 4)))
    run = lambda params, x, cache: net(params, x, cache=cache)
    y, after = jax.eval_shape(run, params, jnp.zeros((1, 4)), {"attention": cache})
    assert y.dtype == jnp.float32 and after["attention"] == cache


@pytest.mark.parametrize(
    ("net", "inputs", "message"),
    [
        (nn.attention(2), 1, "mix: attention that is not causal cannot be decoded with a cache"),
        (nn.attention(2, causal=True), 2, "mix: causal attention over a context cannot be decoded"),
    ],
)
def test_what_cannot_be_decoded(net, inputs, message):
    x = jnp.zeros((3, 4))
    with pytest.raises(nn.LayerError, match=message):
        nn.chain(mix=net).init_cache(*[x] * inputs)


def test_a_part_with_a_cache_is_used_once_in_a_pass():
    @nn.layer(mix=nn.attention(1, causal=True))
    def twice(my, x):
        return my.mix(my.mix(x))

    x = jnp.zeros((3, 4))
    params = drawn(twice, x)
    with pytest.raises(nn.LayerError, match="mix: used twice in one pass, but its cache keeps one sequence"):
        jax.eval_shape(lambda params, x: twice(params, x, cache=twice.init_cache(x)), params, x)
