"""What a layer's function may ask of its scope, and keyword inputs (design rules 4, 7 and 11)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from jdl.nn import init

KEY = jax.random.key(0)
X = jnp.arange(3.0)


def fails(net, message, *inputs, **keywords):
    with pytest.raises(nn.LayerError, match=message):
        nn.chain(stem=nn.dense(3), part=net).init(KEY, *(inputs or (X,)), **keywords)


def test_one_entry_asked_for_twice_is_an_error():
    @nn.layer
    def params(my, x):
        return x @ my.param("w", (3, 3), init.zeros) + my.param("w", (3, 3), init.zeros)

    @nn.layer
    def state(my, x):
        return x + my.param("s", (3,), init.zeros) + my.state("s", (3,), init.zeros)

    fails(params, "^part/w: asked for twice; keep the value of the first call")
    fails(state, "^part/s: asked for twice")


@pytest.mark.parametrize("name", ["inner", "a/b", ""])
def test_an_entry_cannot_be_called_like_a_part_or_a_path(name):
    @nn.layer(inner=nn.dense(3))
    def net(my, x):
        return my.inner(x) + my.param(name, (3,), init.zeros)

    fails(net, "^part.*: cannot name an entry; needs one without '/', of no part")


RESERVED = ["param", "state", "update", "key", "stochastic", "batch_mean", "loss"]


@pytest.mark.parametrize("name", [*RESERVED, "_hidden", "a/b", "two words"])
@pytest.mark.parametrize("make", [lambda **parts: nn.layer(**parts)(lambda my, x: x), nn.chain, nn.parallel])
def test_reserved_names_cannot_name_parts(name, make):
    with pytest.raises(nn.LayerError, match=f"^'{name}' cannot name a part of .*; needs an identifier"):
        make(**{name: nn.dense(3)})


def test_a_function_of_a_reserved_name_needs_another_in_a_chain():
    def loss(x):
        return x

    with pytest.raises(nn.LayerError, match="^'loss' cannot name a part of chain"):
        nn.chain(loss)
    assert list(nn.chain(last=loss).parts) == ["last"]


def test_a_part_that_does_not_exist_lists_those_that_do():
    @nn.layer(a=nn.dense(3), b=nn.dense(3))
    def net(my, x):
        return my.c(my.a(my.b(x)))

    with pytest.raises(AttributeError, match=r"^part: has no part 'c'; its parts: \['a', 'b'\]"):
        nn.chain(part=net).init(KEY, X)


@pytest.mark.parametrize("wrap", [lambda part: part, nn.remat, lambda part: nn.repeat(2, part), nn.map])
def test_a_part_that_is_never_called_is_an_error(wrap):
    @nn.layer(used=nn.dense(3), spare=nn.dense(3))
    def net(my, x):
        return my.used(x)

    fails(wrap(net), "^part/spare: a part of .* that is never called", jnp.zeros((2, 3)))


def test_a_part_or_scope_used_outside_its_layers_function_is_an_error():
    kept = {}

    @nn.layer(d=nn.dense(3))
    def leaks(my, x):
        kept["my"] = my
        return my.d(x)

    for net in [leaks, nn.residual(leaks), nn.repeat(2, leaks)]:
        nn.chain(leaks=net).init(KEY, X)
        my = kept["my"]
        with pytest.raises(nn.LayerError, match="^leaks/d: called outside its layer's function"):
            my.d(X)
        with pytest.raises(nn.LayerError, match="^leaks/w: called outside"):
            my.param("w", (), init.zeros)
        with pytest.raises(nn.LayerError, match="^leaks: called outside"):
            my.key()


def test_an_error_inside_a_part_notes_where():
    @nn.layer
    def wrong(my, x):
        return x @ jnp.zeros((7, 7))

    for wrap in [lambda part: part, lambda part: nn.repeat(2, part), nn.remat]:
        with pytest.raises(TypeError) as caught:
            nn.chain(outer=wrap(nn.chain(a=jnp.tanh, b=wrong))).init(KEY, X)
        assert "in layer outer/b: wrong" in caught.value.__notes__
        assert sum(note.startswith("in layer") for note in caught.value.__notes__) == 1


@nn.layer
def shift(my, x, *, mask, scale=1.0):
    return jnp.where(mask, x * scale, x + 1)


MASK = jnp.array([True, False, True])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda part: part,
        lambda part: nn.chain(jnp.abs, part, nn.relu),
        lambda part: nn.repeat(1, nn.chain(part)),
        nn.remat,
        nn.without_key,
        nn.intermediates,
        nn.with_losses,
        lambda part: nn.cast(part, jnp.float32),
        lambda part: nn.ensemble(part, 1),
        lambda part: nn.parallel(part, nn.relu),
        lambda part: nn.freeze(nn.chain(part, nn.dense(3))),
    ],
)
def test_keyword_inputs_go_to_the_parts_that_declare_them(wrap):
    net = wrap(shift)
    assert net.inputs == {"mask", "scale"}
    params, state = net.init(KEY, X, mask=MASK, scale=2.0)
    first = jax.tree.leaves(net.apply(params, state, X, mask=MASK, scale=2.0)[0])[0]
    other = jax.tree.leaves(net.apply(params, state, X, mask=~MASK, scale=2.0)[0])[0]
    assert not jnp.array_equal(first, other)
    with pytest.raises(
        nn.LayerError, match=r"unknown keyword input \['masks'\]; it takes \['mask', 'scale'\]"
    ):
        net.apply(params, state, X, masks=MASK)


def test_residual_and_map_pass_keyword_inputs_on():
    expected = X + jnp.where(MASK, X * 2, X + 1)
    assert jnp.array_equal(nn.residual(shift)({}, X, mask=MASK, scale=2.0), expected)
    rows = nn.map(shift)({}, jnp.stack([X, X]), mask=MASK)
    np.testing.assert_array_equal(rows, jnp.stack([jnp.where(MASK, X, X + 1)] * 2))


def test_an_unknown_keyword_input_names_the_part():
    @nn.layer(d=nn.chain(nn.dense(3)))
    def net(my, x):
        return my.d(x, mask=x)

    fails(net, r"^part/d: unknown keyword input \['mask'\]; it takes \[\]")
    with pytest.raises(nn.LayerError, match=r"^chain: unknown keyword input \['mask'\]"):
        nn.batched(nn.chain(nn.dense(3)))({}, {}, X[None], mask=MASK[None])


def test_a_batch_maps_array_keywords_and_leaves_python_values_alone():
    @nn.layer
    def power(my, x, *, exponent, mode="sum", mask=None):
        assert type(exponent) is int and type(mode) is str and (mask is None or mask.shape == (3,))
        y = x if mask is None else x * mask
        return getattr(jnp, mode)(sum(y for _ in range(exponent)))

    net = nn.chain(nn.repeat(2, nn.dense(3)), nn.remat(power))
    masks = jnp.stack([MASK, ~MASK])
    params, state = net.init(KEY, X, exponent=2, mode="max", mask=MASK)
    run = jax.jit(lambda xs, masks: nn.batched(net)(params, state, xs, exponent=2, mode="max", mask=masks)[0])
    ys = run(jnp.stack([X, X]), masks)
    one = [net(params, X, exponent=2, mode="max", mask=mask) for mask in masks]
    np.testing.assert_allclose(ys, jnp.stack(one), rtol=1e-6)
    assert nn.batched(net)(params, state, X[None], exponent=1)[0].shape == (1,)


def test_a_layers_own_keywords_pass_on_those_of_its_parts():
    @nn.layer(inner=shift)
    def outer(my, x, **keywords):
        return my.inner(x, **keywords)

    assert nn.chain(outer).inputs == {"mask", "scale"}
    assert jnp.array_equal(nn.chain(outer)({}, X, mask=MASK), jnp.where(MASK, X, X + 1))


@pytest.mark.parametrize("name", ["key", "weight", "cache"])
def test_keyword_inputs_cannot_take_the_names_of_the_pass(name):
    scope: dict = {}
    exec(f"def f(my, x, {name}=None): return x", scope)
    with pytest.raises(nn.LayerError, match="^f: 'key', 'weight' and 'cache' cannot name keyword inputs"):
        nn.layer(scope["f"])


def test_plain_functions_are_layers():
    parts = [jnp.tanh, jax.nn.gelu, lambda x: x + 1, functools.partial(jnp.clip, min=0.0), jnp.add]
    net = nn.chain(*parts[:4])
    expected = functools.reduce(lambda x, f: f(x), parts[:4], X)
    np.testing.assert_allclose(net({}, X), expected, rtol=1e-6)
    assert nn.chain(parts[4])({}, X, X).tolist() == [0, 2, 4]
    assert nn.chain(max)({}, 1.0, 2.0) == 2.0  # a builtin without a signature


def test_what_is_no_layer_is_an_error():
    with pytest.raises(nn.LayerError, match="^needs a layer or a function, found int: 3"):
        nn.repeat(nn.dense(3), 3)
    with pytest.raises(
        nn.LayerError, match=r"^needs a layer, found the function that makes one: .*layer_norm\(…\)"
    ):
        nn.chain(nn.dense(3), nn.layer_norm)
    with pytest.raises(nn.LayerError, match="^chain: needs at least one part"):
        nn.chain()


def test_a_loss_is_a_scalar():
    @nn.layer
    def net(my, x):
        my.loss("vector", x)
        return x

    fails(net, r"^part/vector: has shape \(3,\), needs \(\)")
