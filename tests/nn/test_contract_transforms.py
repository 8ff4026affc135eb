"""JAX's own transforms inside a layer, around parts (design rule 6)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from jdl.nn import init

KEY = jax.random.key(0)
X = jnp.array([0.5, -1.0, 2.0])

TRANSFORMS = {
    "scan": lambda f, x: jax.lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0],
    "fori": lambda f, x: jax.lax.fori_loop(0, 2, lambda i, c: f(c), x),
    "vmap": lambda f, x: jax.vmap(f)(jnp.stack([x, x]))[0],
    "map": lambda f, x: jax.lax.map(f, jnp.stack([x, x]))[0],
    "cond": lambda f, x: jax.lax.cond(jnp.sum(x) > 0, f, jnp.negative, x),
    "checkpoint": lambda f, x: jax.checkpoint(f)(x),
    "jit": lambda f, x: jax.jit(f)(x),
    "grad": lambda f, x: jax.grad(lambda x: jnp.sum(f(x)))(x),
    "jvp": lambda f, x: jax.jvp(f, (x,), (x,))[1],
}
OUTCOMES = {
    "scan": lambda f: f(f(X)),
    "fori": lambda f: f(f(X)),
    "grad": lambda f: jax.grad(lambda x: jnp.sum(f(x)))(X),
    "jvp": lambda f: jax.jvp(f, (X,), (X,))[1],
}
WRAPS = {
    "bare": lambda part: part,
    "chain": lambda part: nn.chain(inner=part),
    "repeat": lambda part: nn.repeat(2, nn.chain(inner=part)),
    "remat": lambda part: nn.remat(nn.chain(inner=part)),
    "map": lambda part: nn.map(nn.chain(inner=part)),
    "ensemble": lambda part: nn.chain(nn.ensemble(nn.chain(inner=part), 1), jnp.ravel),
    "nested": lambda part: nn.repeat(1, nn.remat(nn.residual(nn.chain(inner=part)))),
}


def under(transform, part):
    @nn.layer(part=part)
    def net(my, x):
        my.part(x)  # parameters are asked for outside ``cond`` branches
        return TRANSFORMS[transform](my.part, x)

    return nn.chain(outer=net)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_work_around_parts_that_neither_draw_keys_nor_hold_state(transform):
    dense = nn.dense(3)
    part = nn.chain(nn.remat(dense), jnp.tanh) if transform in ("scan", "grad") else dense
    net = under(transform, part)
    params, state = net.init(KEY, X)
    own = params["outer"]["part"]
    expected = OUTCOMES.get(transform, lambda f: f(X))(lambda x: part(own, x))
    np.testing.assert_allclose(net(params, X), expected, rtol=1e-5)
    ys, _ = nn.batched(net)(params, state, jnp.stack([X, X]), key=KEY)
    np.testing.assert_allclose(ys[1], expected, rtol=1e-5)


@nn.layer
def noisy(my, x):
    key = my.key()
    return x if key is None else x + jax.random.normal(key, x.shape)


@nn.layer
def counting(my, x):
    n = my.state("n", (), init.zeros)
    my.update(n=n + 1)
    return x + n


@nn.layer
def costly(my, x):
    my.loss("size", jnp.sum(x**2))
    return x


def input_for(wrap):
    return jnp.stack([X, X]) if wrap == "map" else X


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("transform", ["scan", "vmap", "cond", "checkpoint", "jit", "grad"])
def test_a_part_that_draws_keys_under_a_transform_is_an_error_naming_its_path(transform, wrap):
    net, x = under(transform, WRAPS[wrap](noisy)), input_for(wrap)
    path = {"bare": "outer/part", "ensemble": "outer/part/ensemble/inner"}.get(wrap, "outer/part/inner")
    needs = rf"^{path}: draws a key under a JAX transform.*my\.part\(x, key=…\)"
    with pytest.raises(nn.LayerError, match=needs):
        net.init(KEY, x)
    with pytest.raises(nn.LayerError, match=needs):
        net.apply({}, {}, x, key=KEY)
    net.apply({}, {}, x)  # prediction draws no key


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_part_that_updates_state_or_adds_a_loss_under_a_transform_is_an_error(wrap):
    x = input_for(wrap)
    path = "outer/part/ensemble/inner" if wrap == "ensemble" else "outer/part/inner"
    path = "outer/part" if wrap == "bare" else path
    for part, entry, does in [(counting, "n", "updates state"), (costly, "size", "adds a loss")]:
        net = under("scan", WRAPS[wrap](part))
        with pytest.raises(nn.LayerError, match=f"^{path}/{entry}: {does} under a JAX transform"):
            net.init(KEY, x)


def test_every_step_may_be_given_its_own_key():
    @nn.layer(noisy=nn.repeat(2, nn.chain(noisy)))
    def net(my, x):
        key = my.key()
        if key is None:
            return jax.lax.scan(lambda c, _: (my.noisy(c), c), x, None, length=3)[1]
        keys = jax.random.split(key, 3)
        return jax.lax.scan(lambda c, key: (my.noisy(c, key=key), c), x, keys)[1]

    assert net.init(KEY, X) == ({}, {})
    np.testing.assert_array_equal(net({}, X), jnp.stack([X] * 3))
    steps, _ = net.apply({}, {}, X, key=KEY)
    assert len(np.unique(np.diff(steps, axis=0))) == 6
    again, _ = net.apply({}, {}, X, key=KEY)
    np.testing.assert_array_equal(steps, again)


def test_a_key_of_its_own_does_not_let_state_out():
    @nn.layer(c=counting)
    def net(my, x):
        return jax.vmap(lambda key: my.c(x, key=key))(jax.random.split(my.key(), 2))

    with pytest.raises(nn.LayerError, match="^c/n: updates state under a JAX transform"):
        net.init(KEY, X)


def test_state_may_be_read_under_a_transform():
    @nn.layer
    def reads(my, x):
        return x + my.state("s", (), init.ones)

    net = under("scan", reads)
    params, state = net.init(KEY, X)
    np.testing.assert_array_equal(net.apply(params, state, X)[0], X + 2)


def test_batch_norm_predicts_under_a_transform_and_does_not_train_there():
    net = under("vmap", nn.batch_norm())
    with pytest.raises(nn.LayerError, match="^outer/part/(mean|var): updates state under a JAX transform"):
        net.init(KEY, X)
    state = {"outer": {"part": {"mean": jnp.ones(3), "var": jnp.ones(3)}}}
    params = {"outer": {"part": {"scale": jnp.ones(3), "bias": jnp.zeros(3)}}}
    np.testing.assert_allclose(net.apply(params, state, X)[0], X - 1, rtol=1e-4)


def test_our_combinators_work_inside_each_other_with_keys_and_state():
    @nn.layer(n=noisy, c=counting)
    def both(my, x):
        return my.c(my.n(x))

    net = nn.repeat(2, nn.remat(nn.map(nn.residual(nn.repeat(3, both)))))
    params, state = net.init(KEY, jnp.stack([X, X]))
    assert state["c"]["n"].shape == (2, 3)
    ys, state = net.apply(params, state, jnp.stack([X, X]), key=KEY)
    assert ys.shape == (2, 3) and len(np.unique(ys)) == 6
    np.testing.assert_array_equal(state["c"]["n"], jnp.ones((2, 3)))


def test_a_whole_pass_works_under_every_transform():
    net = nn.chain(nn.dense(3), nn.repeat(2, noisy))
    params, state = net.init(KEY, X)
    for apply in TRANSFORMS.values():
        assert apply(lambda x: net.apply(params, state, x, key=KEY)[0], X).shape == (3,)
