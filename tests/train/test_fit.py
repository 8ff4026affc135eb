"""A whole run as a pure function: against NumPy, against its own parts, and under ``vmap``."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

import jdl
from jdl import nn, train
from jdl.nn.layer import fold
from jdl.train.fit import begin, order, steps_key
from tests.quick import optimised
from tests.train.tiny import (
    KEY,
    assert_close,
    assert_same_bits,
    classifier,
    compiled_fit,
    line,
    plain,
    regressor,
    standardise,
    table,
)


def batches(key, epoch, data, size):
    """The batches of an epoch, the last one short."""
    rows = np.asarray(order(steps_key(key), epoch, len(data["y"]), len(data["y"])))
    return [jax.tree.map(lambda leaf: leaf[rows[i : i + size]], data) for i in range(0, len(rows), size)]  # noqa: B023


def descend(w, b, batch, rate):
    """One step of gradient descent of a linear model, in float64: new weights, and the sum of losses."""
    x, y = batch["x"].astype(float), batch["y"].astype(float)
    weight = np.asarray(batch.get("weight", np.ones(len(y))), float)[:, None]
    error = x @ w + b - y
    pull = 2 * weight * error / weight.sum()
    return w - rate * x.T @ pull, b - rate * pull.sum(0), float((weight * error**2).sum())


def test_vmap_over_keys_and_hyper_parameters_equals_the_separate_runs():
    data, valid = table(40), table(30, seed=1)
    keys = jax.random.split(KEY, 4)
    hyper = {
        "learning_rate": jnp.array([0.01, 0.03, 0.01, 0.02]),
        "decay": jnp.array([0.0, 1e-2, 1e-1, 1e-3]),
        "rate": jnp.array([0.0, 0.5, 0.2, 0.5]),
    }
    fit = lambda key, hyper: jdl.fit(classifier(hyper, batch_size=20, epochs=12), key, data, valid)
    together = jax.jit(jax.vmap(fit))(keys, hyper)
    alone = jax.jit(fit)
    for i in range(4):
        member = jax.tree.map(lambda leaf: leaf[i], together)  # noqa: B023
        separate = alone(keys[i], jax.tree.map(lambda leaf: leaf[i], hyper))  # noqa: B023
        for name in ("loss", "valid_loss", "log_loss"):
            np.testing.assert_allclose(
                member.history[name][:10], separate.history[name][:10], rtol=1e-5, atol=1e-5
            )  # two steps an epoch
        assert member.history["best_epoch"] == separate.history["best_epoch"]
        assert_close(member.params, separate.params, 1e-4)
    started = together.history["loss"][:, 0]
    assert len(set(np.asarray(started).tolist())) == 4  # no two members alike


def test_vmap_over_data_and_weights():
    data = line(12)
    weights = jnp.array([[1.0] * 12, [1.0] * 6 + [0.0] * 6])
    fit = lambda weight: jdl.fit(regressor(), KEY, data | {"weight": weight})
    together = jax.jit(jax.vmap(fit))(weights)
    for i in range(2):
        assert_close(jax.tree.map(lambda leaf: leaf[i], together), jax.jit(fit)(weights[i]))  # noqa: B023


def test_a_run_is_its_steps_one_by_one():
    data, recipe = table(40), classifier(batch_size=20, epochs=2, metrics={})
    whole = compiled_fit(recipe)(KEY, data)
    begun = begin(recipe, KEY, data, False).train
    step = jax.jit(lambda state, batch: train.step(recipe, state, batch))
    for epoch in range(recipe.epochs):
        for batch in batches(KEY, epoch, data, 20):
            begun, _ = step(begun, batch)
    assert_close((whole.params, whole.state), (begun.params, begun.state))


def test_jit_changes_nothing():
    data, recipe = line(20), regressor(epochs=2)
    assert_close(compiled_fit(recipe)(KEY, data, data), jdl.fit(recipe, KEY, data, data))


@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_descent_equals_numpy_over_the_same_batches(weighted):
    data = line(20)
    if weighted:
        data["weight"] = np.random.default_rng(3).uniform(0.1, 2.0, 20).astype(np.float32)
    run = compiled_fit(regressor(epochs=4))(KEY, data)  # batches of 8, 8 and 4: the last is padded
    params, _ = nn.dense(1).init(fold(KEY, "init"), data["x"][0])
    w, b = np.asarray(params["w"], float), np.asarray(params["b"], float)
    mass = float(np.sum(data.get("weight", np.ones(20))))
    for epoch in range(4):
        total = 0.0
        for batch in batches(KEY, epoch, data, 8):
            w, b, loss = descend(w, b, batch, 0.1)
            total += loss
        np.testing.assert_allclose(run.history["loss"][epoch], total / mass, rtol=1e-5)
    assert_close(run.params, {"w": w, "b": b})


def test_the_order_is_a_permutation_of_key_and_epoch():
    many = 70_000  # more than sixteen bits
    for rows, padded in ((1, 1), (50, 64), (many, many)):
        found = np.asarray(order(KEY, 3, rows, padded))
        assert sorted(found[:rows]) == list(range(rows))
        assert (found[rows:] == found[: padded - rows]).all()
    first, second = (np.asarray(order(KEY, epoch, 50, 50)).tolist() for epoch in (0, 1))
    assert first != second != np.asarray(order(jax.random.key(8), 1, 50, 50)).tolist()


@optimised()
def test_rows_of_weight_zero_change_no_bit():
    """Whatever they hold: in training, validation, preparation, class weights, the start and the metrics."""

    def start(params, state, key, rows, weight):
        mean = (weight[:, None] * rows).sum(0) / weight.sum()
        return params | {"dense": params["dense"] | {"b": jnp.tile(mean, 2)}}, state

    recipe = classifier(prepare=standardise(), class_weight="balanced", start=start, epochs=2)
    fit = compiled_fit(recipe)

    def run(number, label):
        data, valid = table(50), table(30, seed=1)
        for rows, every in ((data, 3), (valid, 4)):
            rows["weight"] = np.linspace(0.5, 2, len(rows["y"])).astype(np.float32)
            rows["weight"][::every] = 0
            rows["x"][::every], rows["y"][::every] = number, label
        return fit(KEY, data, valid)

    expected = run(0.0, 0)
    assert np.isfinite(expected.history["loss"]).all()
    for number, label in ((np.nan, 2), (np.inf, -5), (-np.inf, 2**31 - 1), (1e30, -(2**31))):
        assert_same_bits(run(number, label), expected)


@optimised()
def test_integer_and_boolean_weights_are_weights():
    data = line(12)
    mask = np.arange(12) % 3 > 0
    fit = compiled_fit(regressor())
    runs = [fit(KEY, data | {"weight": mask.astype(kind)}) for kind in (np.float32, np.int32, bool)]
    assert_same_bits(runs[1], runs[0])
    assert_same_bits(runs[2], runs[0])


def test_weights_equal_duplicated_rows():
    data, times = table(30), np.random.default_rng(2).integers(1, 4, 30)
    recipe = classifier(network=nn.chain(nn.batch_norm(), nn.dense(3)), batch_size=1000, epochs=5)
    weighted = compiled_fit(recipe)(KEY, data | {"weight": times})
    repeated = compiled_fit(recipe)(KEY, jax.tree.map(lambda leaf: np.repeat(leaf, times, axis=0), data))
    assert_close(weighted, repeated)


def test_class_weights_equal_weights_by_example_and_balanced_ones_those_of_scikit_learn():
    data = table(48)
    factors = compute_class_weight("balanced", classes=np.arange(3), y=data["y"]).astype(np.float32)
    assert len(set(factors)) > 1
    by_class = compiled_fit(plain(class_weight=factors))(KEY, data, data)
    assert_close(compiled_fit(plain(class_weight="balanced"))(KEY, data, data), by_class)
    by_example = data | {"weight": factors[data["y"]]}
    assert_close(compiled_fit(plain())(KEY, by_example, by_example), by_class)


def test_class_weights_leave_metrics_and_batch_statistics_alone():
    data = table(48)
    still = {"learning_rate": 0.0, "decay": 0.0}
    net = nn.chain(nn.batch_norm(), nn.dense(3))
    fits = [
        compiled_fit(classifier(still, network=net, class_weight=factors))(KEY, data, data)
        for factors in (None, np.array([0.1, 1.0, 10.0]))
    ]
    assert_close(fits[1].state, fits[0].state)
    for name in ("accuracy", "valid_accuracy", "valid_log_loss"):
        np.testing.assert_allclose(fits[1].history[name], fits[0].history[name], rtol=1e-6)
    assert abs(fits[1].history["valid_loss"] - fits[0].history["valid_loss"]).min() > 1e-3


@pytest.mark.parametrize("weighted", [False, True])
def test_accumulating_equals_the_big_batch(weighted):
    data = table(40)
    if weighted:
        data["weight"] = np.random.default_rng(0).integers(0, 3, 40).astype(np.float32)
    whole, parts = (compiled_fit(plain(accumulate=k))(KEY, data) for k in (1, 4))
    assert_close(parts, whole)


def test_accumulating_updates_batch_statistics_part_by_part():
    net = nn.chain(nn.batch_norm(), nn.dense(3))
    data, recipe = table(16), classifier(accumulate=2, epochs=1, network=net, metrics={})
    params, state = recipe.network.init(KEY, data["x"][0])
    run = compiled_fit(recipe)(KEY, data)
    rows = np.asarray(order(steps_key(KEY), 0, 16, 16))
    for part in (rows[:8], rows[8:]):
        _, state = nn.batched(recipe.network)(params, state, data["x"][part], key=KEY)
    assert_close(run.state, state)


def test_the_average_is_evaluated_and_returned():
    data, recipe = line(16), regressor(ema=0.8, epochs=1, batch_size=2)
    begun = train.start(recipe, *recipe.network.init(KEY, data["x"][0]), KEY)
    step = jax.jit(lambda state, batch: train.step(recipe, state, batch)[0])
    average = np.asarray(begun.params["w"], float)
    for i in range(8):
        begun = step(begun, jax.tree.map(lambda leaf: leaf[2 * i : 2 * i + 2], data))  # noqa: B023
        decay = min(0.8, (1 + i) / (10 + i))
        average = decay * average + (1 - decay) * np.asarray(begun.params["w"], float)
    np.testing.assert_allclose(begun.average["w"], average, rtol=1e-5)
    done = compiled_fit(regressor(ema=0.8))(KEY, data, data)
    last = compiled_fit(regressor())(KEY, data)
    assert abs(done.params["w"] - last.params["w"]).max() > 1e-3
    error = data["x"] @ done.params["w"] + done.params["b"] - data["y"]
    best = done.history["valid_loss"][done.history["best_epoch"]]
    np.testing.assert_allclose(best, np.mean(error**2), rtol=1e-5)


def test_half_precision_computes_in_it_and_keeps_parameters():
    seen = []

    @nn.layer
    def spy(my, x):
        seen.append(x.dtype.name)
        return x

    data, losses_by = table(32), {}
    for precision in ("float32", "bfloat16", "float16"):
        seen.clear()
        run = compiled_fit(plain(network=nn.chain(nn.dense(3), spy), precision=precision))(KEY, data)
        assert set(seen) == {precision}
        assert {leaf.dtype.name for leaf in jax.tree.leaves(run.params)} == {"float32"}
        losses_by[precision] = run.history["loss"]
        np.testing.assert_allclose(run.history["loss"], losses_by["float32"], rtol=0.03)
        assert run.history["skipped"] == 0
