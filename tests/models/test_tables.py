"""The networks for tables: formulas, what they begin with, tables of every make, training in small."""

import pickle
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge

import jdl
from jdl import losses, models, nn, optim
from jdl.data import Category, Number, Schema, Target
from jdl.features import Prepare
from jdl.models.candidates import with_candidates
from tests.quick import compiled

ROW = {
    "numbers": jnp.array([0.5, -2.0]),
    "categories": jnp.array([2, 1]),
    "flat": jnp.array([1.0, 0.0, 3.0]),
    "pieces": jnp.array([[1.0, 0.2, 0.0], [0.1, 0.0, 0.0]]),
}
CARDINALITIES = (3, 70)
NETWORKS = {
    "tabm": lambda **given: models.tabm(3, 8, 2, 4, embedding=2, **given),
    "tabm_mini": lambda **given: models.tabm_mini(3, 8, 2, 4, embedding=2, **given),
    "ft_transformer": lambda **given: models.ft_transformer(3, 8, 2, 2, **given),
    "resnet": lambda **given: models.resnet(3, 8, 1, **given),
    "dcn_v2": lambda **given: models.dcn_v2(3, (8,), 2, **given),
    "linear": lambda **given: models.linear(3, **given),
}
STANDING = Prepare(lambda key, rows, target, weight: (), lambda stats, row, fold=None, key=None: row)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("there", [("numbers",), ("categories",), tuple(ROW)])
def test_tables_of_any_kind_of_column(name: str, there: tuple[str, ...]) -> None:
    row = {key: value if key in there or key == "pieces" else value[:0] for key, value in ROW.items()}
    row["pieces"] = row["pieces"][: len(row["numbers"])]
    net = NETWORKS[name](cardinalities=CARDINALITIES if "categories" in there else ())
    (params, state) = jax.eval_shape(net.init, jax.random.key(0), row)
    outputs, _ = jax.eval_shape(lambda *given: net.apply(*given), params, state, row)
    assert outputs.shape == ((4, 3) if name.startswith("tabm") else (3,))
    without = {key: value for key, value in row.items() if key != "flat"}
    if there == ("numbers",):  # a preparation that makes no flat part
        jax.eval_shape(net.init, jax.random.key(0), without)


@pytest.mark.parametrize("name", NETWORKS)
def test_prints_pickles_and_is_itself(name: str) -> None:
    net = NETWORKS[name](cardinalities=CARDINALITIES)
    assert net is NETWORKS[name](cardinalities=CARDINALITIES) and pickle.loads(pickle.dumps(net)) is net
    assert eval(repr(net), {**vars(models), **vars(nn.init)}) is net


def test_members_begin_apart_column_by_column() -> None:
    net = NETWORKS["tabm"](cardinalities=CARDINALITIES, start=nn.init.normal())
    params, _ = net.init(jax.random.key(0), ROW)
    first, later = params["block_0"], params["block_1"]
    starts = np.cumsum([0, 2, 2, 3, 16, 1, 1])  # two numbers, two categories, of which one embedded, and flat
    r = np.asarray(first["r"])
    for begin, end in zip(starts[:4], starts[1:5], strict=True):
        assert (r[:, begin:end] == r[:, begin : begin + 1]).all()
    assert len(np.unique(r)) == 4 * 7
    assert (first["s"] == 1).all() and (later["r"] == 1).all() and (later["s"] == 1).all()
    assert (first["b"] == first["b"][0]).all() and len(np.unique(params["head"]["b"])) == 12


def test_numbers_in_pieces() -> None:
    net = models.tabm(1, cardinalities=CARDINALITIES)
    with pytest.raises(nn.LayerError, match="the row has .* needs pieces too"):
        net.init(jax.random.key(0), {key: value for key, value in ROW.items() if key != "pieces"})
    fewer = ROW | {"pieces": ROW["pieces"][:1]}  # a number without pieces is a line
    specs = net.specs(fewer)["params"]
    assert specs["numbers/of/w"].shape == (2, 3, 16)


def test_cross_network_is_its_formula() -> None:
    net = models.dcn_v2(2, (4,), 2, cardinalities=CARDINALITIES, rank=3, stacked=False)
    params, _ = net.init(jax.random.key(0), ROW)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    levels = models.levels(CARDINALITIES)(params["categories"], ROW["categories"])
    x0 = x = np.concatenate([ROW["numbers"], levels, ROW["flat"]])
    for i in range(2):
        own = params[f"cross_{i}"]
        x = x0 * (x @ own["u"] @ own["v"] + own["b"]) + x
    hidden = np.maximum(x0 @ params["deep"]["dense"]["w"] + params["deep"]["dense"]["b"], 0)
    want = np.concatenate([x, hidden]) @ params["head"]["w"] + params["head"]["b"]
    np.testing.assert_allclose(net(params, ROW), want, rtol=1e-4)


def test_linear_is_ridge_regression() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)).astype(np.float32)
    y = (x @ [1.0, -2.0, 0.5] + 3 + rng.normal(size=40)).astype(np.float32)
    rows = {"numbers": x, "categories": np.zeros((40, 0), int)}

    def recipe(penalty: Any) -> jdl.Recipe:
        net = models.linear(1, penalty=penalty)
        return jdl.Recipe(net, losses.squared_error, optim.sgd(0.1), 40, 300)

    fit = lambda penalty: jdl.fit(recipe(penalty), jax.random.key(0), {"x": rows, "y": y}).params
    params = jax.jit(fit)(0.2)
    theirs = Ridge(alpha=0.2 * 40).fit(x, y)
    np.testing.assert_allclose(params["w"][:, 0], theirs.coef_, rtol=1e-4)
    np.testing.assert_allclose(params["b"][0], theirs.intercept_, rtol=1e-4)


