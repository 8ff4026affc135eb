"""What a sweep's runs give without another fit: of members made by hand, and of two that were trained."""

import io
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest

import jdl
from jdl import sweeps
from jdl.sweeps.compare import paired
from jdl.sweeps.crossfit import log_loss
from jdl.sweeps.curves import curve, histories
from jdl.sweeps.predict import fold_predictions, member_outputs
from tests.sweeps import made

WEIGHTS = np.array([[1.0], [0.0], [2.0]])  # of numbers/0, numbers/1 and age


@pytest.fixture(scope="module")
def numbers():
    """Two configurations, four folds, two seeds: one knows what made the target, one the reverse."""
    x = made.rows(60, 0)
    noise = np.random.default_rng(1).normal(size=60) * 0.3
    data = {"x": x, "y": (made.flat(x) @ WEIGHTS[:, 0] + noise).astype(np.float32)}
    return made.made(made.of_numbers, [-WEIGHTS, WEIGHTS], data, made.folds(60, 4), seeds=2)


@pytest.fixture(scope="module")
def kinds():
    """Three classes: both configurations know one half of what made them."""
    x, rng = made.rows(90, 2), np.random.default_rng(3)
    one, two = rng.normal(size=(2, 3, 3))
    logits = 2 * made.flat(x) @ (one + two)
    target = (logits + rng.gumbel(size=logits.shape)).argmax(1).astype(np.int32)
    return made.made(made.of_classes, [one, two], {"x": x, "y": target}, made.folds(90, 3))


@pytest.fixture(scope="module")
def trained():
    x = made.rows(33, 4)
    data = {"x": x, "y": (x["age"] > 0).astype(np.int32)}
    return jdl.sweep(made.of_classes, {"rate": [0.1, 0.5]}, jax.random.key(0), data, folds=3, stop=0.2)


def test_members_predict_what_the_sweep_said_of_the_rows_held_out(trained):
    found = member_outputs(trained, list(trained.results), trained.data["x"])
    for number, outputs in found.items():
        held = trained.folds[trained.members[number, 1]].held
        np.testing.assert_allclose(outputs[held], trained.results[number].outputs, atol=1e-5)


def test_an_ensemble_predicts_by_the_members_chosen(kinds):
    found = kinds.ensemble()
    assert found.weights.sum() == pytest.approx(1) and (found.weights > 0).all()
    assert found.scores["log_loss"] < min(
        log_loss(kinds.out_of_fold(config), kinds.data["y"]) for config in range(2)
    )
    accuracy = np.mean(found.cross_fitted.argmax(1) == kinds.data["y"])
    assert found.scores["accuracy"] == pytest.approx(accuracy)
    new = made.rows(11, 5)
    wanted = [fold_predictions(kinds, config, new).mean(0) for config in range(2)]
    np.testing.assert_allclose(found.predict(new), np.tensordot(found.weights, wanted, 1), atol=1e-5)


def test_an_ensemble_of_numbers_leaves_out_what_is_wrong(numbers):
    found = numbers.ensemble()
    assert found.weights.tolist() == [0, 1]
    assert found.scores["squared_error"] == pytest.approx(found.scores["mse"], rel=1e-5)
    new = made.rows(5, 6)
    np.testing.assert_allclose(found.predict(new), made.flat(new) @ WEIGHTS + 0.155, atol=1e-5)


def test_rows_that_no_fold_holds_out_stay_out(kinds):
    fewer = made.made(made.of_classes, [np.eye(3), -np.eye(3)], kinds.data, kinds.folds[:2])
    found = fewer.ensemble()
    out = kinds.folds[2].held
    assert np.isnan(found.cross_fitted[out]).all() and np.isfinite(found.scores["log_loss"])
    assert np.isnan(sweeps.calibrated(fewer).out_of_fold[out]).all()
    assert (sweeps.decisions(fewer, "accuracy").out_of_fold[out] == -1).all()
    with pytest.raises(ValueError, match="needs at least two"):
        made.made(made.of_classes, [np.eye(3)], kinds.data, kinds.folds[:1]).ensemble()


def test_calibration_and_decisions_are_cross_fitted(kinds):
    rule = sweeps.calibrate.temperature()
    found = sweeps.calibrated(kinds, 0)
    own = kinds.folds[1].held
    rest = np.setdiff1d(np.arange(90), own)
    logits, target = np.log(kinds.out_of_fold(0)), kinds.data["y"]
    np.testing.assert_allclose(
        found.out_of_fold[own], rule.apply(rule.fit(logits[rest], target[rest], None), logits[own]), rtol=1e-4
    )
    np.testing.assert_allclose(found.stats, rule.fit(logits, target, None), rtol=1e-4)
    np.testing.assert_allclose(found.apply(logits[:3]), rule.apply(found.stats, logits[:3]))
    chosen = sweeps.decisions(kinds, "balanced_accuracy", 0)
    assert set(chosen.out_of_fold.tolist()) <= {0, 1, 2}
    assert chosen.apply([[0.0, 0.0, 1.0]]).tolist() == [2]


