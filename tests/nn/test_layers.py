"""What each layer promises beyond its formula: derivatives, accuracy, precision, randomness, refusals."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jdl import nn
from jdl.nn.convolve import by_plain_layouts, by_xla

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def random_params(net, *inputs):
    """Parameters none of which is zero or one, and the state."""
    params, state = net.init(KEY, *inputs)
    return jax.tree.map(lambda leaf: jnp.asarray(normal(*leaf.shape)), params), state


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


# --- every layer -------------------------------------------------------------------------------------------


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


def equations(jaxpr):
    """Give every equation of a jaxpr and of those inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree.leaves(list(equation.params.values())):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


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


# --- dense and embed ---------------------------------------------------------------------------------------


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


# --- conv --------------------------------------------------------------------------------------------------


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


# --- pooling -----------------------------------------------------------------------------------------------


def test_pooling_leaves_out_rows_that_fill_no_window():
    x = jnp.arange(25.0).reshape(5, 5, 1)
    assert nn.max_pool(2)({}, x)[..., 0].tolist() == [[6, 8], [16, 18]]
    assert nn.average_pool(2)({}, x)[..., 0].tolist() == [[3, 5], [13, 15]]


def test_pooling_of_integers():
    x = jnp.arange(16, dtype=jnp.int32).reshape(4, 4, 1) - 20
    assert nn.max_pool(2, padding="SAME", stride=1)({}, x)[-1, -1].tolist() == [-5]
    assert nn.max_pool(2)({}, x).dtype == jnp.int32
    assert nn.average_pool(3, stride=1)({}, x)[0, 0].tolist() == [-15.0]


def test_average_pool_sums_in_float32():
    x = jnp.full((32, 32, 1), 1.0, jnp.bfloat16)
    assert nn.average_pool(31, stride=1)({}, x).astype(float).ravel().tolist() == [1.0] * 4


def test_max_pool_shares_the_gradient_among_equals():
    gradient = jax.grad(lambda x: nn.max_pool(2)({}, x).sum())(jnp.zeros((2, 2, 1)))
    assert gradient.ravel().tolist() == [0.25] * 4


def test_max_pool_refuses_windows_of_padding_alone():
    with pytest.raises(nn.LayerError, match=r"padding .* must be smaller than the window \(2, 2\)"):
        nn.max_pool(2, padding=2)


# --- normalisation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(64, 3), (16, 8, 8, 3)])
@pytest.mark.parametrize("mean", [0.0, 1e3, -1e5])
def test_batch_norm_keeps_its_accuracy_at_a_large_mean(shape, mean):
    xs = (normal(*shape) + mean).astype(np.float32)
    params, state = nn.batch_norm(eps=1e-12).init(KEY, xs[0])
    found, state = nn.batched(nn.batch_norm(eps=1e-12))(params, state, xs, key=KEY)
    exact, axes = np.float64(xs), tuple(range(len(shape) - 1))
    centred, deviation = exact - exact.mean(axes), exact.std(axes)
    np.testing.assert_allclose(state["mean"], 0.1 * exact.mean(axes), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state["var"], 0.9 + 0.1 * deviation**2, rtol=1e-5)
    # float32 holds a mean only to 6e-8 of itself: that much of the centre is lost, and no more.
    np.testing.assert_allclose(found, centred / deviation, atol=1e-4 + 2e-7 * abs(mean))


def test_batch_norm_keeps_its_accuracy_where_the_middle_is_the_odd_one_out():
    xs = 1000 + normal(8, 16, 16, 1)
    xs[:, 8, 8] = 0
    params, state = nn.batch_norm(momentum=0.0).init(KEY, xs[0])
    _, state = nn.batched(nn.batch_norm(momentum=0.0))(params, state, xs, key=KEY)
    np.testing.assert_allclose(state["var"], np.var(np.float64(xs)), rtol=1e-4)


def test_batch_norm_of_constant_features_is_finite():
    xs = jnp.full((4, 2, 3), 7.0)
    params, state = nn.batch_norm().init(KEY, xs[0])

    def loss(xs):
        return jnp.sum(nn.batched(nn.batch_norm())(params, state, xs, key=KEY)[0] ** 2)

    value, gradient = jax.value_and_grad(loss)(xs)
    assert value == 0
    assert np.isfinite(gradient).all()


def test_batch_norm_weighs_examples():
    net, xs = nn.batch_norm(), jnp.asarray(normal(3, 4, 2))
    params, state = random_params(net, xs[0])
    weighted, after = nn.batched(net)(params, state, xs, key=KEY, weight=jnp.array([2.0, 1.0, 0.0]))
    repeated, expected = nn.batched(net)(params, state, xs[jnp.array([0, 0, 1])], key=KEY)
    np.testing.assert_allclose(weighted[:2], repeated[1:], rtol=1e-4, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), after, expected)


