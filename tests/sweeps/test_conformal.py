"""Conformal intervals and sets against closed forms, plain loops and MAPIE's numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold

from jdl.sweeps import conformal

# Of MAPIE 1.6.0 with scikit-learn 1.9.1, level 0.8: CrossConformalRegressor(LinearRegression(), cv=KFold(5)),
# SplitConformalRegressor fitted on the even rows, and ConformalizedQuantileRegressor, with
# symmetric_correction=True, of the quantiles x - 0.5 and x + 0.5.
X = np.linspace(0, 3, 30)[:, None]
Y = np.round(np.sin(5 * X[:, 0]) + X[:, 0], 2)
NEW = np.array([[0.5], [1.5], [2.5]])
MAPIE_CV_PLUS = [[-0.821187, 2.095537], [0.058529, 3.060969], [1.192108, 4.148669]]
MAPIE_SPLIT = [[-0.283625, 1.500208], [0.719292, 2.503125], [1.722208, 3.506042]]
MAPIE_CQR = [[-0.443448, 1.443448], [0.556552, 2.443448], [1.556552, 3.443448]]


def test_cv_plus_is_mapies():
    scores, fold, predicted = np.zeros(30), np.zeros(30, int), []
    for number, (train, held) in enumerate(KFold(5).split(X)):
        model = LinearRegression().fit(X[train], Y[train])
        scores[held] = conformal.interval_scores(model.predict(X[held]), model.predict(X[held]), Y[held])
        fold[held] = number
        predicted.append(model.predict(NEW))
    found = conformal.cv_plus_intervals(predicted, predicted, scores, fold, 0.8)
    np.testing.assert_allclose(found, MAPIE_CV_PLUS, atol=1e-6)


def test_split_intervals_are_mapies():
    model = LinearRegression().fit(X[::2], Y[::2])
    scores = np.abs(Y[1::2] - model.predict(X[1::2]))
    found = conformal.split_intervals(model.predict(NEW), model.predict(NEW), scores, 0.8)
    np.testing.assert_allclose(found, MAPIE_SPLIT, atol=1e-6)


def test_conformalized_quantiles_are_mapies():
    scores = conformal.interval_scores(X[:, 0] - 0.5, X[:, 0] + 0.5, Y)
    found = conformal.split_intervals(NEW[:, 0] - 0.5, NEW[:, 0] + 0.5, scores, 0.8)
    np.testing.assert_allclose(found, MAPIE_CQR, atol=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 0.75, 0.9]))
def test_cv_plus_is_the_plain_loop(seed, level):
    """Barber et al. (2021), equations (3) and (6), written out."""
    rng = np.random.default_rng(seed)
    low = rng.normal(size=(3, 4))
    high = low + rng.uniform(size=(3, 4))
    scores, fold = rng.uniform(0.5, 3, 25), rng.integers(0, 3, 25)
    found = conformal.cv_plus_intervals(low, high, scores, fold, level)
    for row in range(4):
        down = sorted(low[k, row] - score for k, score in zip(fold, scores, strict=True))
        up = sorted(high[k, row] + score for k, score in zip(fold, scores, strict=True))
        rank = int(np.ceil(level * 26 - 1e-9))
        assert found[row, 0] == pytest.approx(down[25 - rank])
        assert found[row, 1] == pytest.approx(up[rank - 1])
    members = rng.dirichlet(np.ones(3), (3, 4))
    sets = conformal.cv_plus_sets(members, scores / 3, fold, level)
    for row, number in np.ndindex(4, 3):
        worse = sum(score / 3 < members[k, row, number] for k, score in zip(fold, scores, strict=True))
        assert sets[row, number] == (worse < level * 26 - 1e-9)


def test_chunks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    low, scores, fold = rng.normal(size=(3, 50)), rng.uniform(size=30), np.arange(30) % 3
    whole = conformal.cv_plus_intervals(low, low, scores, fold, 0.9)
    monkeypatch.setattr(conformal, "CHUNK", 210)
    np.testing.assert_array_equal(conformal.cv_plus_intervals(low, low, scores, fold, 0.9), whole)


def test_intervals_cover_as_often_as_asked_for():
    """Over 200 resamples, on skewed noise that grows with x: split, and quantiles that are wrong."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        x = rng.uniform(size=(2, 200))
        y = x + (rng.exponential(size=(2, 200)) - 0.5) * x
        mean = conformal.interval_scores(x[0], x[0], y[0])
        around = conformal.split_intervals(x[1], x[1], mean, 0.9)
        band = conformal.interval_scores(0.8 * x[0], 1.5 * x[0], y[0])
        quantiles = conformal.split_intervals(0.8 * x[1], 1.5 * x[1], band, 0.9)
        found.append([conformal.coverage(interval, y[1]) for interval in (around, quantiles)])
    np.testing.assert_allclose(np.mean(found, 0), 0.9, atol=0.015)


