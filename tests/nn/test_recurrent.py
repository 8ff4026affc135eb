"""What recurrent layers promise beyond their formulas: padding, states, decoding, derivatives, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from jdl.nn.recur import GRU, LSTM, _run, plain, recur
from jdl.nn.trees import nest

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
LENGTH, N, WIDTH = 5, 3, 2
KINDS = {"rnn": nn.rnn(WIDTH, nn.relu), "lstm": nn.lstm(WIDTH), "gru": nn.gru(WIDTH)}


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def drawn(net, *inputs):
    """Give random parameters without compiling what draws them."""
    specs = net.specs(*inputs)["params"]
    return nest({path: jnp.asarray(normal(*spec.shape)) for path, spec in specs.items()})


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_formula(name, params, x):
    """Run one sequence alone, position by position: all outputs, and the last state."""
    w, u, b = params["w"], params["u"], params["b"]
    h, c, outputs = np.zeros(WIDTH), np.zeros(WIDTH), []
    for row in x:
        if name == "rnn":
            h = np.maximum(row @ w + h @ u + b, 0)
        elif name == "lstm":
            i, f, g, o = np.split(row @ w + h @ u + b, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (r, z, n), (r_h, z_h, n_h) = np.split(row @ w + b, 3), np.split(h @ u, 3)
            r, z = sigmoid(r + r_h), sigmoid(z + z_h)
            h = (1 - z) * np.tanh(n + r * (n_h + params["b_n"])) + z * h
        outputs.append(h)
    return np.reshape(outputs, (-1, WIDTH)), (h, c) if name == "lstm" else h


@pytest.mark.parametrize("name", KINDS)
def test_a_padded_batch_equals_each_sequence_alone_whatever_the_padding_holds(name):
    net = nn.with_carry(KINDS[name])
    lengths = np.arange(LENGTH + 2)  # from none to more than there are
    xs = normal(len(lengths), LENGTH, N)
    params = drawn(net, xs[0])
    spoilt = np.where(np.arange(LENGTH)[:, None] < lengths[:, None, None], xs, np.nan)

    @jax.jit
    def run(params, xs):
        def loss(params, xs):
            outputs = nn.batched(net)(params, {}, xs, length=lengths)[0]
            return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(outputs)), outputs

        return jax.grad(loss, argnums=(0, 1), has_aux=True)(params, xs)

    gradients, (ys, carries) = run(params, xs)
    for i, length in enumerate(lengths):
        y, carry = by_formula(name, jax.tree.map(np.asarray, params), xs[i, :length])
        found = jax.tree.map(lambda leaf: leaf[i], carries)  # noqa: B023
        np.testing.assert_allclose(ys[i, :length], y, atol=1e-5)
        np.testing.assert_array_equal(ys[i, length:], 0.0)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, carry)
    jax.tree.map(np.testing.assert_array_equal, run(params, spoilt), (gradients, (ys, carries)))


def test_both_ways_is_the_same_layer_on_the_turned_sequence():
    net = nn.with_carry(nn.bidirectional(KINDS["lstm"], KINDS["gru"]))
    x, length = normal(LENGTH, N), 3
    params = drawn(net, x)
    starts = (normal(WIDTH), normal(WIDTH)), normal(WIDTH)
    y, carries = jax.jit(net)(params, x, starts, length=length)
    there, first = jax.jit(nn.with_carry(KINDS["lstm"]))(params["ahead"], x[:length], starts[0])
    turned, second = jax.jit(nn.with_carry(KINDS["gru"]))(params["back"], x[:length][::-1], starts[1])
    np.testing.assert_allclose(y[:length], np.concatenate([there, turned[::-1]], -1), atol=1e-6)
    np.testing.assert_array_equal(y[length:], 0.0)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), carries, (first, second))


def test_decoding_gives_the_whole_pass_and_ends_in_its_state():
    net = nn.chain(nn.lstm(WIDTH), nn.dense(N), nn.repeat(2, nn.gru(N)))
    xs, lengths = normal(2, LENGTH, N), np.array([5, 3])
    params, state = drawn(net, xs[0]), {}
    whole, _ = jax.jit(nn.batched(net))(params, state, xs, length=lengths)
    cache = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), net.init_cache(xs[0]))
    step = jax.jit(lambda x, left, cache: nn.batched(net)(params, state, x, length=left, cache=cache)[0])
    begin, found = 0, []
    for count in (1, 1, 1, 2):
        y, cache = step(xs[:, begin : begin + count], lengths - begin, cache)
        found.append(y)
        begin += count
    np.testing.assert_allclose(np.concatenate(found, 1), whole, atol=1e-6)
    _, (h, c) = jax.jit(nn.with_carry(nn.lstm(WIDTH)))(params["lstm"], xs[1], length=3)
    np.testing.assert_allclose(cache["lstm"]["h"][1], h, atol=1e-6)
    np.testing.assert_allclose(cache["lstm"]["c"][1], c, atol=1e-6)
    assert cache["repeat"]["h"].shape == (2, 2, N)


@pytest.mark.parametrize("cell", [plain(jnp.tanh), LSTM, GRU], ids=["rnn", "lstm", "gru"])
def test_the_derivative_equals_what_jax_derives_from_the_loop(cell):
    with jax.enable_x64(True):
        rng = np.random.default_rng(1)
        wide = cell.blocks * WIDTH
        shapes = [(LENGTH, 2, wide), (WIDTH, wide), (wide,), *[(2, WIDTH)] * cell.carried]
        args, tangents = ([jnp.asarray(rng.normal(size=shape)) for shape in shapes] for _ in range(2))
        live = jnp.asarray(rng.random((LENGTH, 2, 1)) < 0.7)

        def by_rule(x, u, b, *start):
            return recur(cell, True, x, u, b, start, live)

        def by_jax(x, u, b, *start):
            carries, _, last = _run(cell, True, x, u, b, start, live)
            return carries[0], last

        def derivatives(function):
            y, ahead = jax.jvp(function, args, tangents)
            _, back = jax.vjp(function, *args)
            return y, ahead, back(y)

        found, expected = jax.jit(lambda: (derivatives(by_rule), derivatives(by_jax)))()
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), found, expected)


def loops(jaxpr):
    """List the products ``dot_general`` in each loop's body."""
    found = []
    for equation in jaxpr.eqns:
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                found += loops(inner)
                if equation.primitive.name == "scan":
                    found.append([eqn for eqn in inner.eqns if eqn.primitive.name == "dot_general"])
    return found


