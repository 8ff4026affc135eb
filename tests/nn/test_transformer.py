"""Transformer blocks: their parts, their noise, and what depth costs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jdl import nn
from tests.nn.test_contract_compile import equations

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)


def shapes(net, *inputs):
    return jax.eval_shape(net.init, KEY, *inputs)[0]


def drawn(net, *inputs):
    return jax.tree.map(
        lambda leaf: jnp.asarray(RNG.normal(size=leaf.shape), jnp.float32), shapes(net, *inputs)
    )


def test_the_first_step_of_a_deep_transformer_has_as_many_equations_as_that_of_a_shallow_one():
    def count(depth):
        block = nn.decoder_block(2, dropout=0.1, rotary=10_000.0, window=3)
        net = nn.chain(nn.embed(7, 8), nn.repeat(depth, block), nn.layer_norm(), nn.dense(7))
        optimizer = optax.adam(1e-3)
        texts = jnp.zeros((3, 5), int)

        def first_step(key):
            params, _ = net.init(key, texts[0])

            def loss(params):
                logits, _ = nn.batched(net)(params, {}, texts, key=key)
                return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, texts))

            updates, _ = optimizer.update(jax.grad(loss)(params), optimizer.init(params), params)
            return optax.apply_updates(params, updates)

        return equations(jax.make_jaxpr(first_step)(KEY).jaxpr)

    assert count(48) <= 1.2 * count(12)


def test_a_decoder_block_sees_nothing_later_and_an_encoder_block_does():
    x = jnp.asarray(RNG.normal(size=(4, 6)), jnp.float32)
    params = drawn(nn.decoder_block(2), x)

    def seen(net):
        return np.abs(jax.jit(jax.jacobian(lambda x: net(params, x)))(x)).max((1, 3)) > 0

    np.testing.assert_array_equal(seen(nn.decoder_block(2)), np.tril(np.ones((4, 4), bool)))
    assert seen(nn.encoder_block(2)).all()


def test_blocks_are_made_of_the_parts_they_are_given():
    x, context = jnp.zeros((3, 8)), jnp.zeros((5, 6))
    net = nn.encoder_decoder_block(
        4, nn.mixture_of_experts(nn.feed_forward(10, activation=jax.nn.glu, bias=False), 3),
        norm=nn.batch_norm(), kv_heads=2, bias=False, init=nn.init.zeros, rotary=100.0,
    )  # fmt: skip
    params, state = jax.eval_shape(net.init, KEY, x, context)
    assert set(state) == {"norm1", "norm2", "norm3"}
    assert {name: leaf["w"].shape for name, leaf in params["attention"].items()} == {
        "q": (8, 8), "k": (8, 4), "v": (8, 4), "out": (8, 8)
    }  # fmt: skip
    assert {name: leaf["w"].shape for name, leaf in params["cross"].items()} == {
        "q": (8, 8), "k": (6, 4), "v": (6, 4), "out": (8, 8)
    }  # fmt: skip
    experts = params["feed_forward"]["experts"]
    assert jax.tree.map(jnp.shape, experts) == {"up": {"w": (3, 8, 10)}, "down": {"w": (3, 5, 8)}}
    assert repr(nn.decoder_block(2, window=4)) == "decoder_block(2, window=4)"
    assert nn.decoder_block(2, norm=nn.layer_norm()) is nn.decoder_block(2, norm=nn.layer_norm())


def test_the_default_feed_forward_is_four_times_as_wide():
    found = shapes(nn.encoder_block(1), jnp.zeros((2, 3)))["feed_forward"]
    assert jax.tree.map(jnp.shape, found) == {
        "up": {"w": (3, 12), "b": (12,)}, "down": {"w": (12, 3), "b": (3,)}
    }  # fmt: skip


def test_dropout_reaches_weights_both_branches_and_the_feed_forward():
    net, x = nn.encoder_block(2, dropout=0.5), jnp.ones((3, 4))
    params = drawn(net, x)
    run = lambda rate: nn.encoder_block(2, dropout=rate).apply(params, {}, x, key=KEY)[0]
    same, dropped = jax.jit(jax.vmap(run))(jnp.array([0.0, 0.5]))
    np.testing.assert_allclose(same, jax.jit(nn.encoder_block(2))(params, x), rtol=1e-4, atol=1e-5)
    assert (dropped != same).mean() > 0.5
    assert net.parts["attention"] is nn.attention(2, dropout=0.5)
    assert net.parts["feed_forward"] is nn.feed_forward(dropout=0.5)
    assert net.parts["drop"] is nn.dropout(0.5)
    assert "drop" not in nn.encoder_block(2).parts


def test_masks_reach_every_block_through_a_chain():
    net = nn.chain(nn.repeat(2, nn.encoder_block(2)), nn.layer_norm())
    x = jnp.asarray(RNG.normal(size=(4, 6)), jnp.float32)
    params, mask = drawn(net, x), jnp.array([True, True, True, False])
    run = jax.jit(net)
    np.testing.assert_allclose(run(params, x, mask=mask)[:3], run(params, x[:3]), rtol=1e-4, atol=1e-5)


def test_errors_say_where_and_what():
    with pytest.raises(nn.LayerError, match="feed_forward: hidden is 0, needs a positive integer"):
        nn.feed_forward(0)
    with pytest.raises(nn.LayerError, match=r"feed_forward: has shape \(\), needs"):
        nn.feed_forward().specs(jnp.zeros(()))
    with pytest.raises(
        nn.LayerError, match=r"repeat/attention: has shape \(3, 5\), needs .* multiple of 2 heads"
    ):
        nn.chain(nn.repeat(2, nn.encoder_block(2))).specs(jnp.zeros((3, 5)))
    with pytest.raises(TypeError, match="unexpected keyword argument 'hidden'"):
        nn.encoder_block(2, hidden=5)
