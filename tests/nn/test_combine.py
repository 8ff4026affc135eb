"""Combinators in the pass itself, and those under a transform: what each computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from jdl.nn import init

KEY = jax.random.key(0)
X = jnp.array([0.5, -1.0, 2.0])
close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def one(tree, i):
    return jax.tree.map(lambda leaf: leaf[i], tree)


def test_residual_adds_the_input_and_needs_its_shape():
    net = nn.residual(nn.dense(3))
    params, _ = net.init(KEY, X)
    close(net(params, X), X + nn.dense(3)(params, X))
    with pytest.raises(nn.LayerError, match=r"^r: a residual part must keep .*; found \(2,\), needs \(3,\)"):
        nn.chain(r=nn.residual(nn.dense(2))).init(KEY, X)


def test_parallel_gives_a_tuple_in_order():
    net = nn.parallel(jnp.sum, nn.dense(2), twice=lambda x: 2 * x)
    params, _ = net.init(KEY, X)
    total, dense, twice = net(params, X)
    assert dense.shape == (2,) and total == X.sum()
    close(twice, 2 * X)


def test_repeat_equals_the_blocks_in_a_row():
    block = nn.residual(nn.chain(nn.dense(3), jnp.tanh))
    for unroll in (1, 2, 4):
        net = nn.repeat(4, block, unroll=unroll)
        params, _ = net.init(KEY, X)
        x = X
        for i in range(4):
            x = block(one(params, i), x)
        close(net(params, X), x)


def test_repeat_broadcasts_further_inputs():
    @nn.layer(d=nn.dense(3))
    def block(my, x, context):
        return my.d(x) + context

    net = nn.repeat(2, block)
    params, _ = net.init(KEY, X, X)
    inner = lambda i, x: nn.dense(3)(one(params["d"], i), x) + X
    close(net(params, X, X), inner(1, inner(0, X)))


def test_a_repeated_block_must_keep_shape_and_dtype():
    net = nn.chain(deep=nn.repeat(2, nn.dense(2)))
    with pytest.raises(
        nn.LayerError, match=r"^deep: a repeated block must give back .*\(2,\).* needs .*\(3,\)"
    ):
        net.init(KEY, X)
    half = nn.chain(deep=nn.repeat(2, lambda x: x.astype(jnp.bfloat16)))
    with pytest.raises(nn.LayerError, match="^deep: a repeated block .*bfloat16.* needs .*float32"):
        half.init(KEY, X)


@pytest.mark.parametrize("n", [0, -1, 2.0])
def test_a_number_of_blocks_or_members_is_at_least_one(n):
    with pytest.raises(nn.LayerError, match=f"^repeat: found n = {n}, needs a number of at least 1"):
        nn.repeat(n, nn.dense(3))
    with pytest.raises(nn.LayerError, match=f"^ensemble: found n = {n}, needs"):
        nn.ensemble(nn.dense(3), n)


@pytest.mark.parametrize("policy", ["nothing", "dots", "dots_no_batch", "everything"])
def test_remat_keeps_values_and_gradients(policy):
    plain = nn.chain(nn.dense(4), jnp.tanh, nn.dropout(0.5), nn.dense(2))
    net = nn.remat(plain, policy)
    params, state = net.init(KEY, X)
    loss = lambda net: lambda params: jnp.sum(net.apply(params, state, X, key=KEY)[0] ** 2)
    assert jnp.isfinite(loss(net)(params))
    if policy == "nothing":  # the key of a branch is its own, so only a deterministic pass is the same
        same = lambda net: jax.grad(lambda params: jnp.sum(net(params, X) ** 2))(params)
        jax.tree.map(close, same(net), same(plain))


def test_remat_recomputes_in_the_backward_pass():
    count = lambda net, params: str(jax.make_jaxpr(jax.grad(lambda p: net(p, X).sum()))(params)).count(
        " = tanh"
    )
    net = nn.chain(nn.dense(3), jnp.tanh, nn.dense(1))
    params, _ = net.init(KEY, X)
    assert (count(net, params), count(nn.remat(net), params), count(nn.remat(net, "everything"), params)) == (
        1,
        2,
        1,
    )


def test_an_unknown_policy_is_an_error():
    with pytest.raises(
        nn.LayerError, match="^remat: unknown policy 'some'; choose one of .*'dots', .*'nothing'"
    ):
        nn.remat(nn.dense(3), "some")


def test_map_shares_parameters_and_needs_one_length():
    net = nn.map(nn.chain(nn.dense(2), jnp.tanh))
    rows = jnp.stack([X, 2 * X])
    params, _ = net.init(KEY, rows)
    close(net(params, rows), jax.vmap(lambda x: nn.chain(nn.dense(2), jnp.tanh)(params, x))(rows))
    add = nn.chain(pair=nn.map(jnp.add))
    with pytest.raises(nn.LayerError, match=r"^pair: needs one common leading axis; .*\(2,\).*\(3,\)"):
        add({}, rows, jnp.zeros((3, 3)))


@nn.layer
def noisy(my, x):
    n = my.state("n", (), init.zeros)
    if my.stochastic:
        my.update(n=n + 1)
    return x if my.key() is None else x + jax.random.normal(my.key(), x.shape)


def test_ensemble_members_have_their_own_parameters_state_and_keys():
    part = nn.chain(nn.dense(2), noisy)
    net = nn.ensemble(part, 3)
    params, state = net.init(KEY, X)
    assert params["dense"]["w"].shape == (3, 3, 2) and state["noisy"]["n"].shape == (3,)
    still, _ = net.apply(params, state, X)
    close(still, jnp.stack([part.apply(one(params, i), one(state, i), X)[0] for i in range(3)]))
    moved, new = net.apply(params, state, X, key=KEY)
    assert len(np.unique(np.round(moved - still, 5))) == 6
    assert new["noisy"]["n"].tolist() == [1, 1, 1]
    ys, new = nn.batched(nn.ensemble(nn.batch_norm(), 3))(
        {"scale": jnp.ones((3, 3)), "bias": jnp.zeros((3, 3))},
        {"mean": jnp.zeros((3, 3)), "var": jnp.ones((3, 3))},
        jnp.stack([X, 2 * X]),
        key=KEY,
    )
    assert ys.shape == (2, 3, 3) and new["mean"].shape == (3, 3)


def test_without_key_freezes_one_part():
    net = nn.chain(nn.without_key(noisy), noisy)
    params, state = net.init(KEY, X)
    ys, new = net.apply(params, state, X, key=KEY)
    assert new["without_key"]["n"] == 0 and new["noisy"]["n"] == 1
    assert not jnp.array_equal(ys, X)


def test_cast_computes_in_its_dtype_and_keeps_float32_outside():
    seen = {}

    @nn.layer
    def look(my, x, tokens, *, mask):
        w, exact = my.param("w", (3, 3), init.normal()), my.param("e", (3,), init.ones, jnp.float32)
        held = my.state("s", (3,), init.ones)
        seen.update(
            x=x.dtype, w=w.dtype, exact=exact.dtype, held=held.dtype, tokens=tokens.dtype, mask=mask.dtype
        )
        return x @ w, tokens

    net = nn.cast(look, jnp.bfloat16)
    tokens, mask = jnp.arange(3), jnp.ones(3, bool)
    params, state = net.init(KEY, X, tokens, mask=mask)
    assert {leaf.dtype for leaf in jax.tree.leaves((params, state))} == {jnp.dtype("float32")}
    (y, same), _ = net.apply(params, state, X, tokens, mask=mask)
    assert seen == {
        "x": jnp.bfloat16, "w": jnp.bfloat16, "exact": jnp.float32, "held": jnp.float32,
        "tokens": jnp.int32, "mask": jnp.bool_,
    }  # fmt: skip
    assert y.dtype == jnp.float32 and same.dtype == jnp.int32
    gradient = jax.grad(lambda params: net.apply(params, state, X, tokens, mask=mask)[0][0].sum())(params)
    assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype("float32")}


def dot_dtypes(net, *inputs):
    params, state = jax.eval_shape(lambda: net.init(KEY, *inputs))
    jaxpr = jax.make_jaxpr(lambda p, s, *xs: net.apply(p, s, *xs)[0])(params, state, *inputs)
    lines = [line for line in str(jaxpr).splitlines() if "dot_general" in line]
    return {line.split("=")[0].split(":")[1].split("[")[0] for line in lines}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda net: nn.cast(net),
        lambda net: nn.cast(nn.repeat(2, net)),
        lambda net: nn.cast(nn.remat(net)),
        lambda net: nn.cast(nn.freeze(net)),
        lambda net: nn.cast(nn.freeze(nn.repeat(2, net))),
        lambda net: nn.freeze(nn.cast(net)),
        lambda net: nn.cast(nn.chain(nn.cast(nn.dense(3), jnp.bfloat16), net)),
        lambda net: nn.cast(nn.ensemble(net, 2)),
    ],
)
def test_every_product_under_cast_is_in_the_compute_dtype(wrap):
    net = wrap(nn.chain(nn.dense(3), nn.layer_norm(), nn.dense(3)))
    assert dot_dtypes(net, X) == {"bf16"}


def test_the_inner_cast_wins_and_gives_back_the_outer_dtype():
    seen = []
    look = lambda x: seen.append(x.dtype) or x
    net = nn.cast(nn.chain(look, nn.cast(nn.chain(look), jnp.float16), look), jnp.bfloat16)
    assert net({}, X).dtype == jnp.float32
    assert seen == [jnp.bfloat16, jnp.float16, jnp.bfloat16]
    seen.clear()
    exact = nn.cast(nn.chain(nn.dense(3), nn.cast(look, jnp.float32)), "bfloat16")
    exact(exact.init(KEY, X)[0], X)
    assert seen[-1] == jnp.float32


def test_norms_and_softmax_compute_in_float32_under_cast():
    wide = 1000.0 + jnp.arange(8.0)
    net = nn.cast(nn.layer_norm())
    params, _ = net.init(KEY, wide)
    exact = nn.layer_norm()(params, wide.astype(jnp.bfloat16).astype(jnp.float32))
    np.testing.assert_allclose(net(params, wide), exact, rtol=1e-2)
    jaxpr = str(jax.make_jaxpr(lambda p, x: net(p, x))(params, wide))
    assert "rsqrt" in jaxpr and not [
        line for line in jaxpr.splitlines() if "rsqrt" in line and "bf16" in line
    ]
    attend = nn.cast(nn.attention(1))
    lines = str(
        jax.make_jaxpr(lambda k, x: attend(attend.init(k, x)[0], x))(KEY, jnp.ones((2, 4)))
    ).splitlines()
    assert not [line for line in lines if " exp " in line and "bf16" in line]