@pytest.mark.parametrize("name", KINDS)
def test_a_loop_holds_one_product_with_weights_that_all_rows_share(name):
    net, xs = KINDS[name], normal(4, LENGTH, N)
    params = drawn(net, xs[0])
    loss = lambda params: jnp.sum(nn.batched(net)(params, {}, xs)[0])
    products = loops(jax.make_jaxpr(jax.grad(loss))(params).jaxpr)
    assert [len(each) for each in products] == [1, 1]
    for (product,) in products:
        rows, weights = (operand.aval.shape for operand in product.invars)
        assert rows[0] == 4 and len(rows) == 2 and weights == params["u"].shape


def test_without_biases_there_are_none():
    for make in (nn.rnn, nn.lstm, nn.gru):
        net, x = make(WIDTH, bias=False), normal(LENGTH, N)
        params = drawn(net, x)
        assert sorted(params) == ["u", "w"]
        biases = {
            name: jnp.zeros_like(leaf) for name, leaf in drawn(make(WIDTH), x).items() if name[0] == "b"
        }
        found, expected = jax.jit(lambda: (net(params, x), make(WIDTH)(params | biases, x)))()  # noqa: B023
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_recurrent_weights_begin_orthogonal_and_the_forget_gate_open():
    params, _ = nn.lstm(WIDTH).init(KEY, normal(LENGTH, N))
    for u in np.split(np.asarray(params["u"]), 4, -1):
        np.testing.assert_allclose(u @ u.T, np.eye(WIDTH), atol=1e-5)
    assert params["b"].tolist() == [0.0] * WIDTH + [1.0] * WIDTH + [0.0] * 2 * WIDTH


