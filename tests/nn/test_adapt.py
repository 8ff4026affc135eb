"""Frozen parameters and low-rank adapters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jdl import nn

KEY = jax.random.key(0)
X = jnp.array([0.5, -1.0, 2.0])
NET = nn.chain(stem=nn.dense(4), body=nn.repeat(2, nn.chain(nn.dense(4), jnp.tanh)), head=nn.dense(2))
close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_freeze_moves_parameters_to_the_state_with_the_same_values():
    params, _ = NET.init(KEY, X)
    free, frozen = nn.freeze(NET, "stem/*", "*/dense/w").init(KEY, X)
    assert sorted(frozen) == ["body", "stem"] and sorted(free) == ["body", "head"]
    same(nn.join(free, frozen), params)
    close(nn.freeze(NET, "stem/*", "*/dense/w").apply(free, frozen, X)[0], NET(params, X))
    assert nn.freeze(NET).init(KEY, X)[0] == {}


def test_an_optimizer_sees_only_what_is_not_frozen():
    net = nn.freeze(NET, "stem/*")
    params, state = net.init(KEY, X)
    optimizer = optax.adamw(0.1, weight_decay=0.1)
    moments = optimizer.init(params)
    assert nn.count(moments) < nn.count(optimizer.init(NET.init(KEY, X)[0]))

    def loss(params):
        y, new = net.apply(params, state, X, key=KEY)
        return jnp.sum(y**2), new

    slope, new = jax.grad(loss, has_aux=True)(params)
    updates, _ = optimizer.update(slope, moments, params)
    assert sorted(updates) == ["body", "head"] and all(jnp.any(leaf) for leaf in jax.tree.leaves(updates))
    same(new, state)


def test_trained_values_are_frozen_with_split_and_join():
    params, state = NET.init(KEY, X)
    stem, rest = nn.split(params, "stem/*")
    close(nn.freeze(NET, "stem/*").apply(rest, nn.join(state, stem), X)[0], NET(params, X))


@pytest.mark.parametrize("adapt", [nn.freeze, lambda net, pattern: nn.lora(net, 1, pattern)])
def test_a_pattern_that_no_parameter_fits_is_an_error(adapt):
    with pytest.raises(
        nn.LayerError, match=r"^net: no parameter's path fits 'steam/\*'; the paths are \['stem/w'"
    ):
        nn.chain(net=adapt(NET, "steam/*")).init(KEY, X)


def test_patterns_are_those_below_the_frozen_network():
    outer = nn.chain(first=nn.freeze(NET, "head/w"), second=nn.dense(2))
    _, state = outer.init(KEY, X)
    assert list(state) == ["first"] and list(state["first"]) == ["head"]


def test_freeze_keeps_running_statistics_and_works_inside_repeat_and_cast():
    block = nn.chain(nn.dense(3), nn.batch_norm())
    plain, (params, state) = nn.repeat(2, block), nn.repeat(2, block).init(KEY, X)
    xs = jnp.stack([X, 2 * X, -X])
    expected, moved = nn.batched(plain)(params, state, xs, key=KEY)
    for net in (nn.freeze(plain, "dense/*"), nn.repeat(2, nn.freeze(block, "dense/*"))):
        free, held = net.init(KEY, X)
        assert sorted(free) == ["batch_norm"] and held["dense"]["w"].shape == (2, 3, 3)
        ys, new = nn.batched(net)(free, held, xs, key=KEY)
        close(ys, expected)
        jax.tree.map(close, new["batch_norm"], moved["batch_norm"])
        same(new["dense"], held["dense"])
        y, _ = nn.cast(net).apply(free, held, X)
        np.testing.assert_allclose(y, net.apply(free, held, X)[0], rtol=0.05, atol=0.05)


def adapted(net, rank=2, **options):
    """Give the adapted network, adapters that do something, and the frozen parameters."""
    lora = nn.lora(net, rank, **options)
    adapters, params = lora.init(KEY, X)
    draw = np.random.default_rng(0).normal
    return lora, jax.tree.map(lambda leaf: leaf + 0.3 * draw(size=leaf.shape).astype("f"), adapters), params


def test_lora_starts_from_the_given_network_and_trains_only_the_adapters():
    params, _ = NET.init(KEY, X)
    lora = nn.lora(NET, 1)
    adapters, frozen = lora.init(KEY, X)
    same(frozen, params)
    close(lora.apply(adapters, frozen, X)[0], NET(params, X))
    assert adapters["body"]["dense"]["w_a"].shape == (2, 4, 1)
    assert adapters["stem"]["w_b"].shape == (1, 4) and not adapters["stem"]["w_b"].any()
    assert nn.count(adapters) == (3 + 4) + 2 * (4 + 4) + (4 + 2)


@pytest.mark.parametrize("net", [NET, nn.repeat(2, nn.chain(nn.dense(3))), nn.remat(NET)], ids=repr)
@pytest.mark.parametrize("alpha", [None, 8.0])
def test_merged_parameters_equal_the_adapted_forward(net, alpha):
    lora, adapters, params = adapted(net, alpha=alpha)
    y, _ = lora.apply(adapters, params, X)
    merged = nn.lora_merge(adapters, params, scale=1.0 if alpha is None else alpha / 2)
    close(y, net(merged, X))
    assert not jnp.allclose(y, net(params, X), atol=1e-3)


def test_lora_inside_repeat_equals_lora_around_it():
    block = nn.chain(nn.dense(3), jnp.tanh)
    lora, adapters, params = adapted(nn.repeat(2, block))
    close(nn.repeat(2, nn.lora(block, 2)).apply(adapters, params, X)[0], lora.apply(adapters, params, X)[0])


def test_lora_of_chosen_paths_combines_with_freeze_cast_and_convolutions():
    lora = nn.lora(NET, 1, "head/w")
    adapters, params = lora.init(KEY, X)
    assert list(adapters) == ["head"] and sorted(params) == ["body", "head", "stem"]
    half, (none, held) = nn.freeze(lora, "head/w_a"), nn.freeze(lora, "head/w_a").init(KEY, X)
    assert list(none["head"]) == ["w_b"] and "w_a" in held["head"]
    close(half.apply(none, held, X)[0], lora.apply(adapters, params, X)[0])
    casted = nn.cast(lora)
    products = str(jax.make_jaxpr(lambda a, p: casted.apply(a, p, X)[0])(adapters, params))
    assert "bf16[2] = dot_general" in products and "f32[2] = dot_general" not in products
    image, conv = jnp.ones((4, 4, 2)), nn.lora(nn.conv(3), 1)
    low, base = conv.init(KEY, image)
    assert low["w_a"].shape == (3, 3, 2, 1) and low["w_b"].shape == (3, 3, 1, 3)
    close(conv.apply(low, base, image)[0], nn.conv(3)(nn.lora_merge(low, base), image))


def test_an_adapter_of_no_parameter_is_an_error():
    with pytest.raises(
        nn.LayerError, match=r"^no parameter for the adapters \['v_a'\]; the parameters are \['w'\]"
    ):
        nn.lora_merge({"v_a": jnp.ones((2, 1))}, {"w": jnp.zeros((2, 2))})


def test_alpha_may_be_traced():
    params = NET.init(KEY, X)[0]

    def run(alpha):
        lora = nn.lora(NET, 1, "head/w", alpha=alpha)
        return lora.apply({"head": {"w_a": jnp.ones((4, 1)), "w_b": jnp.ones((1, 2))}}, params, X)[0]

    close(jax.vmap(run)(jnp.array([0.0, 2.0]))[1], run(2.0))