def test_batch_norm_momentum_may_be_traced():
    xs = jnp.asarray(normal(4, 2))
    params, state = nn.batch_norm().init(KEY, xs[0])

    def moved(momentum):
        return nn.batched(nn.batch_norm(momentum=momentum))(params, state, xs, key=KEY)[1]["mean"]

    found = jax.jit(jax.vmap(moved))(jnp.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(found, np.outer([1, 0.5, 0], xs.mean(0)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mean", [0.0, 1e3, -1e5])
def test_layer_norm_keeps_its_accuracy_at_a_large_mean(mean):
    x = (normal(5, 64) + mean).astype(np.float32)
    params, _ = nn.layer_norm(eps=1e-12).init(KEY, x)
    exact = np.float64(x)
    expected = (exact - exact.mean(-1, keepdims=True)) / exact.std(-1, keepdims=True)
    # A mean of n float32 numbers is exact to n u |mean|, in any order of summation (Higham 2002, sec. 4.2).
    atol = 1e-5 + x.shape[-1] * 2.0**-24 * abs(mean)
    np.testing.assert_allclose(nn.layer_norm(eps=1e-12)(params, x), expected, atol=atol)


def test_norms_of_integers_are_floats():
    x = jnp.arange(4)
    for net in (nn.layer_norm(), nn.batch_norm()):
        params, state = net.init(KEY, x)
        assert net.apply(params, state, x)[0].dtype == jnp.float32


def test_norms_refuse_a_scalar():
    with pytest.raises(nn.LayerError, match=r"layer_norm: has shape \(\), needs"):
        nn.layer_norm().init(KEY, jnp.zeros(()))


def test_layer_norm_eps_has_a_gradient():
    x = jnp.asarray(normal(6))

    def direct(eps):
        return jnp.sum(((x - x.mean()) / jnp.sqrt(x.var() + eps)) ** 3)

    def ours(eps):
        return jnp.sum(nn.layer_norm(eps=eps)({"scale": jnp.ones(6), "bias": jnp.zeros(6)}, x) ** 3)

    np.testing.assert_allclose(jax.grad(ours)(0.1), jax.grad(direct)(0.1), rtol=1e-4)


# --- dropout -----------------------------------------------------------------------------------------------


def drop(rate, key, x):
    return nn.dropout(rate).apply({}, {}, x, key=key)[0]


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9])
def test_dropout_drops_its_rate(rate):
    # Dropped elements are binomial. At 4.9 standard deviations each side, one of these four tests fails by
    # chance once in 250,000 choices of the key; this key is fixed, and passes.
    n = 1_000_000
    dropped = int((drop(rate, KEY, jnp.ones(n)) == 0).sum())
    used = round(rate * 65536) / 65536
    assert abs(dropped - used * n) < 4.9 * (n * used * (1 - used)) ** 0.5


@pytest.mark.parametrize("size", [0, 1, 8, 9])
def test_dropout_keeps_the_mean_of_what_it_can_give(size):
    rates = np.float32([0.0, 1e-6, 0.3, 0.999, 0.9999999])
    found = jax.jit(jax.vmap(lambda rate: drop(rate, KEY, jnp.ones(size))))(rates)
    used = np.minimum(np.round(rates * 65536), 65535) / 65536
    assert found.shape == (5, size)
    for row, scale in zip(found.tolist(), 1 / (1 - used), strict=True):
        assert all(value == 0 or abs(value - scale) < 1e-5 * scale for value in row)


def test_neighbours_from_one_random_word_are_independent():
    kept = drop(0.5, KEY, jnp.ones((100_000, 2))) > 0
    # Of 100,000 pairs a half agree, give or take 158; 5 standard deviations: once in 1.7 million keys.
    assert abs(int((kept[:, 0] == kept[:, 1]).sum()) - 50_000) < 5 * 158.2


def test_dropout_of_a_batch_differs_between_examples_and_uses():
    net = nn.chain(nn.dropout(0.5), nn.dropout(0.5))
    y, _ = nn.batched(nn.dropout(0.5))({}, {}, jnp.ones((2, 64)), key=KEY)
    assert (y[0] != y[1]).any()
    twice = net.apply({}, {}, jnp.ones(64), key=KEY)[0]
    assert 0 < int((twice == 4).sum()) < int((y[0] == 2).sum())


def test_dropout_rate_may_be_traced_and_mapped():
    x, rates = jnp.ones(1000), jnp.array([0.0, 0.25, 0.9])
    together = jax.jit(jax.vmap(lambda rate: drop(rate, KEY, x)))(rates)
    for rate, found in zip(rates.tolist(), together, strict=True):
        np.testing.assert_allclose(found, drop(rate, KEY, x), rtol=1e-6)
    assert (together[0] == 1).all()


def test_without_a_key_dropout_gives_back_its_input():
    x = jnp.asarray(normal(5))
    assert nn.dropout(0.5)({}, x) is x


def test_dropout_of_infinity_drops_it():
    y = drop(0.5, KEY, jnp.full(100, jnp.inf))
    assert set(y.tolist()) == {0.0, float("inf")}


@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, 1.5, float("nan")])
def test_dropout_refuses_rates_outside_zero_to_one(rate):
    with pytest.raises(nn.LayerError, match=r"rate is .*, needs a number in \[0, 1\)"):
        nn.dropout(rate)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_a_traced_rate_outside_zero_to_one_is_nan(rate):
    assert np.isnan(jax.jit(lambda rate: drop(rate, KEY, jnp.ones(8)))(rate)).all()


