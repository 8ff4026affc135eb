"""A layer is a pure function of one example; keys, names and sharing (design rules 1 and 2)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn

KEY = jax.random.key(0)
X = jnp.arange(3.0)


def bits(tree):
    return [(str(leaf.dtype), leaf.shape, np.asarray(leaf).tobytes()) for leaf in jax.tree.leaves(tree)]


def test_same_arguments_give_the_same_bits_and_the_callers_arrays_survive():
    net = nn.chain(nn.dense(4), nn.batch_norm(), nn.dropout(0.5), nn.dense(2))
    params, state = net.init(KEY, X)
    xs = jnp.arange(15.0).reshape(5, 3)
    given = bits((params, state, xs))
    run = jax.jit(lambda *a: nn.batched(net)(*a, key=KEY))
    first, second = run(params, state, xs), run(params, state, xs)
    assert bits(first) == bits(second)
    assert bits((params, state, xs)) == given
    assert bits(first[1]) != bits(state)  # the new state is another tree
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((params, state, xs)))


def test_init_is_a_function_of_the_key_alone():
    net = nn.chain(nn.dense(4), nn.batch_norm())
    assert bits(net.init(KEY, X)) == bits(net.init(KEY, X + 5)) == bits(net.init(KEY, jnp.zeros(3, int)))
    assert bits(net.init(KEY, X)) != bits(net.init(jax.random.key(1), X))


def test_a_layer_sees_one_example_and_batched_gives_each_its_own_key():
    seen = []

    @nn.layer
    def look(my, x):
        seen.append(x.shape)
        return jax.random.normal(my.key(), x.shape)

    ys, _ = nn.batched(look)({}, {}, jnp.zeros((4, 3)), key=KEY)
    assert seen == [(3,)]
    assert ys.shape == (4, 3) and len(np.unique(ys)) == 12
    more, _ = nn.batched(look)({}, {}, jnp.zeros((6, 3)), key=KEY)
    assert bits(more[:4]) == bits(ys)  # a longer batch leaves the first rows' keys as they are


@pytest.mark.parametrize("make", [lambda: nn.dropout(0.5), lambda: nn.repeat(2, nn.dropout(0.5))])
def test_a_key_makes_a_pass_stochastic(make):
    net, ones = make(), jnp.ones(50)
    params, state = net.init(KEY, ones)
    still, _ = net.apply(params, state, ones)
    moved, _ = net.apply(params, state, ones, key=KEY)
    again, _ = net.apply(params, state, ones, key=KEY)
    other, _ = net.apply(params, state, ones, key=jax.random.key(1))
    assert bits(still) == bits(ones)
    assert 5 < jnp.sum(moved == 0) < 45
    assert bits(moved) == bits(again) != bits(other)


def test_stochastic_tells_whether_the_pass_has_a_key():
    @nn.layer
    def flag(my, x):
        return jnp.where(my.stochastic, 1.0, 0.0), my.key() is None

    assert flag.apply({}, {}, X)[0] == (0.0, True)
    assert flag.apply({}, {}, X, key=KEY)[0] == (1.0, False)
    assert nn.without_key(flag).apply({}, {}, X, key=KEY)[0] == (0.0, True)


@nn.layer
def noise(my, x):
    return jax.random.normal(my.key(), x.shape)


def test_keys_differ_between_layers_uses_and_calls():
    @nn.layer(a=noise, b=noise, both=nn.parallel(noise, noise), many=nn.repeat(2, nn.residual(noise)))
    def net(my, x):
        own = [jax.random.normal(my.key(), x.shape) for _ in range(2)]
        return jnp.stack([*own, my.a(x), my.a(x), my.b(x), *my.both(x), my.many(x), my.many(x)])

    ys, _ = net.apply({}, {}, X, key=KEY)
    assert len(np.unique(np.round(ys, 5))) == ys.size


@pytest.mark.parametrize("wrap", [nn.remat, nn.map, lambda part: nn.repeat(2, part), nn.residual])
def test_masks_differ_between_two_uses_of_a_wrapped_part(wrap):
    @nn.layer(d=wrap(nn.dropout(0.5)))
    def twice(my, x):
        return my.d(x), my.d(x)

    one, two = twice.apply({}, {}, jnp.ones((4, 16)), key=KEY)[0]
    assert bits(one) != bits(two)


def test_elements_of_map_and_blocks_of_repeat_draw_their_own_keys():
    mapped, _ = nn.map(noise).apply({}, {}, jnp.zeros((4, 3)), key=KEY)
    assert len(np.unique(mapped)) == 12
    steps = nn.intermediates(nn.repeat(4, nn.chain(noise)), "noise")
    (_, seen), _ = steps.apply({}, {}, jnp.zeros(3), key=KEY)
    assert len(np.unique(seen["noise"])) == 12


def test_inserting_a_named_part_leaves_the_others_initial_weights_bit_identical():
    def net(**extra):
        return nn.chain(stem=nn.dense(3), **extra, body=nn.repeat(2, nn.dense(3)), head=nn.dense(2))

    plain, _ = net().init(KEY, X)
    more, _ = net(between=nn.dense(3)).init(KEY, X)
    assert set(more) - set(plain) == {"between"}
    assert bits({name: more[name] for name in plain}) == bits(plain)


def test_entries_with_equal_shapes_begin_differently():
    params, _ = nn.chain(nn.dense(3), nn.dense(3), nn.repeat(2, nn.dense(3))).init(KEY, X)
    weights = [params["dense"]["w"], params["dense_1"]["w"], *params["repeat"]["w"]]
    assert len({np.asarray(w).tobytes() for w in weights}) == 4


def test_chain_numbers_unnamed_parts_by_kind_and_keeps_names():
    def swish(x):
        return x * jax.nn.sigmoid(x)

    net = nn.chain(
        nn.dense(3), swish, nn.dense(3), swish, lambda x: x, jnp.tanh, nn.chain(abs), head=nn.dense(1)
    )
    assert list(net.parts) == [
        "dense", "swish", "dense_1", "swish_1", "function", "tanh", "chain", "head",
    ]  # fmt: skip
    assert sorted(net.init(KEY, X)[0]) == ["dense", "dense_1", "head"]


def test_a_users_constructor_gives_its_parts_their_name():
    @nn.constructor
    def _tower(width):
        return nn.chain(nn.dense(width), nn.relu)

    assert list(nn.chain(_tower(3), _tower(4)).parts) == ["tower", "tower_1"]


def test_names_that_would_collide_are_refused():
    with pytest.raises(nn.LayerError, match=r"chain: two parts of one name among \['dense', 'dense'\]"):
        nn.chain(nn.dense(3), dense=nn.dense(3))
    with pytest.raises(nn.LayerError, match="parallel: two parts of one name"):
        nn.parallel(nn.dense(3), dense=nn.dense(3))


def test_one_object_twice_in_a_chain_is_two_parts():
    dense = nn.dense(3)
    params, _ = nn.chain(dense, dense).init(KEY, X)
    assert params["dense"]["w"].shape == params["dense_1"]["w"].shape
    assert not jnp.array_equal(params["dense"]["w"], params["dense_1"]["w"])


def test_one_part_called_twice_shares_its_weights():
    @nn.layer(d=nn.dense(3))
    def net(my, x):
        return my.d(my.d(x))

    params, _ = net.init(KEY, X)
    w, b = params["d"]["w"], params["d"]["b"]
    np.testing.assert_allclose(net(params, X), (X @ w + b) @ w + b, rtol=1e-6)
    gradient = jax.grad(lambda p: net(p, X).sum())(params)
    expected = jax.grad(lambda w: ((X @ w + b) @ w + b).sum())(w)
    np.testing.assert_allclose(gradient["d"]["w"], expected, rtol=1e-5)


def test_a_shared_part_of_another_input_shape_is_an_error():
    @nn.layer(d=nn.dense(4))
    def net(my, x):
        return my.d(my.d(x))

    with pytest.raises(nn.LayerError, match=r"^d/w: has shape \(3, 4\), needs \(4, 4\)"):
        net.init(KEY, X)