def test_intervals_and_sets_cover_new_rows(numbers, kinds):
    new = made.rows(2000, 7)
    noise = np.random.default_rng(8).normal(size=2000) * 0.3
    found = sweeps.intervals(numbers, new, 0.8)
    assert found.shape == (2000, 2)
    assert 0.7 < sweeps.conformal.coverage(found, made.flat(new) @ WEIGHTS[:, 0] + noise) < 0.95
    sets = sweeps.prediction_sets(kinds, new, 0.8)
    assert sets.shape == (2000, 3) and sets.any(1).all()
    random = np.zeros(90), np.zeros(2000)
    assert sweeps.prediction_sets(kinds, new, 0.8, uniform=random, penalty=0.1, free=1).any(1).all()


def test_importance_of_a_linear_network_is_known(numbers):
    r"""Permuting a column of weight w adds 2 w² var(x) to the squared error; of weight 0, nothing."""
    found = sweeps.importance(numbers, jax.random.key(1), repeats=100)
    importance = dict(zip(found["column"], found["importance"], strict=True))
    assert list(importance) == ["age", "numbers/0", "numbers/1"]
    assert importance["numbers/1"] == pytest.approx(0, abs=1e-5)
    for name, weight, column in (("age", 2, 2), ("numbers/0", 1, 0)):
        spread = np.mean([made.flat(numbers.data["x"])[fold.held, column].var() for fold in numbers.folds])
        assert importance[name] == pytest.approx(2 * weight**2 * spread, rel=0.3)


def test_importance_reads_only_rows_held_out(numbers):
    some = made.made(made.of_numbers, [WEIGHTS], numbers.data, numbers.folds[:2])
    x = {name: values.copy() for name, values in some.data["x"].items()}
    unread = np.concatenate([fold.held for fold in numbers.folds[2:]])
    for values in x.values():
        values[unread] = 99
    other = made.made(made.of_numbers, [WEIGHTS], {**some.data, "x": x}, some.folds)
    found = [sweeps.importance(runs, jax.random.key(2), repeats=2) for runs in (some, other)]
    assert found[0].equals(found[1])
    with pytest.raises(ValueError, match="repeats: found 0"):
        sweeps.importance(some, jax.random.key(2), repeats=0)


def test_configurations_are_compared_on_the_same_folds(numbers):
    found = sweeps.compare(numbers, 0, 1)
    by_fold = numbers.scores().mean(2)
    assert found == paired(by_fold[0], by_fold[1], 1 / 3)
    assert found.difference > 0 and found.p_value < 0.1


def test_curves_are_medians_of_the_members_that_went_on(numbers):
    values = histories(numbers, 0, "loss")
    found = curve(values)
    assert values.shape == (8, 3)
    assert found.median[:2] == pytest.approx([3.155, 2.155]) and np.isnan(found.median[2])
    assert (found.lower[:2] < found.median[:2]).all() and (found.median[:2] < found.upper[:2]).all()
    with pytest.raises(ValueError, match=r"histories: found 'auc', needs one of \['loss'\]"):
        histories(numbers, 0, "auc")


def test_a_plot_is_a_figure_of_its_own(trained):
    before = "matplotlib.pyplot" in sys.modules
    file = io.BytesIO()
    figure = trained.plot()
    figure.savefig(file, format="svg")
    assert b"<svg" in file.getvalue()
    left, right = figure.axes
    assert [line.get_label() for line in left.lines][:2] == ["training", "choosing the epoch"]
    assert left.get_ylabel() == right.get_ylabel() == "accuracy"
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_targets_of_the_wrong_kind_are_named(numbers, kinds):
    for call, message in (
        (
            lambda: sweeps.calibrated(numbers),
            r"calibrated: y is float32 of shape \(60,\); needs one integer class",
        ),
        (lambda: sweeps.decisions(numbers, "f1"), "decisions: y is float32"),
        (lambda: sweeps.prediction_sets(numbers, made.rows(2, 0)), "prediction_sets: y is float32"),
        (
            lambda: sweeps.intervals(kinds, made.rows(2, 0)),
            r"intervals: y is int32 of shape \(90,\); needs numbers",
        ),
        (
            lambda: replace(kinds, results={}).ensemble(),
            "ensemble: no configuration was trained on all folds",
        ),
    ):
        with pytest.raises(jdl.train.RecipeError, match=message):
            call()