# --- attention ---------------------------------------------------------------------------------------------


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


# --- activations and initializers --------------------------------------------------------------------------


def test_activations_are_plain_functions_that_pickle_in_a_network():
    from jdl.nn import activations

    for name in activations.__all__:
        net = nn.chain(getattr(nn, name))
        assert pickle.loads(pickle.dumps(net)) is net
        assert net({}, jnp.ones(4)).shape == ((2,) if name.endswith("glu") else (4,))


SAMPLES = 200_000
FAN_IN, FAN_OUT = 9 * 20, 9 * 200  # of a window (3, 3), 20 channels in and 200 out


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        (nn.init.normal(0.3), 0.09),
        (nn.init.uniform(-1, 2), 9 / 12),
        (nn.init.lecun_normal(), 1 / FAN_IN),
        (nn.init.he_normal(), 2 / FAN_IN),
        (nn.init.glorot_uniform(), 2 / (FAN_IN + FAN_OUT)),
        (nn.init.variance_scaling(3.0, "fan_out", "normal"), 3 / FAN_OUT),
    ],
    ids=repr,
)
def test_initializers_have_their_variance(init, variance):
    draws = np.asarray(init(KEY, (3, 3, 20, 200)), np.float64)
    kurtosis = np.mean((draws - draws.mean()) ** 4) / draws.var() ** 2
    spread = variance * ((kurtosis - 1) / draws.size) ** 0.5  # the standard error of a variance
    assert abs(draws.var() - variance) < 5 * spread  # once in 1.7 million keys


@pytest.mark.parametrize("init", [nn.init.lecun_normal(), nn.init.he_normal()], ids=repr)
def test_truncated_normals_end_at_two_deviations_of_the_untruncated(init):
    draws = np.asarray(init(KEY, (100, 1000)))
    limit = 2 * draws.std() / 0.87962566  # the deviation that truncating at two leaves
    assert 0.97 * limit < np.abs(draws).max() < 1.03 * limit


@pytest.mark.parametrize(
    ("init", "low", "high"),
    [(nn.init.uniform(-1, 2), -1, 2), (nn.init.glorot_uniform(), -((6 / 1100) ** 0.5), (6 / 1100) ** 0.5)],
)
def test_uniforms_fill_their_range(init, low, high):
    draws = np.asarray(init(KEY, (100, 1000)))
    assert low <= draws.min() < low + 0.001 * (high - low)
    assert high - 0.001 * (high - low) < draws.max() <= high


def test_initializers_are_values():
    assert nn.init.normal(0.3) is nn.init.normal(0.3)
    assert nn.dense(3, init=nn.init.he_normal()) is nn.dense(3, init=nn.init.he_normal())
    assert pickle.loads(pickle.dumps(nn.init.zeros)) is nn.init.zeros


def test_layers_use_the_initializer_they_are_given():
    for net, x in (
        (nn.dense(2, init=nn.init.ones), jnp.zeros(3)),
        (nn.conv(2, init=nn.init.ones), jnp.zeros((4, 4, 1))),
    ):
        params, _ = net.init(KEY, x)
        assert (params["w"] == 1).all()
        assert (params["b"] == 0).all()
    params, _ = nn.attention(1, init=nn.init.constant(0.5), bias=False).init(KEY, jnp.zeros((2, 4)))
    assert all((part["w"] == 0.5).all() and "b" not in part for part in params.values())
    assert np.isclose(nn.embed(50, 100).init(KEY, jnp.zeros(1, int))[0]["w"].std(), 0.1, rtol=0.05)
