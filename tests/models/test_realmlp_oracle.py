"""RealMLP equals the published package: preparation, start, six steps of training, predictions.

``realmlp.safetensors`` holds what pytabkit 1.7.3 computed; ``record_realmlp.py`` wrote it.
"""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from jdl import features, losses, models, optim
from jdl.features import Columns
from jdl.models.few_levels import robust_levels
from jdl.models.realmlp import optimizer
from jdl.models.start import dense_from_rows
from jdl.nn.layer import batched, kind
from jdl.train import Recipe, start, step
from jdl.tree import items

KEPT = load_file(Path(__file__).with_name("realmlp.safetensors"))
KEY = jax.random.key(0)
ROWS, BATCH, EPOCHS = 48, 16, 2  # of training; four more were held out
SIZES = {"mixed classes": (3, 13, 5), "categories": (3, 13, 5), "numbers": (), "mixed numbers": (13, 3)}
STATE = {"body": {name: {"step": np.int32(0)} for name in ("fading_dropout", "fading_dropout_1")}}
DENSE = ("first_layer/layer-0", "middle_layer/layer-1", "last_layer/layer-2")


class Case(NamedTuple):
    """One network of the package: what was kept of it, the same network, and its rows."""

    kept: dict[str, np.ndarray]
    net: object
    rows: dict[str, np.ndarray]
    regression: bool


@pytest.fixture(scope="module", params=SIZES)
def case(request) -> Case:
    kept = {path: KEPT[path] for path in KEPT if path.startswith(f"{request.param}/")}
    kept = {path.removeprefix(f"{request.param}/"): value for path, value in kept.items()}
    regression = kept["target"].dtype == np.float32
    many = tuple(size for size in SIZES[request.param] if size > 9)
    net = models.realmlp(
        kept["output"].shape[1],
        (5, 4),
        cardinalities=many,
        activation="mish" if regression else "selu",
        dropout=0.0,
        steps=EPOCHS * ROWS // BATCH,
        embedding=3,
        frequencies=3,
        level_width=2,
    )
    chosen = [i for i, size in enumerate(SIZES[request.param]) if size > 9]
    rows = {name: kept[f"prepared/{name}"] for name in ("numbers", "flat")}
    return Case(kept, net, rows | {"categories": kept["raw/cat"][:, chosen]}, regression)


def ours(kept: dict[str, np.ndarray], when: str) -> dict:
    """Give the package's parameters in our tree."""
    values = {path.removeprefix(f"{when}//"): value for path, value in kept.items() if path.startswith(when)}
    numbers = {"f": "weight_1", "phase": "bias_1", "w": "weight_2", "b": "bias_2"}
    found = {name: values[f"plr/{theirs}"] for name, theirs in numbers.items()}
    found = {name: value[:, 0] if name != "w" else value for name, value in found.items()}
    features = {"numbers": found}
    if "tfms/emb" in values:
        features["categories"] = {"w": values["tfms/emb"]}
    body = {}
    for i, path in enumerate(DENSE):
        dense = {"w": values[f"net/{path}/weight"], "b": values[f"net/{path}/bias"][0]}
        body["head" if i == 2 else f"ntk_dense_{i}" if i else "ntk_dense"] = dense
        if i < 2:
            body[f"parametric_{i}" if i else "parametric"] = {"mix": values[f"net/{path}/act"][0]}
    order = feature_order(kept)
    body["scale"] = {"scale": values[f"net/{DENSE[0]}/scale"][0][order]}
    body["ntk_dense"]["w"] = body["ntk_dense"]["w"][order]
    return jax.tree.map(jnp.asarray, {"features": features, "body": body})


def feature_order(kept: dict[str, np.ndarray]) -> np.ndarray:
    """Where our features are among the package's, which has the waves of all numbers before the numbers."""
    columns, width = kept["prepared/numbers"].shape[1], len(kept["drawn/0/weight"])
    waves = np.arange(2 * columns).reshape(columns, 2)
    numbers = 2 * columns + np.arange(columns)[:, None]
    return np.concatenate([np.concatenate([waves, numbers], 1).reshape(-1), np.arange(3 * columns, width)])


def standardised(case: Case) -> tuple[np.ndarray, float, float]:
    target = case.kept["target"]
    if not case.regression:
        return target, 0.0, 1.0
    mean, std = target[:ROWS].mean(), target[:ROWS].std()
    return (target - mean)[:, None] / std, mean, std


