"""Recipes for tables: one function a schema, every choice inside the training rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

import jdl
from jdl import models
from jdl.data import Category, Number, Schema, Target
from jdl.models.smoothing import unsmoothed
from jdl.train import RecipeError

NUMBERS, CATEGORIES = (Number("a"), Number("b", missing=2)), (Category("c", ("x", "y", "z")),)
SORT = Schema(Target("t", "classification", classes=("no", "so", "yes")), NUMBERS, CATEGORIES)
AMOUNT = Schema(Target("t", "regression"), NUMBERS, CATEGORIES)
ROWS = 48
TINY = {"widths": (8,), "epochs": 3, "batch_size": 16}


def rows() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(ROWS, 2)).astype(np.float32)
    numbers[:5, 1] = np.nan
    return {"numbers": numbers, "categories": rng.integers(0, 4, (ROWS, 1)).astype(np.int32)}


def amounts() -> np.ndarray:
    return (3.0 * rows()["numbers"][:, 0] + 50.0).astype(np.float32)


def test_the_same_schema_gives_the_same_function() -> None:
    again = Schema.from_json(SORT.to_json())
    assert models.tabular(again) is models.tabular(SORT) is models.recipe(SORT, 10)[0]
    assert models.tabular(SORT, network="mlp") is models.tabular(SORT, "mlp")
    assert models.tabular(AMOUNT) is not models.tabular(SORT)
    assert models.tabular(SORT, "mlp") is not models.tabular(SORT)


@pytest.mark.parametrize(
    "network, rows, head",
    [("mlp", 1000, (128, 3)), ("mlp_plr", 3000, (128, 3)), ("mlp_plr", 1000, (5, 64, 3))],
)
def test_defaults_are_what_the_function_takes(network: str, rows: int, head: tuple[int, ...]) -> None:
    function, hyper = models.recipe(SORT, rows, network)
    recipe = function(hyper)
    assert recipe.monitor == "loss" and list(recipe.metrics) == ["accuracy"]
    features = {"numbers": jnp.zeros(2), "categories": jnp.zeros(1, int), "flat": jnp.zeros(1)}
    assert recipe.network.specs(features)["params"]["body/head/w"].shape == head


def test_few_rows_are_answered_by_several_members() -> None:
    members = [models.defaults(rows, SORT)["members"] for rows in (1, 600, 1000, 2500, 3000, 10**6)]
    assert members == [8, 8, 5, 2, 1, 1]
    quantity = [
        models.defaults(rows, AMOUNT)["members"] for rows in (2500, 3000, 28_571, 50_000, 66_667, 10**6)
    ]
    assert quantity == [2, 4, 4, 2, 1, 1]
    assert [models.defaults(400, schema)["numbers"] for schema in (SORT, AMOUNT)] == ["ranked", "robust"]


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_vectors_of_many_levels_are_forgotten_at_most_by_half(weight_decay: float) -> None:
    many = Schema(SORT.target, (), (Category("c", tuple(f"level {i}" for i in range(100))),))
    function, hyper = models.recipe(many, ROWS)
    hyper |= TINY | {"embedding": 2, "frequencies": 2, "members": 1, "weight_decay": weight_decay}
    rng = np.random.default_rng(0)
    data = {
        "x": {
            "numbers": np.zeros((ROWS, 0), np.float32),
            "categories": rng.integers(0, 101, (ROWS, 1)).astype(np.int32),
        },
        "y": rng.integers(0, 3, ROWS).astype(np.int32),
    }
    run = jdl.run(function, hyper, jax.random.key(0), data)
    tables = [leaf for path, leaf in jax.tree.leaves_with_path(run.params) if "table" in str(path)]
    assert tables and max(float(jnp.abs(table).max()) for table in tables) < 1


def test_smoothing_is_of_many_classes() -> None:
    of = lambda names: Schema(Target("t", "classification", classes=tuple(names)), NUMBERS)
    schemas = (SORT, of("abcde"), of("abcdef"), of("0123456789"), of("abcdefghijkl"), AMOUNT)
    found = [models.defaults(400, schema)["label_smoothing"] for schema in schemas]
    np.testing.assert_allclose(found, [0.0, 0.0, 0.02, 0.1, 0.1, 0.0])
    assert models.defaults(4000, of("0123456789"))["label_smoothing"] == 0.0


def test_members_learn_apart_and_answer_together() -> None:
    """The loss is the mean of the members' own, the prediction the mean of their probabilities."""
    function, hyper = models.recipe(SORT, 600)
    recipe = function(hyper | {"members": 2, "label_smoothing": 0.2})
    outputs, target = np.array([[2.0, 0.0, -1.0], [0.5, 1.0, 3.0]]), 2
    shares = scipy.special.softmax(outputs, 1)
    smoothed = 0.8 * np.eye(3)[target] + 0.2 / 3
    loss = -np.mean(np.log(shares) @ smoothed)
    np.testing.assert_allclose(recipe.loss(jnp.array(outputs), target), loss, rtol=1e-5)
    want = np.maximum((shares.mean(0) - 0.2 / 3) / 0.8, 3e-4)
    found = scipy.special.softmax(recipe.predict(jnp.array(outputs)))
    np.testing.assert_allclose(found, want / want.sum(), rtol=1e-5)


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6), st.floats(0.0, 0.9))
def test_smoothing_is_taken_back(weights: list[float], smoothing: float) -> None:
    shares = np.array(weights) / sum(weights)
    said = (1 - smoothing) * shares + smoothing / len(shares)
    found = jax.nn.softmax(unsmoothed(np.log(said).astype(np.float32), smoothing))
    np.testing.assert_allclose(found, shares, atol=1e-4)


