"""State is a tree of its own, updated in every kind of pass (design rule 3)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jdl import nn
from jdl.nn import init

KEY = jax.random.key(0)
XS = jnp.asarray(np.random.default_rng(0).normal(size=(8, 3)), jnp.float32)


@nn.layer
def count(my, x):
    """Keep the batch mean of the inputs seen, decayed, and the number of uses."""
    mean, uses = my.state("mean", x.shape, init.zeros), my.state("uses", (), init.zeros, jnp.int32)
    my.update(mean=(mean + my.batch_mean(x)) / 2, uses=uses + 1)
    return x + mean


def close(a, b, tolerance=1e-6):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance), a, b)


def one(tree, i):
    return jax.tree.map(lambda leaf: leaf[i], tree)


def test_state_is_apart_from_parameters_and_empty_without_any():
    params, state = nn.chain(nn.dense(2), count).init(KEY, XS[0])
    assert list(params) == ["dense"] and list(state) == ["count"]
    assert state["count"]["uses"].dtype == jnp.int32
    assert nn.dense(2).init(KEY, XS[0])[1] == {}


def test_an_update_is_read_by_the_next_use_and_by_the_next_step():
    @nn.layer(c=count)
    def twice(my, x):
        return my.c(my.c(x))

    params, state = twice.init(KEY, XS[0])
    assert state["c"]["uses"] == 0  # the trace of init leaves the initial state
    m = XS.mean(0)
    ys, state = nn.batched(twice)(params, state, XS, key=KEY)
    close(ys, XS + m / 2)
    close(state, {"c": {"mean": (m / 2 + m) / 2, "uses": jnp.int32(2)}})
    _, state = nn.batched(twice)(params, state, XS, key=KEY)
    assert state["c"]["uses"] == 4


@pytest.mark.parametrize(
    ("wrap", "uses"),
    [(nn.remat, 2), (lambda part: nn.repeat(2, part), [2, 2]), (lambda part: nn.ensemble(part, 1), [2])],
)
def test_a_wrapped_part_used_twice_reads_its_own_update(wrap, uses):
    @nn.layer(c=wrap(nn.remat(nn.chain(count))))
    def twice(my, x):
        my.c(x)
        return my.c(x)

    net = nn.repeat(1, nn.chain(twice, jnp.ravel))  # one more level: paths begin below the root
    params, state = net.init(KEY, XS[0])
    _, state = nn.batched(net)(params, state, XS, key=KEY)
    assert state["twice"]["c"]["count"]["uses"][0].tolist() == uses


def test_an_update_leaves_the_given_state_as_it_is():
    net = nn.chain(nn.dense(3), count)
    params, state = net.init(KEY, XS[0])
    _, new = nn.batched(net)(params, state, XS, key=KEY)
    assert not state["count"]["mean"].any() and new["count"]["mean"].any()


def test_vmap_over_members_equals_separate_passes():
    net = nn.chain(nn.dense(3), nn.batch_norm())
    keys = jax.random.split(KEY, 2)
    params, state = jax.vmap(lambda key: net.init(key, XS[0]))(keys)
    step = jax.jit(lambda params, state, xs, key: nn.batched(net)(params, state, xs, key=key))
    together = jax.vmap(step, in_axes=(0, 0, None, 0))(params, state, XS, keys)
    for i in range(2):
        close(one(together, i), step(one(params, i), one(state, i), XS, keys[i]), 1e-5)


def test_gradient_accumulation_carries_the_state_from_part_to_part():
    net = nn.chain(nn.dense(3), count)
    params, state = net.init(KEY, XS[0])
    parts = XS.reshape(2, 4, 3)

    def gradient(state, xs):
        def loss(params):
            ys, new = nn.batched(net)(params, state, xs, key=KEY)
            return jnp.mean(ys**2), new

        slope, new = jax.grad(loss, has_aux=True)(params)
        return new, slope

    last, slopes = jax.lax.scan(gradient, state, parts)
    between, first = gradient(state, parts[0])
    close(last, gradient(between, parts[1])[0])
    close(one(slopes, 0), first)
    assert last["count"]["uses"] == 2


def train_step(net, params, state, xs, weight):
    def loss(params):
        ys, new = nn.batched(net)(params, state, xs, key=KEY, weight=weight)
        return jnp.sum(weight * jnp.sum(ys**2, -1)) / jnp.sum(weight), new

    return jax.value_and_grad(loss, has_aux=True)(params)


def test_a_batch_spread_over_four_devices_gives_the_same_state_and_gradient():
    net = nn.chain(nn.dense(3), nn.batch_norm(), nn.dropout(0.5), nn.dense(2))
    params, state = net.init(KEY, XS[0])
    weight = jnp.array([1.0, 2, 0, 1, 1, 1, 0, 0])
    step = jax.jit(lambda *given: train_step(net, *given))
    mesh = Mesh(jax.devices()[:4], ("data",))
    assert mesh.size == 4
    xs, spread = jax.device_put((XS, weight), NamedSharding(mesh, P("data")))
    close(step(params, state, XS, weight), step(params, state, xs, spread), 1e-5)


def test_shard_map_names_the_axes_that_make_up_the_batch():
    net = nn.chain(nn.dense(3), nn.batch_norm(), nn.dropout(0.5))
    params, state = net.init(KEY, XS[0])
    weight = jnp.array([1.0, 2, 0, 1, 1, 1, 0, 0])  # the last device has no weight at all
    mesh = Mesh(jax.devices()[:4], ("data",))

    def part(xs, weight):
        return nn.batched(net, across=("data",))(params, state, xs, key=KEY, weight=weight)

    specs = {"in_specs": P("data"), "out_specs": (P("data"), P())}
    spread = jax.shard_map(part, mesh=mesh, **specs, check_vma=False)
    ys, new = jax.jit(spread)(XS, weight)
    whole, expected = nn.batched(net)(params, state, XS, key=KEY, weight=weight)
    close((ys[weight > 0], new), (whole[weight > 0], expected), 1e-5)


def test_repeat_keeps_a_state_for_each_block():
    net = nn.repeat(3, nn.chain(nn.dense(3), count))
    params, state = net.init(KEY, XS[0])
    assert state["count"]["mean"].shape == (3, 3) and state["count"]["uses"].shape == (3,)
    ys, new = nn.batched(net)(params, state, XS, key=KEY)
    block, x = nn.chain(nn.dense(3), count), XS
    for i in range(3):
        x, expected = nn.batched(block)(one(params, i), one(state, i), x, key=KEY)
        close(one(new, i), expected, 1e-5)
    close(ys, x, 1e-5)


def test_remat_changes_neither_state_nor_outputs():
    plain = nn.chain(nn.dense(3), count, nn.dense(2))
    params, state = plain.init(KEY, XS[0])
    close(nn.remat(plain).init(KEY, XS[0]), (params, state))
    given = (params, state, XS, jnp.ones(8))
    close(train_step(nn.remat(plain), *given), train_step(plain, *given), 1e-5)


def test_map_averages_the_state_over_its_axis():
    net = nn.map(count)
    sequences = XS.reshape(2, 4, 3)
    params, state = net.init(KEY, sequences[0])
    ys, new = nn.batched(net)(params, state, sequences, key=KEY)
    close(new, {"mean": XS.mean(0) / 2, "uses": jnp.int32(1)})
    assert new["uses"].dtype == jnp.int32 and ys.shape == sequences.shape


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda part: part, "head/last"),
        (nn.residual, "head/last"),
        (nn.remat, "head/last"),
        (lambda part: nn.repeat(2, part), "head/last"),
        (lambda part: nn.chain(inner=part), "head/inner/last"),
    ],
)
def test_state_that_differs_between_examples_is_an_error_naming_the_entry(wrap, path):
    @nn.layer
    def leak(my, x):
        my.state("last", x.shape, init.zeros)
        my.update(last=x)
        return x

    net = nn.chain(count, head=wrap(leak))
    params, state = net.init(KEY, XS[0])
    with pytest.raises(nn.LayerError, match=rf"^{path}: state differs between examples.*my\.batch_mean"):
        nn.batched(net)(params, state, XS, key=KEY)


def test_an_update_keeps_its_entrys_shape_and_dtype():
    def setting(value, dtype=jnp.float32):
        @nn.layer
        def bad(my, x):
            my.state("s", (3,), init.zeros, dtype)
            my.update(s=value)
            return x

        return nn.chain(bad).init(KEY, XS[0])[1]["bad"]["s"].dtype

    assert setting(jnp.ones(3, jnp.bfloat16)) == jnp.float32
    assert setting(jnp.ones(3, int), jnp.int32) == jnp.int32
    with pytest.raises(nn.LayerError, match=r"^bad/s: has shape \(2,\), needs \(3,\)"):
        setting(jnp.ones(2))
    with pytest.raises(nn.LayerError, match="^bad/s: updated with float32, needs int32"):
        setting(jnp.ones(3), jnp.int32)


def test_an_update_of_what_is_no_state_is_an_error():
    @nn.layer
    def bad(my, x):
        my.update(s=x)
        return x

    with pytest.raises(nn.LayerError, match=r"^bad/s: updated, but not asked for with my\.state"):
        nn.chain(bad).init(KEY, XS[0])


def test_a_network_with_state_does_not_run_without_it():
    net = nn.chain(nn.dense(3), nn.batch_norm())
    params, state = net.init(KEY, XS[0])
    needs = r"^batch_norm/mean: the network holds state; call net\.apply\(params, state, x\)"
    with pytest.raises(nn.LayerError, match=needs):
        net(params, XS[0])
    assert net.apply(params, state, XS[0])[0].shape == (3,)


def test_batch_statistics_need_the_batch_axis():
    net = nn.chain(nn.dense(3), nn.batch_norm())
    params, state = net.init(KEY, XS[0])
    needs = r"^batch_norm: needs the batch axis in a stochastic pass; run .* nn\.batched\(net\)"
    with pytest.raises(nn.LayerError, match=needs):
        net.apply(params, state, XS[0], key=KEY)
