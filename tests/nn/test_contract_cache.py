"""The decoding cache: what a layer keeps of the positions before, per example and never state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn


@nn.layer
def running_sum(my, x):
    """Add up the positions so far: a layer whose whole pass has an obvious cache."""
    before = my.cache("total", x.shape[1:], nn.init.zeros)
    total = jnp.cumsum(x, axis=0) if before is None else before + jnp.cumsum(x, axis=0)
    my.store(total=total[-1])
    return total * my.param("scale", x.shape[1:], nn.init.normal(1.0))


X = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)), jnp.float32)
KEY = jax.random.key(0)


def by_pieces(net, params, state, x, cache, cuts=(2, 3, 4)):
    outputs = []
    for piece in jnp.split(x, cuts):
        (y, cache), state = net.apply(params, state, piece, cache=cache)
        outputs.append(y)
    return jnp.concatenate(outputs), cache


NETWORKS = {
    "alone": running_sum,
    "chain": nn.chain(nn.dense(3), running_sum, jnp.tanh, running_sum),
    "repeat": nn.repeat(3, nn.residual(running_sum)),
    "remat": nn.chain(nn.remat(running_sum), head=nn.repeat(2, nn.remat(running_sum))),
    "without_key": nn.without_key(nn.intermediates(running_sum)),
    "ensemble": nn.chain(running_sum, nn.ensemble(running_sum, 2), lambda y: y[0] - y[1]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_pieces_with_a_cache_equal_the_whole(name):
    net = NETWORKS[name]
    params, state = net.init(KEY, X)
    whole = net(params, X)
    cache = net.init_cache(jax.ShapeDtypeStruct(X.shape, X.dtype))
    if name == "without_key":  # its outputs are a pair
        (pieces, _), _ = net.apply(params, state, X[:2], cache=cache)
        np.testing.assert_allclose(pieces[0], whole[0][:2], rtol=1e-5)
        return
    pieces, after = by_pieces(net, params, state, X, cache)
    np.testing.assert_allclose(pieces, whole, rtol=1e-4, atol=1e-5)
    assert jax.tree.structure(after) == jax.tree.structure(cache)
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(cache)), "the caller's cache was changed"
    called, _ = net(params, X[:2], cache=cache)
    np.testing.assert_allclose(called, whole[:2], rtol=1e-5)


def test_a_repeated_cache_is_stacked_and_params_know_nothing_of_it():
    net = NETWORKS["repeat"]
    cache = net.init_cache(X)
    assert jax.tree.map(jnp.shape, cache) == {"total": (3, 3)}
    params, state = net.init(KEY, X)
    assert set(params) == {"scale"}
    assert state == {}
    assert set(net.specs(X)) == {"params", "state"}


def test_every_example_has_its_own_cache():
    net = NETWORKS["chain"]
    params, state = net.init(KEY, X)
    xs = jnp.stack([X, 2 * X])
    caches = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), net.init_cache(X))
    run = jax.jit(nn.batched(net))
    outputs = []
    for i in range(len(X)):
        (ys, caches), _ = run(params, state, xs[:, i : i + 1], cache=caches)
        outputs.append(ys)
    np.testing.assert_allclose(jnp.concatenate(outputs, 1), run(params, state, xs)[0], rtol=1e-4, atol=1e-5)


def test_using_a_part_twice_reads_what_the_first_use_stored():
    @nn.layer(sum=running_sum)
    def twice(my, x):
        return my.sum(x) + my.sum(x)

    cache = twice.init_cache(X)
    params, _ = twice.init(KEY, X)
    y, cache = twice(params, X[:1], cache=cache)
    np.testing.assert_allclose(y, 3 * X[:1] * params["sum"]["scale"], rtol=1e-5)
    np.testing.assert_allclose(cache["sum"]["total"], 2 * X[0], rtol=1e-6)


def test_errors_say_where_and_what():
    params, state = running_sum.init(KEY, X)
    with pytest.raises(ValueError, match="total: missing in cache.*init_cache"):
        running_sum.apply(params, state, X, cache={})

    @nn.layer
    def stores_only(my, x):
        my.store(y=x)
        return x

    with pytest.raises(ValueError, match="y: stored, but not asked for with my.cache"):
        stores_only.apply({}, {}, X, cache={"y": X})

    @nn.layer
    def wrong_shape(my, x):
        my.cache("y", (3,), nn.init.zeros)
        my.store(y=x)
        return x

    with pytest.raises(ValueError, match=r"y: has shape \(5, 3\), needs \(3,\)"):
        wrong_shape.apply({}, {}, X, cache=wrong_shape.init_cache(X))

    mapped = nn.map(running_sum)
    xs = X[None]
    with pytest.raises(ValueError, match="total: stores into a cache inside nn.map"):
        mapped.apply(mapped.init(KEY, xs)[0], {}, xs, cache=mapped.init_cache(xs))

    @nn.layer(sum=running_sum)
    def under_scan(my, x):
        return jax.lax.map(lambda row: my.sum(row[None])[0], x)

    with pytest.raises(ValueError, match="sum/total: stores into the cache under a JAX transform"):
        under_scan.apply({"sum": params}, {}, X, cache={"sum": running_sum.init_cache(X)})
