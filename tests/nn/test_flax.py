"""Flax modules as layers, against Flax itself: values, gradients, statistics; switches; refusals."""

import pickle
import subprocess
import sys
from functools import partial

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jdl import nn

KEY = jax.random.key(0)
XS = jax.random.normal(jax.random.key(1), (4, 5, 5, 2))
ROWS = XS[:, 0, :, 0]


class Cnn(linen.Module):
    axis: str | None = "batch"
    rate: float = 0.0

    @linen.compact
    def __call__(self, x, train: bool):
        x = linen.Conv(3, (3, 3))(x)
        x = linen.BatchNorm(use_running_average=not train, axis_name=self.axis, use_fast_variance=False)(x)
        x = linen.relu(x).reshape(x.shape[0], -1)
        x = linen.Dropout(self.rate, deterministic=not train)(x)
        return linen.Dense(2)(x)


class Mlp(nnx.Module):
    def __init__(self, axis="batch", rate=0.0, *, rngs):
        self.layers = nnx.List([nnx.Linear(5, 4, rngs=rngs), nnx.Linear(4, 5, rngs=rngs)])
        self.norm = nnx.BatchNorm(5, axis_name=axis, use_fast_variance=False, rngs=rngs)
        self.dropout = nnx.Dropout(rate, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = jnp.tanh(layer(x))
        return self.dropout(self.norm(x))


def close(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, expected)


def moved(params):
    """Give the parameters other values, so that no scale is one and no bias is zero."""
    leaves, structure = jax.tree.flatten(params)
    leaves = [leaf + 0.3 * jax.random.normal(jax.random.key(i), leaf.shape) for i, leaf in enumerate(leaves)]
    return jax.tree.unflatten(structure, leaves)


def test_importing_the_layers_does_not_import_flax():
    code = "import sys, jdl.nn; assert 'flax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- equality with Flax ------------------------------------------------------------------------------------


def test_a_linen_network_trains_as_in_flax():
    net = nn.from_flax(Cnn())
    params, state = net.init(KEY, XS[0])
    params = moved(params)

    def ours(params):
        y, after = nn.batched(net)(params, state, XS, key=KEY)
        return jnp.sum(y**2), after

    def theirs(params):
        variables = {"params": params["flax"], **state["flax"]}
        y, after = Cnn(axis=None).apply(variables, XS, train=True, mutable=["batch_stats"])
        return jnp.sum(y**2), {"flax": after}

    close(*[jax.jit(jax.value_and_grad(f, has_aux=True))(params) for f in (ours, theirs)])
    predicted, same = jax.jit(nn.batched(net))(params, state, XS)
    close(predicted, Cnn().apply({"params": params["flax"], **state["flax"]}, XS, train=False))
    close(same, state)


@pytest.mark.parametrize("made", [Mlp, Mlp(rngs=nnx.Rngs(3))], ids=["function", "module"])
def test_an_nnx_network_trains_as_in_flax(made):
    net = nn.from_flax(made)
    params, state = net.init(KEY, ROWS[0])
    params = moved(params)

    def ours(params):
        y, after = nn.batched(net)(params, state, ROWS, key=KEY)
        return jnp.sum(y**2), after

    reference = Mlp(axis=None, rngs=nnx.Rngs(0))
    nnx.update(reference, as_nnx(reference, nnx.Param, params))

    def loss(model):
        return jnp.sum(model(ROWS) ** 2)

    (value, after), gradient = jax.jit(jax.value_and_grad(ours, has_aux=True))(params)
    expected, expected_gradient = nnx.value_and_grad(loss)(reference)
    close(value, expected)
    close(gradient, from_nnx(expected_gradient))
    close(after, from_nnx(nnx.state(reference, nnx.BatchStat)))
    reference.eval()
    close(jax.jit(nn.batched(net))(params, after, ROWS)[0], reference(ROWS))


def as_nnx(model, kind, tree):
    state = nnx.state(model, kind)
    nnx.replace_by_pure_dict(state, tree["flax"])
    return state


def from_nnx(state):
    def named(tree):
        return {str(k): named(v) for k, v in tree.items()} if isinstance(tree, dict) else tree

    return {"flax": named(nnx.to_pure_dict(state))}


def test_an_nnx_modules_own_values_are_the_initial_ones():
    module = Mlp(rngs=nnx.Rngs(3))
    params, state = nn.from_flax(module).init(KEY, ROWS[0])
    close(params, from_nnx(nnx.state(module, nnx.Param)))
    close(state, from_nnx(nnx.state(module, nnx.BatchStat)))


def test_a_function_of_rngs_begins_from_the_key():
    net = nn.from_flax(partial(nnx.Linear, 5, 2))
    one, same, other = (net.init(jax.random.key(i), ROWS[0])[0]["flax"]["kernel"] for i in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()
    assert net.init(KEY, ROWS[0])[1] == {}
    assert net.apply({"flax": {"kernel": one, "bias": jnp.zeros(2)}}, {}, ROWS[0], key=KEY)[1] == {}


# --- randomness and switches -------------------------------------------------------------------------------

LINEN_DROPOUT = nn.from_flax(linen.Dropout(0.5))
NNX_DROPOUT = nn.from_flax(partial(nnx.Dropout, 0.5))


@pytest.mark.parametrize("net", [LINEN_DROPOUT, NNX_DROPOUT], ids=["linen", "nnx"])
def test_dropout_draws_from_our_keys(net):
    xs = jnp.ones((3, 200))
    params, state = net.init(KEY, xs[0])
    assert params == state == {}
    twice = nn.batched(nn.chain(net, net))({}, {}, xs, key=KEY)[0]
    y, again, other = (nn.batched(net)({}, {}, xs, key=jax.random.key(i))[0] for i in (0, 0, 1))
    assert set(np.unique(y)) == {0.0, 2.0}
    np.testing.assert_array_equal(y, again)
    assert (y != other).any()
    assert (y[0] != y[1]).any()
    assert 0 < int((twice == 4).sum()) < int((y == 2).sum())  # the second mask is another
    np.testing.assert_array_equal(nn.batched(net)({}, {}, xs)[0], xs)


@pytest.mark.parametrize("name", ["train", "training", "is_training", "deterministic"])
def test_the_usual_switches_are_found(name):
    scope: dict = {}
    exec(f"def __call__(self, x, {name}): return x + {name}", scope)
    net = nn.from_flax(type("Told", (linen.Module,), {"__call__": scope["__call__"]})())
    in_training = 0.0 if name == "deterministic" else 1.0
    assert net.apply({}, {}, jnp.zeros(()), key=KEY)[0] == in_training
    assert net({}, jnp.zeros(())) == 1 - in_training


class Odd(linen.Module):
    @linen.compact
    def __call__(self, x, learning, *, mask=None, scale=1.0):
        x = x if mask is None else jnp.where(mask, x, 0)
        return scale * x + learning


def test_switches_of_another_name_are_given():
    x = jnp.zeros(3)
    net = nn.from_flax(Odd(), stochastic="learning")
    assert net.apply({}, {}, x, key=KEY)[0].tolist() == [1, 1, 1]
    assert net({}, x).tolist() == [0, 0, 0]
    assert nn.from_flax(Odd(), deterministic="learning")({}, x).tolist() == [1, 1, 1]
    with pytest.raises(nn.LayerError, match=r"Odd.__call__ takes no 'train'; it takes \['learning', 'mask'"):
        nn.from_flax(Odd(), stochastic="train")


def test_other_arguments_are_keyword_inputs():
    net = nn.chain(nn.relu, nn.from_flax(Odd(), stochastic="learning"))
    assert net.inputs == {"mask", "scale"}
    xs, mask = jnp.ones((2, 3)), jnp.array([[True, False, True], [False, False, True]])
    y, _ = nn.batched(net)({}, {}, xs, mask=mask, scale=2.0)
    assert y.tolist() == [[2, 0, 2], [0, 0, 2]]


def test_attention_of_flax_with_a_mask_equals_ours():
    net = nn.from_flax(linen.MultiHeadDotProductAttention(2))
    x, mask = XS[0, 0].reshape(5, 2), jnp.tril(jnp.ones((5, 5), bool))
    params, _ = net.init(KEY, x, x)

    def join(name):
        return {"w": params["flax"][name]["kernel"].reshape(2, 2), "b": jnp.zeros(2)}

    ours = {"q": join("query"), "k": join("key"), "v": join("value"), "out": join("out")}
    y = net.apply(params, {}, x, x, mask=mask, key=KEY)[0]
    close(y, nn.attention(2, causal=True)(ours, x))


# --- under transforms --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block",
    [linen.BatchNorm(axis_name="batch", use_fast_variance=False), Mlp],
    ids=["linen", "nnx"],
)
def test_repeat_stacks_and_scans(block):
    net = nn.repeat(3, nn.from_flax(block))
    params, state = net.init(KEY, ROWS[0])
    assert {leaf.shape[0] for leaf in jax.tree.leaves((params, state))} == {3}
    y, after = jax.jit(nn.batched(net))(params, state, ROWS, key=KEY)
    one, x, kept = nn.from_flax(block), ROWS, []
    for i in range(3):
        x, new = nn.batched(one)(*jax.tree.map(lambda leaf: leaf[i], (params, state)), x, key=KEY)  # noqa: B023
        kept.append(new)
    close(y, x)
    close(after, jax.tree.map(lambda *leaves: jnp.stack(leaves), *kept))


@pytest.mark.parametrize(
    ("linear", "dropout"),
    [(linen.Dense(2), LINEN_DROPOUT), (partial(nnx.Linear, 5, 2), NNX_DROPOUT)],
    ids=["linen", "nnx"],
)
def test_members_are_mapped_over_keys(linear, dropout):
    net = nn.chain(dropout, nn.from_flax(linear))

    def trained(key):
        params, state = net.init(key, ROWS[0])

        def loss(params):
            return jnp.sum(nn.batched(net)(params, state, ROWS, key=key)[0] ** 2)

        return jax.grad(loss)(params)

    keys = jax.random.split(KEY, 2)
    together, alone = jax.jit(jax.vmap(trained))(keys), jax.jit(trained)
    for i in range(2):
        close(jax.tree.map(lambda leaf: leaf[i], together), alone(keys[i]))  # noqa: B023


def test_cast_freeze_and_remat_hold_for_foreign_parameters():
    net = nn.from_flax(linen.Dense(2))
    params, _ = net.init(KEY, ROWS[0])
    half = nn.cast(net)(params, ROWS[0])
    assert half.dtype == jnp.float32
    assert (half != net(params, ROWS[0])).any()
    frozen, state = nn.freeze(net).init(KEY, ROWS[0])
    assert frozen == {}
    close(nn.remat(net)(params, ROWS[0]), net(params, ROWS[0]))
    close(nn.freeze(net).apply({}, params, ROWS[0])[0], net(params, ROWS[0]))


def test_a_layer_of_a_module_is_a_value():
    assert nn.from_flax(linen.Dense(2)) is nn.from_flax(linen.Dense(2))
    assert pickle.loads(pickle.dumps(LINEN_DROPOUT)) is LINEN_DROPOUT


# --- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "path"),
    [
        (Cnn(axis=None), "BatchNorm_0"),
        (partial(Mlp, axis=None), "norm"),
        (Mlp("rows", rngs=nnx.Rngs(0)), "norm"),
    ],
)
def test_a_batch_norm_without_the_batch_axis_is_refused(module, path):
    x = XS[0] if isinstance(module, Cnn) else ROWS[0]
    message = f"net: the Flax batch norm {path} has axis_name=.* needs axis_name='batch'"
    with pytest.raises(nn.LayerError, match=message):
        nn.chain(net=nn.from_flax(module)).init(KEY, x)