def neighbours(count: int, weight: Any = None) -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(0)
    rows = {
        "numbers": rng.normal(size=(count, 2)).astype(np.float32),
        "categories": rng.integers(0, 3, (count, 1)),
    }
    target = rng.normal(size=count).astype(np.float32)
    prepare = with_candidates(STANDING, count)
    return rows, target, prepare, prepare.fit(jax.random.key(0), rows, target, weight)


def nca(**given: Any) -> nn.Layer:
    return models.modern_nca(
        1, 4, cardinalities=(3,), classes=False, numbers="plain", temperature=0.7, **given
    )


def test_nearest_neighbours_are_their_formula() -> None:
    """In prediction all candidates are looked at; in training the row itself is not."""
    rows, target, prepare, stats = neighbours(6)
    net, row = nca(), jax.tree.map(lambda leaf: leaf[2], rows)
    params, state = net.init(jax.random.key(0), prepare.apply(stats, row))
    own = params["place"]["dense"]
    z = np.concatenate([rows["numbers"], np.eye(3)[rows["categories"][:, 0]]], 1) @ own["w"] + own["b"]
    for key in (None, jax.random.key(1)):
        distance = np.linalg.norm(z - z[2], axis=1)
        distance[2] = np.inf if key is not None else 0.0
        share = np.exp(-distance / 0.7)
        found, after = net.apply(params, state, prepare.apply(stats, row), key=key)
        # of squared distances in float32, hence of a thousandth where the distance is 0
        np.testing.assert_allclose(found[0], share @ target / share.sum(), rtol=2e-3)
    assert after["step"] == 1


def test_rows_without_weight_are_no_neighbours() -> None:
    weight = np.array([1, 1, 1, 0, 1, 0], np.float32)
    rows, target, prepare, stats = neighbours(6, weight)
    spoilt = jax.tree.map(np.copy, rows)
    spoilt["numbers"][weight == 0] = np.nan
    other = prepare.fit(jax.random.key(0), spoilt, np.where(weight > 0, target, 9.0), weight)
    jax.tree.map(np.testing.assert_array_equal, stats, other)
    assert (np.asarray(stats["candidates"]["weight"]) > 0).sum() == 4


def test_a_step_looks_at_some_candidates_and_the_next_at_others() -> None:
    rows, target, prepare, stats = neighbours(30)
    net, row = nca(sampled=5), jax.tree.map(lambda leaf: leaf[2], rows)
    params, _ = net.init(jax.random.key(0), prepare.apply(stats, row))

    def looked_at(step: Any) -> Any:
        def outputs(target: Any) -> Any:
            candidates = stats["candidates"] | {"target": target}
            made = prepare.apply(stats | {"candidates": candidates}, row)
            return net.apply(params, {"step": step}, made, key=jax.random.key(1))[0][0]

        return jax.grad(outputs)(stats["candidates"]["target"]) > 0

    seen = jax.jit(jax.vmap(looked_at))(jnp.arange(40))
    assert set(np.asarray(seen).sum(1).tolist()) <= {4, 5} and seen.any(0).sum() == 29


SORT = Schema(
    Target("t", "classification", classes=("no", "yes")),
    (Number("a"), Number("b", missing=2)),
    (Category("c", ("x", "y", "z")),),
)
AMOUNT = Schema(Target("t", "regression"), SORT.numbers, SORT.categories)
SMALL = {
    "tabm": {"width": 16, "members": 4, "bins": 4, "embedding": 4},
    "tabm_mini": {"width": 16, "members": 4, "bins": 4, "embedding": 4},
    "ft_transformer": {"width": 8, "heads": 2},
    "resnet": {"width": 16},
    "dcn_v2": {"widths": (16,)},
    "linear": {},
    "modern_nca": {"width": 16, "candidates": 48, "sampled": 40, "embedding": 4, "frequencies": 4},
}


def module(name: str) -> ModuleType:
    import importlib

    return importlib.import_module(f"jdl.models.{name}")


def run_of(name: str) -> tuple[Any, Any]:
    """Give a run as a function of its data, and data: a number for some networks, classes for others."""
    regression = name in ("tabm", "linear", "modern_nca")
    schema = AMOUNT if regression else SORT
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(64, 2)).astype(np.float32)
    x = {"numbers": numbers, "categories": rng.integers(0, 4, (64, 1)).astype(np.int32)}
    y = 50 + 3 * numbers[:, 0] if regression else (numbers[:, 0] > 0).astype(np.int32)
    made = module(name)
    hyper = made.defaults(64, schema) | SMALL[name] | {"epochs": 25, "batch_size": 16, "learning_rate": 1e-2}
    return lambda data: jdl.fit(made.recipe(schema, hyper), jax.random.key(0), data), {"x": x, "y": y}


@pytest.mark.parametrize("name", SMALL)
def test_its_recipe_trains(name: str) -> None:
    run, data = run_of(name)
    history = jax.eval_shape(run, data).history
    assert history["loss"].shape == (25,)


@pytest.mark.parametrize("name", ["tabm"])
def test_it_learns(name: str) -> None:
    run, data = run_of(name)
    loss = compiled(run, data)(data).history["loss"]
    assert float(loss[-1]) < 0.5 * float(loss[0]), (float(loss[0]), float(loss[-1]))
