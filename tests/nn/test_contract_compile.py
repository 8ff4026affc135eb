"""Tracing, compiling, and hyper-parameters that are traced (design rules 6, 8 and 9)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params
from jax.test_util import check_grads

from jdl import nn
from jdl.nn import init

KEY = jax.random.key(0)
X = jnp.array([0.5, -1.0, 2.0, 0.25])
XS = jnp.asarray(np.random.default_rng(0).normal(size=(5, 4)), jnp.float32)


def block():
    return nn.residual(nn.chain(nn.layer_norm(), nn.dense(4), nn.batch_norm(), jnp.tanh, nn.dropout(0.1)))


def equations(jaxpr):
    inner = [sub for equation in jaxpr.eqns for sub in jaxprs_in_params(equation.params)]
    return len(jaxpr.eqns) + sum(map(equations, inner))


def test_a_deep_repeat_has_as_many_equations_as_a_shallow_one():
    def count(depth, differentiate):
        net = nn.repeat(depth, block())
        params, state = jax.eval_shape(lambda: net.init(KEY, X))

        def loss(params, state, xs):
            ys, state = nn.batched(net)(params, state, xs, key=KEY)
            return jnp.sum(ys**2), state

        run = jax.grad(loss, has_aux=True) if differentiate else loss
        return equations(jax.make_jaxpr(run)(params, state, XS).jaxpr)

    for differentiate in (False, True):
        assert count(12, differentiate) == count(48, differentiate) > 30
    begin = [jax.make_jaxpr(lambda n=n: nn.repeat(n, block()).init(KEY, X))() for n in (12, 48)]
    assert equations(begin[0].jaxpr) == equations(begin[1].jaxpr)


@nn.constructor
def model(width, rate):
    return nn.chain(nn.dense(width), nn.dropout(rate), nn.repeat(2, nn.residual(nn.dense(width))))


def test_a_rebuilt_model_is_not_traced_again():
    traces = []

    def run(net, params, x):
        traces.append(net)
        return net(params, x)

    run = jax.jit(run, static_argnums=0)
    params, _ = model(4, 0.5).init(KEY, X)
    for _ in range(3):
        run(model(4, 0.5), params, X)
    assert len(traces) == 1
    run(model(4, 0.25), params, X)
    assert len(traces) == 2


def test_a_pass_leaks_no_tracer():
    part = nn.chain(nn.dense(4), nn.batch_norm(), nn.dropout(0.5))
    net = nn.with_losses(nn.intermediates(nn.repeat(2, nn.remat(part))))
    with jax.checking_leaks():
        params, state = net.init(KEY, X)
        run = jax.jit(lambda params, state: nn.batched(net)(params, state, XS, key=KEY, weight=jnp.ones(5)))
        run(params, state)
        nn.summary(net, X)


def test_a_traced_rate_leaks_no_tracer():
    def run(rate, spread):
        net = nn.chain(nn.dense(2, init=init.normal(spread)), nn.dropout(rate))
        params, state = net.init(KEY, X)
        return net.apply(params, state, X, key=KEY)[0]

    with jax.checking_leaks():
        jax.jit(run)(0.5, 1.0)


def test_no_key_is_used_twice():
    net = nn.chain(
        nn.repeat(2, nn.chain(nn.dropout(0.5), nn.remat(nn.dropout(0.5)))), nn.map(nn.dropout(0.1))
    )
    with jax.debug_key_reuse(True):
        root, key = jax.random.split(jax.random.key(1))
        params, state = net.init(root, X)
        jax.jit(nn.batched(net))(params, state, XS, key=key, weight=jnp.ones(5))


def test_hyper_parameters_may_be_traced():
    def run(rate, momentum):
        net = nn.chain(nn.dropout(rate), nn.batch_norm(momentum=momentum), nn.repeat(2, nn.dropout(rate)))
        params, state = net.init(KEY, X)
        return nn.batched(net)(params, state, XS, key=KEY)

    rates, momenta = jnp.array([0.0, 0.5]), jnp.array([0.9, 0.5])
    together = jax.jit(jax.vmap(run))(rates, momenta)
    close = lambda a, b: np.testing.assert_allclose(a[1], b, rtol=1e-5, atol=1e-6)
    jax.tree.map(close, together, jax.jit(run)(rates[1], momenta[1]))
    jax.tree.map(close, together, jax.jit(lambda: run(0.5, 0.5))())
    assert jnp.count_nonzero(together[0][0]) == XS.size > jnp.count_nonzero(together[0][1])
    slope = jax.jit(jax.grad(lambda momentum: jnp.sum(run(0.1, momentum)[1]["batch_norm"]["mean"])))(0.9)
    assert jnp.isfinite(slope) and slope != 0


def test_vmap_over_parameters_is_an_ensemble():
    net = nn.chain(nn.dense(4), jnp.tanh, nn.repeat(2, nn.dense(4)))
    params, _ = jax.vmap(lambda key: net.init(key, X))(jax.random.split(KEY, 3))
    ys = jax.vmap(net, in_axes=(0, None))(params, X)
    for i in range(3):
        alone = net(jax.tree.map(lambda leaf, i=i: leaf[i], params), X)
        np.testing.assert_allclose(ys[i], alone, rtol=1e-5)
    assert len(np.unique(ys)) == ys.size


SMOOTH = nn.chain(nn.layer_norm(), nn.dense(4), jnp.tanh)


@pytest.mark.parametrize(
    "net",
    [
        nn.repeat(3, nn.residual(SMOOTH), unroll=2),
        nn.remat(SMOOTH, policy="dots"),
        nn.chain(lambda x: jnp.stack([x, 2 * x]), nn.map(SMOOTH)),
        nn.repeat(2, nn.remat(nn.residual(SMOOTH))),
        nn.ensemble(SMOOTH, 2),
    ],
    ids=repr,
)
def test_gradients_are_right_through_combinators(net):
    params, _ = net.init(KEY, X)
    loss = jax.jit(lambda params, x: jnp.sum(jnp.sin(net(params, x))))
    check_grads(loss, (params, X), order=1, modes=["fwd", "rev"], atol=2e-2, rtol=2e-2, eps=1e-2)


def test_gradients_through_repeat_equal_those_of_the_blocks_in_a_row():
    net = nn.repeat(3, nn.residual(SMOOTH))
    params, _ = net.init(KEY, X)

    def in_a_row(params):
        x = X
        for i in range(3):
            x = nn.residual(SMOOTH)(jax.tree.map(lambda leaf, i=i: leaf[i], params), x)
        return jnp.sum(jnp.sin(x))

    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    scanned = jax.grad(lambda params: jnp.sum(jnp.sin(net(params, X))))
    jax.tree.map(close, jax.jit(scanned)(params), jax.jit(jax.grad(in_a_row))(params))