def test_in_half_precision_the_state_stays_wide():
    net, x = nn.with_carry(nn.lstm(WIDTH)), normal(LENGTH, N)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), drawn(net, x))
    y, (h, c) = jax.eval_shape(net, half, x.astype(jnp.bfloat16))
    assert (y.dtype, h.dtype, c.dtype) == (jnp.bfloat16, jnp.float32, jnp.float32)


def test_the_last_position_is_the_last_real_one():
    xs = normal(4, 4, 2)
    lengths = np.array([4, 2, 0, 9])
    found, _ = nn.batched(nn.chain(nn.last))({}, {}, xs, length=lengths)
    np.testing.assert_array_equal(found, [xs[0, 3], xs[1, 1], [0, 0], xs[3, 3]])
    np.testing.assert_array_equal(nn.last(xs[0]), xs[0, 3])


def test_an_empty_sequence_ends_where_it_begins():
    start = normal(WIDTH)
    for net in (nn.with_carry(nn.gru(WIDTH)), nn.with_carry(nn.bidirectional(nn.gru(WIDTH)))):
        params = drawn(net, normal(0, N))
        given = start if "w" in params else (start, start)
        y, carry = net(params, normal(0, N), given)
        assert y.shape[0] == 0
        jax.tree.map(np.testing.assert_array_equal, carry, given)


X = jnp.zeros((4, 3))
REFUSED = [
    (nn.rnn(2), (X[0],), {}, r"^rnn: has shape \(3,\), needs \(length, n\)"),
    (nn.gru(2), (X, X[0]), {}, r"^gru: the start has shapes \[\(3,\)\], needs \[\(2,\)\]"),
    (nn.lstm(2), (X, X[0, :2]), {}, r"^lstm: the start has shapes \[\(\), \(\)\], needs"),
    (nn.lstm(2), (X,), {"length": 1.5}, r"^lstm: length has shape \(\) and dtype float"),
    (nn.lstm(2), (X,), {"length": jnp.arange(4)}, r"^lstm: length has shape \(4,\) and dtype int"),
    (nn.bidirectional(nn.gru(2)), (X, X[0]), {}, "^bidirectional: the start is no pair"),
]


@pytest.mark.parametrize(("net", "inputs", "keywords", "message"), REFUSED)
def test_inputs_of_the_wrong_shape_are_refused(net, inputs, keywords, message):
    with pytest.raises(nn.LayerError, match=message):
        net.init(KEY, *inputs, **keywords)


def test_what_cannot_be_built_is_refused():
    with pytest.raises(nn.LayerError, match="lstm: width is 0, needs a positive integer"):
        nn.lstm(0)
    with pytest.raises(nn.LayerError, match=r"rnn: the activation is prelu\(\), needs a plain function"):
        nn.rnn(2, nn.prelu())
    with pytest.raises(nn.LayerError, match=r"with_carry: found dense\(2\), needs a recurrent layer"):
        nn.with_carry(nn.dense(2))
    with pytest.raises(nn.LayerError, match="bidirectional: found a layer that runs both ways already"):
        nn.bidirectional(nn.bidirectional(nn.gru(2)))


def test_a_cache_refuses_what_it_cannot_continue():
    x = jnp.zeros((4, 3))
    with pytest.raises(nn.LayerError, match="^back: runs backwards, and so cannot be decoded with a cache"):
        nn.bidirectional(nn.gru(2)).init_cache(x)
    with pytest.raises(
        nn.LayerError, match="^gru: found a start and a cache, which holds the state; give one"
    ):
        nn.gru(2).init_cache(x, jnp.zeros(2))

    @nn.layer(part=nn.gru(3))
    def twice(my, x):
        return my.part(my.part(x))

    with pytest.raises(
        nn.LayerError, match="^part: used twice in one pass, but its cache keeps one sequence"
    ):
        twice(drawn(twice, x), x, cache=twice.init_cache(x))