def test_predictions(case: Case) -> None:
    found, _ = jax.jit(batched(case.net))(ours(case.kept, "trained"), STATE, case.rows)
    if case.regression:
        target, (_, mean, std) = case.kept["target"][:ROWS], standardised(case)
        found = np.clip(found * std + mean, target.min(), target.max())
    np.testing.assert_allclose(found, case.kept["output"], atol=1e-5, rtol=1e-5)


def test_parameters_have_the_same_shapes(case: Case) -> None:
    specs = case.net.specs({name: value[0] for name, value in case.rows.items()})
    found = {path: spec.shape for path, spec in specs["params"].items()}
    assert found == {path: leaf.shape for path, leaf in items(ours(case.kept, "begun"))}


def test_start_with_the_same_draws(case: Case) -> None:
    begun = ours(case.kept, "begun")
    drawn = [[case.kept[f"drawn/{i}/{what}"] for what in ("weight", "index", "share")] for i in range(3)]
    drawn[0][0] = drawn[0][0][feature_order(case.kept)]

    @jax.jit
    def found(drawn: list) -> list:
        rows = {name: value[:ROWS] for name, value in case.rows.items()}
        x, _ = batched(case.net.parts["features"])(begun["features"], {}, rows)
        made, left = {}, iter(drawn)
        for name, part in case.net.parts["body"].parts.items():
            if kind(part) == "ntk_dense":
                weight, index, share = next(left)
                made[name], x = dense_from_rows({"w": weight}, x, jnp.ones(ROWS), index, share)
            else:
                x, _ = batched(part)(begun["body"].get(name, {}), STATE["body"].get(name, {}), x)
        return made

    for name, made in found(drawn).items():
        for entry, value in made.items():
            np.testing.assert_allclose(value, begun["body"][name][entry], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", ["mixed classes", "mixed numbers"], indirect=True)
def test_six_steps_of_training(case: Case) -> None:
    target, _, _ = standardised(case)
    begun = ours(case.kept, "begun")
    hyper = {
        "learning_rate": 0.2 if case.regression else 0.04,
        "weight_decay": 0.02,
        "scale_factor": 6.0,
        "bias_factor": 0.1,
        "activation_factor": 0.1,
        "number_factor": 0.1,
        "embedding": 3,
    }
    smooth = lambda logits, target: losses.cross_entropy(logits, target, label_smoothing=0.1)
    loss = losses.squared_error if case.regression else smooth
    recipe = Recipe(case.net, loss, optimizer(hyper, EPOCHS * ROWS // BATCH), BATCH, EPOCHS)
    train = start(recipe, begun, STATE, KEY)
    one = jax.jit(lambda train, batch: step(recipe, train, batch)[0])
    for chosen in case.kept["order"].reshape(-1, BATCH):
        batch = jax.tree.map(lambda leaf: leaf[chosen], {"x": case.rows, "y": target})  # noqa: B023
        train = one(train, batch)
    found, wanted = dict(items(train.params)), dict(items(ours(case.kept, "trained")))
    for path, value in wanted.items():
        np.testing.assert_allclose(found[path], value, atol=1e-5, rtol=1e-4, err_msg=path)


def test_preparation(case: Case) -> None:
    codes, numbers = case.kept["raw/cat"], case.kept["raw/cont"]
    sizes = tuple(int(size) for size in codes.max(0) + 1) if codes.size else ()
    levels = features.by_cardinality(robust_levels(), features.ordinal(), 8)(Columns(sizes))

    @jax.jit
    def made(numbers: jax.Array, codes: jax.Array) -> tuple:
        return tuple(
            jax.vmap(partial(step.apply, step.fit(KEY, rows[:ROWS], None, None)))(rows)
            for step, rows in ((features.robust(), numbers), (levels.prepare, codes))
        )

    prepared, coded = made(numbers, codes)
    np.testing.assert_allclose(prepared, case.kept["prepared/numbers"], atol=1e-6)
    np.testing.assert_allclose(coded["flat"], case.kept["prepared/flat"], atol=1e-6)
    assert levels.sizes == tuple(size for size in sizes if size > 9)
    assert coded["categories"].shape == case.rows["categories"].shape


def test_schedules() -> None:
    steps = np.arange(101)
    for name, schedule in (("coslog4", optim.coslog), ("flat_cos", optim.flat_cosine)):
        np.testing.assert_allclose(jax.jit(schedule(1.0, 100))(steps), KEPT[name], atol=2e-6)
