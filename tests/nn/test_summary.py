"""The table of a network's parts."""

import jax
import jax.numpy as jnp

from jdl import nn

X = jnp.zeros(3)


def rows(net, *inputs, **keywords):
    return {row.path: row for row in nn.summary(net, *inputs, **keywords)}


def test_counts_bytes_and_flops_by_hand():
    found = rows(nn.chain(nn.dense(5), nn.relu, head=nn.dense(2, bias=False)), X)
    assert list(found) == ["", "dense", "relu", "head"]
    assert [row.parameters for row in found.values()] == [30, 20, 0, 10]
    assert [row.bytes for row in found.values()] == [120, 80, 0, 40]
    assert [row.flops for row in found.values()] == [50, 30, 0, 20]
    assert [row.output for row in found.values()] == ["float32[2]", "float32[5]", "float32[5]", "float32[2]"]


def test_parents_come_first_and_parameters_agree_with_init():
    net = nn.chain(
        nn.dense(3), deep=nn.repeat(4, nn.residual(nn.chain(a=nn.dense(3), b=nn.chain(nn.layer_norm()))))
    )
    found = rows(net, X)
    assert list(found) == ["", "dense", "deep", "deep/a", "deep/b", "deep/b/layer_norm"]
    params, _ = net.init(jax.random.key(0), X)
    assert found[""].parameters == nn.count(params)
    assert found["deep/a"].parameters == nn.count(params["deep"]["a"]) == 4 * 12
    assert found["deep"].flops == 4 * found["deep/a"].flops == 4 * 18


def test_a_part_whose_name_begins_anothers_counts_only_its_own():
    found = rows(nn.chain(nn.dense(3), nn.dense(4)), X)
    assert (found["dense"].parameters, found["dense_1"].parameters) == (12, 16)


def test_a_convolution_and_several_inputs():
    image = jnp.zeros((6, 6, 2))
    assert nn.flops(nn.conv(4, padding="VALID"), image) == 2 * (4 * 4) * 4 * (3 * 3 * 2)
    assert nn.flops(nn.attention(1), jnp.zeros((5, 4))) == 4 * 2 * 5 * 4 * 4 + 2 * 2 * 5 * 5 * 4
    assert rows(nn.parallel(nn.dense(1), nn.dense(2)), X)[""].output == "float32[1], float32[2]"


def test_shapes_are_enough_however_large():
    tokens = jax.ShapeDtypeStruct((10**6,), jnp.int32)
    block = nn.residual(nn.chain(nn.layer_norm(), nn.dense(10**5)))
    found = rows(nn.chain(nn.embed(10**6, 10**5), nn.repeat(1000, block)), tokens)
    assert found["embed"].parameters == 10**11
    assert found["repeat"].parameters == 1000 * (2 * 10**5 + 10**10 + 10**5)
    assert found["repeat"].flops == 1000 * 2 * 10**6 * 10**10


def test_keyword_inputs_static_values_and_plain_functions():
    @nn.layer(inner=nn.layer(lambda my, x, n, *, times: sum(x * n for _ in range(times))))
    def net(my, x, *, times=1, mask=None):
        return my.inner(x, 2, times=times) * mask

    found = rows(net, X, times=3, mask=jnp.ones(3, bool))
    assert found["inner"].output == "float32[3]"
    assert rows(jnp.tanh, X)[""].layer == "tanh"


def test_the_table_lines_up():
    lines = str(nn.summary(nn.chain(nn.dense(4), nn.relu), X)).splitlines()
    assert lines[0].split() == ["path", "layer", "output", "parameters", "bytes", "FLOPs"]
    assert lines[1].split()[0] == "." and len(lines) == 4
    assert len({len(line) for line in lines}) == 1