def test_a_batch_norm_that_never_trains_needs_no_axis():
    net = nn.from_flax(linen.BatchNorm(use_running_average=True))
    params, state = net.init(KEY, ROWS[0])
    y, after = nn.batched(net)(params, state, ROWS, key=KEY)
    close(y, ROWS / np.sqrt(1 + 1e-5))
    close(after, state)


def test_a_batch_norm_needs_every_axis_of_the_batch():
    net = nn.from_flax(Mlp)
    params, state = net.init(KEY, ROWS[0])
    apply = nn.batched(net, across=("device",))
    with pytest.raises(nn.LayerError, match=r"axis_name='batch', needs axis_name=\('batch', 'device'\)"):
        jax.vmap(partial(apply, key=KEY), (None, None, 0), axis_name="device")(params, state, ROWS[None])


def test_a_batch_norm_trained_on_one_example_is_refused():
    for module, x in ((Cnn(), XS[0]), (Mlp, ROWS[0])):
        net = nn.from_flax(module)
        params, state = net.init(KEY, x)
        with pytest.raises(
            nn.LayerError, match=r"needs the batch axis in a stochastic pass; run .* nn.batched"
        ):
            net.apply(params, state, x, key=KEY)


def test_a_network_with_state_is_not_called_without_it():
    net = nn.from_flax(Cnn())
    params, _ = net.init(KEY, XS[0])
    with pytest.raises(nn.LayerError, match="flax: the network holds state"):
        net(params, XS[0])


class Sums(linen.Module):
    def __call__(self, x):
        return x.sum()


def test_an_output_without_the_leading_axis_is_refused():
    with pytest.raises(nn.LayerError, match=r"an output of shape \(\), needs \(1, …\)"):
        nn.from_flax(Sums()).init(KEY, ROWS[0])


def test_what_is_no_module_is_refused():
    with pytest.raises(nn.LayerError, match="needs a Linen module, an NNX module, or a function of rngs"):
        nn.from_flax(3)
    with pytest.raises(nn.LayerError, match="needs a function of rngs that makes an NNX module; it made"):
        nn.from_flax(lambda rngs: jnp.ones(3))
