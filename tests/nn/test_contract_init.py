"""Initialising is one abstract trace of the training pass, whatever the nesting (design rule 5)."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from jdl.nn import init

KEY = jax.random.key(0)
X = jnp.arange(3.0)
WRAPS = {
    "chain": lambda part: nn.chain(jnp.abs, part),
    "layer": lambda part: nn.layer(inner=part)(lambda my, x: my.inner(x)),
    "residual": nn.residual,
    "parallel": lambda part: nn.chain(nn.parallel(part), lambda ys: ys[0]),
    "repeat": lambda part: nn.repeat(3, part),
    "remat": nn.remat,
    "map": lambda part: nn.chain(lambda x: x[None], nn.map(part), lambda x: x[0]),
    "ensemble": lambda part: nn.chain(nn.ensemble(part, 2), lambda ys: ys[0]),
    "cast": lambda part: nn.cast(part, jnp.float32),
    "freeze": nn.freeze,
    "lora": lambda part: nn.lora(part, 1),
    "without_key": nn.without_key,
    "intermediates": lambda part: nn.chain(nn.intermediates(part), lambda both: both[0]),
    "with_losses": lambda part: nn.chain(nn.with_losses(part), lambda both: both[0]),
}


def counted():
    calls: Counter = Counter()

    @nn.layer
    def net(my, x):
        calls["net"] += 1
        return x @ my.param("w", (3, 3), init.normal())

    return net, calls


@pytest.mark.parametrize("inner", WRAPS)
@pytest.mark.parametrize("outer", ["chain", "residual", "repeat", "remat", "map", "ensemble"])
def test_a_layers_function_runs_once_however_deep_it_lies(outer, inner):
    part, calls = counted()
    net = WRAPS[outer](WRAPS["repeat"](WRAPS[inner](part)))
    net.specs(X)
    assert calls["net"] == 1


def test_init_itself_runs_it_once():
    part, calls = counted()
    params, _ = nn.repeat(2, nn.remat(nn.residual(part))).init(KEY, X)
    assert calls["net"] == 1 and params["w"].shape == (2, 3, 3)


def test_init_sees_the_training_pass_of_one_example_under_a_batch_axis_of_one():
    seen = []

    @nn.layer
    def look(my, x):
        seen.append((my.stochastic, x.shape, jax.lax.axis_size("batch"), isinstance(x, jax.core.Tracer)))
        return x

    look.init(KEY, X)
    assert seen == [(True, (3,), 1, True)]


def test_init_takes_shapes_and_specs_allocate_nothing():
    huge = jax.ShapeDtypeStruct((10**9,), jnp.float32)
    net = nn.chain(nn.dense(10**9), nn.repeat(10**6, nn.dense(10**9)), nn.batch_norm())
    specs = net.specs(huge)
    assert specs["params"]["repeat/w"].shape == (10**6, 10**9, 10**9)
    assert specs["state"]["batch_norm/mean"].shape == (10**9,)
    small = jax.ShapeDtypeStruct((3,), jnp.float32)
    arrays, shapes = nn.dense(2).init(KEY, X), nn.dense(2).init(KEY, small)
    jax.tree.map(np.testing.assert_array_equal, arrays, shapes)


def test_init_under_jit_and_vmap_equals_init():
    net = nn.chain(nn.dense(2), nn.repeat(2, nn.dense(2)), nn.batch_norm())
    plain = net.init(KEY, X)
    compiled = jax.jit(net.init)(KEY, X)
    members = jax.vmap(net.init, in_axes=(0, None))(KEY[None], X)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6)
    jax.tree.map(close, plain, compiled)
    jax.tree.map(lambda a, b: close(a, b[0]), plain, members)


def test_block_and_member_i_begin_from_fold_in():
    for net in (nn.repeat(3, nn.dense(3)), nn.ensemble(nn.dense(3), 3)):
        params, _ = net.init(KEY, X)
        one = nn.repeat(1, nn.dense(3)).init(KEY, X)[0]
        np.testing.assert_array_equal(params["w"][:1], one["w"])  # block 0 does not depend on their number
        assert len({np.asarray(w).tobytes() for w in params["w"]}) == 3


def test_an_initializer_may_hold_a_traced_value():
    @jax.jit
    def begin(spread):
        return nn.repeat(2, nn.dense(3, init=init.normal(spread))).init(KEY, X)[0]

    np.testing.assert_allclose(begin(2.0)["w"], 2 * begin(1.0)["w"], rtol=1e-6)
    several = jax.vmap(begin)(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(several["w"][1], begin(2.0)["w"], rtol=1e-6)


def test_an_initializer_may_hold_an_array_and_must_keep_to_the_shape():
    table = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    params, _ = nn.dense(2, init=lambda key, shape, dtype: jnp.asarray(table, dtype)).init(KEY, X)
    np.testing.assert_array_equal(params["w"], table)
    with pytest.raises(nn.LayerError, match=r"^w: has shape \(3, 2\), needs \(3, 4\)"):
        nn.dense(4, init=lambda key, shape, dtype: jnp.asarray(table, dtype)).init(KEY, X)


def test_a_parameter_of_another_shape_is_named():
    net = nn.chain(mlp=nn.chain(nn.dense(3), nn.dense(3)), deep=nn.repeat(2, nn.chain(nn.dense(3))))
    params, _ = net.init(KEY, X)
    params["mlp"]["dense_1"]["w"] = jnp.zeros((5, 64))
    with pytest.raises(nn.LayerError, match=r"^mlp/dense_1/w: has shape \(5, 64\), needs \(3, 3\)"):
        net(params, X)


@pytest.mark.parametrize(
    ("wrap", "wrong", "message"),
    [
        ("repeat", (2, 4, 3), r"^deep/dense/w: has shape \(2, 4, 3\), needs \(3, 4, 3\)"),
        ("repeat", (3, 5, 3), r"^deep/dense/w: has shape \(5, 3\), needs \(3, 3\)"),
        ("ensemble", (2, 4, 3), r"^deep/dense/w: has shape \(2, 4, 3\), needs \(3, 4, 3\)"),
        ("ensemble", (3, 5, 3), r"^deep/dense/w: has shape \(5, 3\), needs \(3, 3\)"),
        ("remat", (5, 3), r"^deep/dense/w: has shape \(5, 3\), needs \(3, 3\)"),
        ("map", (5, 3), r"^deep/dense/w: has shape \(5, 3\), needs \(3, 3\)"),
    ],
)
def test_a_parameter_of_another_shape_is_named_inside_combinators(wrap, wrong, message):
    block = nn.chain(nn.dense(3))
    wraps = {"repeat": nn.repeat(3, block), "ensemble": nn.ensemble(block, 3)}
    wraps |= {"remat": nn.remat(block), "map": nn.map(block)}
    net = nn.chain(deep=wraps[wrap])
    x = X[None] if wrap == "map" else X
    params, _ = net.init(KEY, x)
    params["deep"]["dense"]["w"] = jnp.zeros(wrong)
    with pytest.raises(nn.LayerError, match=message):
        net(params, x)


def test_a_missing_parameter_or_state_is_named():
    net = nn.chain(nn.dense(3), deep=nn.repeat(2, nn.chain(nn.dense(3))), norm=nn.batch_norm())
    params, state = net.init(KEY, X)
    for path in ("dense", "deep"):
        fewer = {name: value for name, value in params.items() if name != path}
        needs = rf"^{path}(/dense)?/w: missing in params, needs shape \(3, 3\); give what net\.init returned"
        with pytest.raises(nn.LayerError, match=needs):
            net.apply(fewer, state, X)
    with pytest.raises(nn.LayerError, match=r"^norm/mean: missing in state"):
        net.apply(params, {}, X)


def test_a_foreign_networks_whole_tree_is_one_entry():
    """What an adapter to another library builds on."""
    shape = {"w": jax.ShapeDtypeStruct((3, 3), jnp.float32)}

    def begin(key, shape, dtype):
        return {"w": jax.random.normal(key, shape["w"].shape)}

    def forward(my, x):
        from jdl.nn.scope import own

        return x @ own(my, "module", shape, begin, None)["w"]

    foreign = nn.Layer(forward, name="foreign")
    net = nn.chain(foreign, nn.repeat(2, foreign))
    params, _ = net.init(KEY, X)
    w, deep = params["foreign"]["module"]["w"], params["repeat"]["module"]["w"]
    assert deep.shape == (2, 3, 3) and not jnp.array_equal(deep[0], deep[1])
    np.testing.assert_allclose(net(params, X), X @ w @ deep[0] @ deep[1], rtol=1e-4)
    assert nn.summary(net, X)[0].parameters == 27