def test_sets_cover_as_often_as_asked_for():
    """Over 200 resamples, of a model that is too sure of itself."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(200):
        logits = rng.normal(size=(400, 4)) * 1.5
        y = (special.softmax(logits, 1).cumsum(1) < rng.uniform(size=(400, 1))).sum(1)
        probabilities = special.softmax(2 * logits, 1)
        each = []
        for scores in (
            conformal.set_scores(probabilities, rng.uniform(size=400)),
            conformal.set_scores(probabilities, rng.uniform(size=400), penalty=0.1, free=1),
            conformal.never_empty(conformal.set_scores(probabilities)),
        ):
            sets = conformal.split_sets(scores[200:], conformal.of_target(scores[:200], y[:200]), 0.9)
            each.append(conformal.coverage(sets, y[200:]))
        assert sets.any(1).all()
        found.append(each)
    np.testing.assert_allclose(np.mean(found, 0), 0.9, atol=0.015)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.5), st.integers(0, 3))
def test_scores_of_sets_are_the_papers(seed, penalty, free):
    """Romano et al. (2020) and Angelopoulos et al. (2021), less 1, class by class."""
    rng = np.random.default_rng(seed)
    probabilities, uniform = rng.dirichlet(np.ones(4), 5), rng.uniform(size=5)
    found = conformal.set_scores(probabilities, uniform, penalty, free)
    for row, number in np.ndindex(5, 4):
        own = probabilities[row, number]
        likelier = probabilities[row][probabilities[row] > own]
        over = max(0, len(likelier) + 1 - free)
        wanted = likelier.sum() + uniform[row] * own + penalty * over - 1
        assert found[row, number] == pytest.approx(wanted, abs=1e-12)


def test_a_sure_model_is_told_from_a_surer_one():
    """Sums from the top are 1 in floating point from 1e-16 on."""
    probabilities = np.array([[1 - 1e-20, 1e-20, 1e-40], [1 - 1e-30, 1e-30, 1e-50]])
    scores = conformal.set_scores(probabilities)
    assert scores[0, 0] < scores[1, 0] < scores[0, 1] < 0


def test_greater_levels_give_greater_sets():
    rng = np.random.default_rng(3)
    new, scores = rng.uniform(size=(20, 5)), rng.uniform(size=50)
    sizes = [conformal.split_sets(new, scores, level).sum() for level in (0.3, 0.6, 0.9, 0.99)]
    assert sizes == sorted(sizes) and sizes[-1] == 100


def test_too_few_rows_promise_nothing():
    assert conformal.quantile([1.0, 2.0], 0.9) == np.inf
    assert np.isinf(conformal.split_intervals([0.0], [0.0], [1.0], 0.9)).all()
    assert np.isinf(conformal.cv_plus_intervals([[0.0]], [[0.0]], [1.0], [0], 0.9)).all()
    assert conformal.cv_plus_sets([[[0.5, 9.0]]], [0.1], [0], 0.9).all()


def test_bad_input_is_named():
    for call, message in (
        (lambda: conformal.quantile([1.0], 1.0), r"level: found 1.0, needs a coverage in \(0, 1\)"),
        (lambda: conformal.quantile([np.nan], 0.9), "scores: have shape .* none missing"),
        (lambda: conformal.quantile([], 0.9), "one number a row"),
        (lambda: conformal.interval_scores([1.0], [1.0, 2.0], [1.0]), "lower, upper, target: have shapes"),
        (lambda: conformal.split_intervals([0.0], [0.0, 1.0], [1.0], 0.5), "lower and upper: have shapes"),
        (lambda: conformal.cv_plus_intervals([0.0], [0.0], [1.0], [0], 0.5), r"need one \(folds, rows\)"),
        (lambda: conformal.cv_plus_intervals([[0.0]], [[0.0]], [1.0], [1], 0.5), "fold: .* from 0 to 0"),
        (lambda: conformal.cv_plus_sets([[0.0]], [1.0], [0], 0.5), r"needs \(folds, rows, classes\)"),
        (lambda: conformal.set_scores([0.5, 0.5]), r"probabilities: have shape \(2,\)"),
        (
            lambda: conformal.set_scores([[0.5, 0.5]], [2.0]),
            r"uniform: has shape \(1,\), needs .* in \[0, 1\]",
        ),
        (lambda: conformal.set_scores([[0.5, 0.5]], penalty=-1), "penalty and free: found -1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
