"""What each layer promises beyond its formula: derivatives, accuracy, precision, randomness, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jdl import nn
from tests.nn.drawn import KEY, equations, normal, random_params

LAYERS = {
    "dense": (nn.dense(3), normal(4, 5)),
    "conv": (nn.conv(2, 3, stride=(2, 1), dilation=(1, 2), padding=1), normal(5, 6, 2)),
    "batch_norm": (nn.batch_norm(), normal(4, 3)),
    "layer_norm": (nn.layer_norm(), normal(3, 4)),
    "attention": (nn.attention(2, causal=True), normal(3, 4)),
    "max_pool": (nn.max_pool(2), normal(4, 4, 2)),
    "max_pool_overlapping": (nn.max_pool(3, stride=2, padding=1), normal(5, 5, 2)),
    "average_pool": (nn.average_pool(2), normal(4, 4, 2)),
    "average_pool_overlapping": (nn.average_pool(3, stride=2, padding=1), normal(5, 5, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_first_and_second_derivatives(name):
    net, x = LAYERS[name]
    params, state = random_params(net, x)
    xs = np.stack([x, normal(*x.shape)])
    with jax.enable_x64(True):
        params, state, xs = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (params, state, xs))

        @jax.jit
        def output(params, xs):
            return nn.batched(net)(params, state, xs, key=KEY)[0]

        modes = ["fwd", "rev"] if name in ("conv", "layer_norm") else ["rev"]  # both where a rule is ours
        check_grads(output, (params, xs), order=2, modes=modes, eps=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_half_precision_stays_half_and_close(name):
    net, x = LAYERS[name]
    params, state = random_params(net, x)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
    xs = jnp.stack([x, normal(*x.shape)])
    output = jax.jit(lambda params, xs: nn.batched(net)(params, state, xs, key=KEY)[0])
    exact = output(jax.tree.map(jnp.float32, half), jnp.float32(jnp.bfloat16(xs)))
    found = output(half, xs.astype(jnp.bfloat16))
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(found), exact, atol=0.05 * float(jnp.abs(exact).max()))


@pytest.mark.parametrize("name", ["dense", "conv", "batch_norm", "layer_norm", "attention"])
def test_members_mapped_over_their_weights_equal_the_members_alone(name):
    net, x = LAYERS[name]
    members = [random_params(net, x) for _ in range(2)]

    def gradient(params, state, xs):
        def loss(params):
            return jnp.sum(nn.batched(net)(params, state, xs, key=KEY)[0] ** 2)

        return jax.value_and_grad(loss)(params)

    with jax.enable_x64(True):
        xs = jnp.stack([x, normal(*x.shape)]).astype(jnp.float64)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves).astype(jnp.float64), *members)
        together = jax.jit(jax.vmap(gradient, (0, 0, None)))(*stacked, xs)
        alone = jax.jit(gradient)
        for i in range(2):
            expected = alone(*jax.tree.map(lambda leaf: leaf[i], stacked), xs)  # noqa: B023
            found = jax.tree.map(lambda leaf: leaf[i], together)  # noqa: B023
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8), found, expected)


@pytest.mark.parametrize("name", ["dense", "conv", "attention"])
def test_gradients_taken_inside_and_around_the_batch_agree(name):
    net, x = LAYERS[name]
    params, _ = random_params(net, x)
    xs = jnp.stack([x, normal(*x.shape)])

    def loss(params, xs):
        return jnp.sum(nn.batched(net)(params, {}, xs)[0] ** 2)

    around, by_input = jax.jit(jax.grad(loss, (0, 1)))(params, xs)
    one = jax.grad(lambda params, x: jnp.sum(net(params, x) ** 2))
    apart = jax.tree.map(lambda leaf: leaf.sum(0), jax.jit(jax.vmap(one, (None, 0)))(params, xs))

    @nn.layer(part=net)
    def slope(my, x):  # a layer that takes a gradient of its part
        return jax.grad(lambda x: jnp.sum(my.part(x) ** 2))(x)

    inside = jax.jit(nn.batched(slope))({"part": params}, {}, xs)[0]
    np.testing.assert_allclose(inside, by_input, rtol=1e-4, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), around, apart)


def test_a_product_of_parameters_alone_has_gradients_in_a_batch():
    @nn.layer(part=nn.dense(2))
    def queries(my, x):  # no example reaches the part
        return my.part(my.param("start", (3, 4), nn.init.normal())) + x

    params, _ = queries.init(KEY, jnp.zeros(2))

    def loss(params, apply):
        return jnp.sum(apply(params, {}, jnp.ones((5, 2)))[0] ** 2)

    found = jax.jit(lambda params: jax.grad(loss)(params, nn.batched(queries)))(params)
    plain = jax.jit(lambda params: jax.grad(loss)(params, jax.vmap(queries.apply, (None, None, 0))))(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found, plain)


def test_weights_made_from_the_example_are_allowed():
    @nn.layer(part=nn.dense(2, bias=False))
    def scaled(my, x):
        return my.part(x)

    params, _ = scaled.init(KEY, jnp.zeros((3, 4)))
    xs = jnp.asarray(normal(5, 3, 4))
    each = jax.vmap(lambda s: jax.tree.map(lambda leaf: s * leaf, params))(jnp.arange(5.0))
    found = jax.vmap(lambda params, x: nn.batched(scaled)(params, {}, x[None])[0][0])(each, xs)
    expected = jnp.arange(5.0)[:, None, None] * (xs @ params["part"]["w"])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("wrap", [lambda net: net, lambda net: nn.repeat(2, net), nn.remat])
@pytest.mark.parametrize(
    ("net", "x"),
    [
        (nn.dense(6), normal(4, 6)),
        (nn.attention(2), normal(4, 6)),
        (nn.conv(2, 1), normal(4, 4, 2)),
    ],
    ids=["dense", "attention", "conv"],
)
def test_a_batch_is_one_matrix_product(wrap, net, x):
    net = wrap(net)
    params, state = net.init(KEY, x)

    def loss(params):
        return jnp.sum(nn.batched(net)(params, state, x[None])[0])

    inside = equations(jax.make_jaxpr(jax.grad(loss))(params).jaxpr)
    products = [e.params["dimension_numbers"][0] for e in inside if e.primitive.name == "dot_general"]
    # With two contracted axes, the rows of the batch would not be laid out as one matrix.
    assert {len(left) for left, _ in products} == {1}


def test_constructors_refuse_sizes_that_mean_nothing():
    with pytest.raises(nn.LayerError, match="dense: width is 0, needs a positive integer"):
        nn.dense(0)
    with pytest.raises(nn.LayerError, match=r"embed: count is 2\.5, needs a positive integer"):
        nn.embed(2.5, 3)
    with pytest.raises(nn.LayerError, match="attention: heads is -1, needs a positive integer"):
        nn.attention(-1)


def test_dense_refuses_a_scalar():
    with pytest.raises(nn.LayerError, match=r"head: has shape \(\), needs \(…, n\)"):
        nn.chain(head=nn.dense(2)).init(KEY, jnp.zeros(()))


@pytest.mark.parametrize("bad", [-1, 6, 2**31 - 1])
def test_embed_outside_the_table_is_nan_in_that_row_only(bad):
    params, _ = nn.embed(6, 3).init(KEY, jnp.zeros(2, int))
    found = nn.embed(6, 3)(params, jnp.array([bad, 5]))
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1], params["w"][5])


def test_embed_takes_small_and_unsigned_integers_and_scalars():
    params, _ = nn.embed(300, 3).init(KEY, jnp.zeros((), jnp.uint8))
    for dtype in (jnp.uint8, jnp.int16, jnp.uint32):
        found = nn.embed(300, 3)(params, jnp.asarray(255, dtype))
        np.testing.assert_array_equal(found, params["w"][255])


def test_embed_refuses_floats():
    with pytest.raises(nn.LayerError, match="words: has dtype float32, needs an integer"):
        nn.chain(words=nn.embed(4, 2)).init(KEY, jnp.zeros(3))


def test_flatten_keeps_row_major_order():
    assert nn.flatten(jnp.arange(6).reshape(1, 2, 3)).tolist() == list(range(6))
