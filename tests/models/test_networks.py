"""The networks of a table's rows: what they compute, on tables of every make."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import models, nn
from jdl.models.hidden import hidden

ROW = {"numbers": jnp.array([0.5, -2.0]), "categories": jnp.array([2, 0, 1]), "flat": jnp.array([1.0, 0.25])}
CARDINALITIES = (3, 4, 2)


def test_levels_are_one_hot_column_by_column() -> None:
    found = models.levels(CARDINALITIES)({}, ROW["categories"])
    want = np.concatenate([np.eye(size)[code] for size, code in zip(CARDINALITIES, (2, 0, 1), strict=True)])
    np.testing.assert_array_equal(found, want)


def test_many_levels_are_embedded() -> None:
    net = models.levels((3, 70, 2, 100), most=64, width=5)
    codes = jnp.array([1, 69, 1, 99])
    params, _ = net.init(jax.random.key(0), codes)
    table = params["table"]["w"]
    assert table.shape == (170, 5)
    want = np.concatenate([np.eye(3)[1], np.eye(2)[1], table[69], table[70 + 99]])
    np.testing.assert_array_equal(net(params, codes), want)
    near = models.levels((3, 70, 2, 100), width=5, start=nn.init.zeros, pace=30.0)
    assert near.specs(codes)["params"]["table/w"].shape == (170, 5)
    assert (near(near.init(jax.random.key(0), codes)[0], codes)[5:] == 0).all()
    np.testing.assert_allclose(near(params, codes)[5:], 30 * want[5:], rtol=1e-6)


def test_mlp_is_affine_maps_and_rectifiers() -> None:
    net = models.mlp(2, (6, 5), cardinalities=CARDINALITIES, dropout=0.5)
    params, state = net.init(jax.random.key(0), ROW)
    x = np.concatenate([ROW["numbers"], models.levels(CARDINALITIES)({}, ROW["categories"]), ROW["flat"]])
    body = params["body"]
    for name in ("dense", "dense_1"):
        x = np.maximum(x @ body[name]["w"] + body[name]["b"], 0)
    np.testing.assert_allclose(net(params, ROW), x @ body["head"]["w"] + body["head"]["b"], rtol=1e-5)
    assert state == {}


def test_mlp_plr_adds_waves_of_the_numbers() -> None:
    net = models.mlp_plr(2, (), cardinalities=CARDINALITIES, embedding=3)
    params, _ = net.init(jax.random.key(0), ROW)
    waves = nn.periodic(3)(params["waves"], ROW["numbers"]).reshape(-1)
    levels = models.levels(CARDINALITIES)({}, ROW["categories"])
    head = params["body"]["head"]
    want = np.concatenate([ROW["numbers"], levels, ROW["flat"], waves]) @ head["w"] + head["b"]
    np.testing.assert_allclose(net(params, ROW), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [models.mlp, models.mlp_plr])
@pytest.mark.parametrize("numbers, cardinalities", [(0, (2, 3)), (2, ()), (1, (200,))])
def test_tables_of_numbers_or_categories_alone(make, numbers: int, cardinalities: tuple[int, ...]) -> None:
    row = {
        "numbers": jnp.ones(numbers),
        "categories": jnp.ones(len(cardinalities), int),
        "flat": jnp.zeros(0),
    }
    net = make(3, (4,), cardinalities=cardinalities)
    params, _ = net.init(jax.random.key(0), row)
    assert net(params, row).shape == (3,)
    assert np.isfinite(net(params, row)).all()


@pytest.mark.parametrize("make", [models.mlp, models.mlp_plr])
def test_prints_pickles_and_is_itself(make) -> None:
    net = make(3, (4,), cardinalities=(2,), dropout=0.1)
    assert net is make(3, (4,), cardinalities=(2,), dropout=0.1)
    assert pickle.loads(pickle.dumps(net)) is net
    assert eval(repr(net), vars(models)) is net


def test_dropout_is_vmapped() -> None:
    def outputs(rate: jax.Array) -> jax.Array:
        net = models.mlp(2, (64,), dropout=rate)
        row = {"numbers": jnp.ones(3), "categories": jnp.zeros(0, int), "flat": jnp.zeros(0)}
        params, state = net.init(jax.random.key(0), row)
        return net.apply(params, state, row, key=jax.random.key(1))[0]

    both = jax.vmap(outputs)(jnp.array([0.0, 0.5]))
    assert not np.allclose(both[0], both[1])


def test_hidden_numbers_are_as_missing_ones() -> None:
    net = models.mlp_plr(2, (6,), embedding=3, frequencies=4, gaps=(1,), hide=1.0)
    row = {"numbers": jnp.array([0.5, -2.0]), "categories": jnp.zeros(0, int), "flat": jnp.array([0.0, 0.25])}
    missing = row | {"numbers": jnp.array([0.5, 0.0]), "flat": jnp.array([1.0, 0.25])}
    params, state = net.init(jax.random.key(0), row)
    trained, _ = net.apply(params, state, row, key=jax.random.key(1))
    np.testing.assert_allclose(trained, net(params, missing), rtol=1e-6)
    assert np.abs(net(params, row) - trained).max() > 1e-3
    for value in (3.0, -1.0):  # what stands in the place of a missing number is not seen
        np.testing.assert_array_equal(
            net(params, missing | {"numbers": jnp.array([0.5, value])}), net(params, missing)
        )


def test_numbers_are_hidden_at_their_rates() -> None:
    row = {"numbers": jnp.ones(3), "flat": jnp.array([0.0, 0.0])}
    draw = jax.vmap(lambda key: hidden((0, 2), (0.2, 0.6)).apply({}, {}, row, key=key)[0])
    seen, there = draw(jax.random.split(jax.random.key(0), 4000))
    np.testing.assert_allclose(there.mean(0), [0.8, 1.0, 0.4], atol=0.03)
    np.testing.assert_array_equal(seen["numbers"], there)
    np.testing.assert_array_equal(seen["flat"], 1 - there[:, [0, 2]])