@pytest.mark.parametrize(
    "rows, batch, epochs", [(10, 32, 100), (500, 32, 90), (29_305, 256, 12), (10**7, 1024, 12)]
)
def test_small_tables_get_small_batches_and_more_epochs(rows: int, batch: int, epochs: int) -> None:
    hyper = models.defaults(rows, SORT)
    assert (hyper["batch_size"], hyper["epochs"]) == (batch, epochs)


def test_names_that_are_not_known() -> None:
    function, hyper = models.recipe(SORT, 100, "mlp")
    with pytest.raises(RecipeError, match="hyper-parameter 'epoch' is unknown; did you mean 'epochs'?"):
        function(hyper | {"epoch": 3})
    with pytest.raises(RecipeError, match="hyper-parameter 'frequencies' is unknown"):
        function(hyper | {"frequencies": 3})
    del hyper["dropout"]
    with pytest.raises(RecipeError, match="hyper-parameter 'dropout' is missing"):
        function(hyper)
    with pytest.raises(RecipeError, match="'numbers': found 'rank', needs 'ranked' or 'robust'"):
        models.tabular(SORT)(models.defaults(9, SORT) | {"numbers": "rank"})
    with pytest.raises(RecipeError, match="network: found 'mlpx', needs one of linear, mlp, mlp_plr"):
        models.recipe(SORT, 100, "mlpx")


def fit_amounts(target: jax.Array, weight: np.ndarray) -> jdl.train.recipe.Run:
    function, hyper = models.recipe(AMOUNT, ROWS, "mlp")
    data = {"x": rows(), "y": target, "weight": weight}
    return jdl.fit(function(hyper | TINY | {"dropout": 0.0}), jax.random.key(0), data)


compiled_fit = jax.jit(fit_amounts)


def test_a_number_is_standardised_by_its_training_rows() -> None:
    weight = (np.arange(ROWS) < 32).astype(np.float32)
    done = compiled_fit(amounts(), weight)
    np.testing.assert_allclose(done.stats["target"]["mean"], amounts()[:32].mean(), rtol=1e-5)
    np.testing.assert_allclose(done.stats["target"]["std"], amounts()[:32].std(), rtol=1e-4)
    changed = np.where(weight > 0, amounts(), 1e6).astype(np.float32)
    other = compiled_fit(changed, weight)
    for a, b in zip(jax.tree.leaves(done), jax.tree.leaves(other), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_a_number_may_be_in_any_unit() -> None:
    weight = np.ones(ROWS, np.float32)
    done, other = compiled_fit(amounts(), weight), compiled_fit(amounts() * 1000 - 7e4, weight)
    np.testing.assert_allclose(done.history["r2"], other.history["r2"], atol=1e-2)
    assert float(done.history["r2"][0]) > -2  # the first guess is near the mean, not near 0


def test_runs_are_vmapped_over_folds() -> None:
    fold = np.arange(ROWS) % 2
    weights = np.stack([fold == 0, fold == 1]).astype(np.float32)
    both = jax.jit(jax.vmap(fit_amounts, in_axes=(None, 0)))(amounts(), weights)
    alone = compiled_fit(amounts(), weights[1])
    np.testing.assert_allclose(both.history["loss"][1], alone.history["loss"], rtol=1e-4)
    np.testing.assert_allclose(both.stats["target"]["mean"][1], amounts()[1::2].mean(), rtol=1e-5)


def test_it_learns_and_is_compiled_once() -> None:
    function, hyper = models.recipe(SORT, ROWS)
    data = {"x": rows(), "y": np.digitize(rows()["numbers"][:, 0], [-0.5, 0.5]).astype(np.int32)}
    hyper |= {"epochs": 40, "batch_size": 16, "widths": (32,), "dropout": 0.0}
    program = jdl.train.compiled(function, hyper, jax.random.key(0), data)
    done = program(hyper, jax.random.key(0), data)
    assert float(done.history["accuracy"][-1]) > 0.9
    again, other = models.tabular(Schema.from_json(SORT.to_json())), {"learning_rate": 0.1, "dropout": 0.0}
    assert jdl.train.compiled(again, hyper | other, jax.random.key(1), data) is program
