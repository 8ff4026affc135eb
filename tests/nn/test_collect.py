"""Intermediate values and auxiliary losses, through every combinator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn

KEY = jax.random.key(0)
X = jnp.array([0.5, -1.0, 2.0])
close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@nn.layer
def costly(my, x):
    my.loss("size", jnp.sum(x**2))
    return 2 * x


SIZE = float(jnp.sum(X**2))


def losses(net, *inputs, key=None):
    params, state = nn.with_losses(net).init(KEY, *inputs)
    return nn.with_losses(net).apply(params, state, *inputs, key=key)[0]


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (costly, {"size": SIZE}),
        (nn.chain(costly), {"costly/size": SIZE}),
        (nn.chain(costly, costly), {"costly/size": SIZE, "costly_1/size": 4 * SIZE}),
        (nn.remat(costly), {"size": SIZE}),
        (nn.repeat(3, costly), {"size": [SIZE, 4 * SIZE, 16 * SIZE]}),
        (nn.repeat(2, nn.remat(nn.chain(costly))), {"costly/size": [SIZE, 4 * SIZE]}),
        (nn.ensemble(costly, 2), {"size": [SIZE, SIZE]}),
        (nn.chain(lambda x: jnp.stack([x, 2 * x]), nn.map(costly)), {"map/size": 2.5 * SIZE}),
        (nn.chain(lambda x: x[None], nn.map(nn.repeat(2, costly))), {"map/size": [SIZE, 4 * SIZE]}),
    ],
    ids=repr,
)
def test_losses_are_stacked_by_repeat_and_averaged_by_map(net, expected):
    found = losses(net, X)[1]
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        close(found[path], jnp.asarray(value))
    shapes = jax.eval_shape(lambda: losses(net, X, key=KEY)[1])
    assert {path: leaf.shape for path, leaf in shapes.items()} == {
        p: np.shape(v) for p, v in expected.items()
    }


def test_losses_of_a_part_used_twice_add_up():
    for part in (costly, nn.repeat(2, costly)):

        @nn.layer(c=part)
        def twice(my, x):
            my.c(x)
            return my.c(x)

        close(losses(twice, X)[1]["c/size"], 2 * losses(part, X)[1]["size"])


def test_losses_taken_inside_are_not_given_again():
    net = nn.chain(nn.with_losses(costly), lambda both: both[0], costly)
    assert list(losses(net, X)[1]) == ["costly/size"]


def test_losses_have_a_gradient_and_a_batch_axis():
    net = nn.with_losses(nn.chain(nn.dense(3), nn.repeat(2, costly)))
    params, state = net.init(KEY, X)
    xs = jnp.stack([X, 2 * X])
    (_, found), _ = nn.batched(net)(params, state, xs, key=KEY)
    assert found["repeat/size"].shape == (2, 2)
    slope = jax.grad(lambda params: net(params, X)[1]["repeat/size"].sum())(params)
    assert jnp.abs(slope["dense"]["w"]).min() > 0


def watch(net, pattern, *inputs):
    net = nn.intermediates(net, pattern)
    params, state = net.init(KEY, *inputs)
    return net.apply(params, state, *inputs)[0][1]


DEEP = nn.chain(
    stem=nn.dense(3), deep=nn.repeat(4, nn.chain(a=jnp.tanh, b=nn.remat(nn.chain(c=nn.dense(3)))))
)


def test_patterns_choose_among_all_parts():
    assert sorted(watch(DEEP, "*", X)) == ["deep", "deep/a", "deep/b", "deep/b/c", "stem"]
    assert list(watch(DEEP, "*/c", X)) == ["deep/b/c"]
    assert list(watch(DEEP, "stem", X)) == ["stem"]
    assert watch(DEEP, "none", X) == {}


def test_values_inside_repeat_are_stacked():
    found = watch(DEEP, "*", X)
    assert {path: value.shape for path, value in found.items()} == {
        "stem": (3,), "deep/a": (4, 3), "deep/b/c": (4, 3), "deep/b": (4, 3), "deep": (3,),
    }  # fmt: skip
    close(found["deep/b"][-1], found["deep"])
    close(found["deep/a"][0], jnp.tanh(found["stem"]))
    close(found["deep/a"][1:], jnp.tanh(found["deep/b"][:-1]))


def test_values_inside_map_and_ensemble_are_stacked():
    rows = jnp.stack([X, 2 * X])
    assert watch(nn.map(nn.chain(jnp.tanh)), "tanh", rows)["tanh"].shape == (2, 3)
    assert watch(nn.ensemble(nn.chain(nn.dense(2)), 5), "dense", X)["dense"].shape == (5, 2)


def test_a_part_called_again_is_listed_by_its_use():
    @nn.layer(t=jnp.tanh, many=nn.repeat(2, nn.chain(jnp.sin)))
    def net(my, x):
        return my.many(my.t(my.t(my.many(x))))

    found = watch(net, "*", X)
    assert sorted(found) == ["many", "many#2", "many/sin", "many/sin#2", "t", "t#2"]
    close(found["t#2"], jnp.tanh(found["t"]))
    close(found["many/sin#2"][0], jnp.sin(found["t#2"]))


def test_the_output_stays_as_it_is_and_paths_are_those_below():
    inner = nn.intermediates(nn.chain(a=jnp.tanh, b=jnp.sin), "b")
    params, _ = nn.chain(jnp.abs, inner).init(KEY, X)
    y, found = nn.chain(jnp.abs, inner)(params, X)
    close(y, jnp.sin(jnp.tanh(jnp.abs(X))))
    assert list(found) == ["b"]
    outer = watch(nn.chain(jnp.abs, inner, lambda both: both[0]), "*/a", X)
    assert list(outer) == ["intermediates/a"]


def test_a_watched_part_under_a_foreign_transform_is_an_error():
    @nn.layer(t=jnp.tanh)
    def net(my, x):
        return jax.vmap(my.t)(x)

    with pytest.raises(nn.LayerError, match=r"^t: is watched by nn\.intermediates under a JAX transform"):
        watch(net, "t", X)
    assert watch(net, "other", X) == {}
