"""The estimators: by scikit-learn's own checks, and by what those do not ask."""

import pickle
import sys

import jax
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import jdl
from jdl import nn
from jdl.estimators.rows import bucket, padded
from jdl.sweeps import uniform

# Repeating a row is not giving it twice the weight where batches are drawn at random: the rows that come
# together differ. scikit-learn's own SGDClassifier and SGDRegressor are expected to fail these two as well.
BATCHES = "weights and repeated rows make other batches"
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": BATCHES,
    "check_sample_weight_equivalence_on_sparse_data": BATCHES,
}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [jdl.Classifier("linear", epochs=60)], expected_failed_checks=lambda estimator: EXPECTED
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [jdl.Regressor("linear", epochs=60), jdl.Transformer(2, widths=(8,), epochs=12)],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_scikit_learns_checks_of_the_others(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def classifier(iris):
    return jdl.Classifier("linear", random_state=0, epochs=200).fit(*iris)


def test_it_is_about_as_good_as_logistic_regression(iris, classifier):
    assert classifier.score(*iris) > LogisticRegression(max_iter=1000).fit(*iris).score(*iris) - 0.03


def test_tables_of_nearly_one_length_share_programs(iris, classifier):
    x, y = iris
    programs = sys.modules["jdl.train.run"]._programs
    before = set(programs)
    jdl.Classifier("linear", random_state=1, epochs=200).fit(x[1:] * 1e3, y[1:])
    assert set(programs) == before


def test_it_works_in_scikit_learns_hands(iris):
    x, y = iris
    model = jdl.Classifier("linear", random_state=0)
    assert cross_val_score(make_pipeline(StandardScaler(), model), x, y, cv=3).mean() > 0.85
    rates = [{"learning_rate": 1e-6}, {"learning_rate": 1e-2}]
    search = GridSearchCV(model, {"hyper": rates}, cv=3).fit(x, y)
    assert search.best_params_ == {"hyper": rates[1]}
    calibrated = CalibratedClassifierCV(model, cv=3).fit(x, y)
    np.testing.assert_allclose(calibrated.predict_proba(x).sum(1), 1, rtol=1e-6)
    found = permutation_importance(search.best_estimator_, x, y, n_repeats=3, random_state=0)
    assert found.importances_mean.argmax() in (2, 3)  # the petals


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_frames_are_taken_as_they_are(library):
    rng = np.random.default_rng(0)
    kind = rng.choice(["north", "south", "east"], 300)
    size = np.where(rng.random(300) < 0.2, np.nan, rng.normal(size=300))
    y = np.where(kind == "north", "yes", "no")
    frame = library({"kind": kind, "size": size})
    model = jdl.Classifier("linear", random_state=0).fit(frame, y)
    assert model.score(frame, y) == 1.0
    assert model.classes_.tolist() == ["no", "yes"]
    assert [part.name for part in model.schema_.categories] == ["kind"]
    unseen = library({"kind": ["west", "north"], "size": [None, 0.0]})
    assert np.isfinite(model.predict_proba(unseen)).all()


def test_missing_and_infinite_numbers_are_missing(iris):
    x, y = iris[0].copy(), iris[1]
    x[::7, 0], x[::11, 2] = np.nan, np.inf
    model = jdl.Classifier("linear", random_state=0).fit(x, y)
    assert np.isfinite(model.predict_proba(np.full((2, 4), np.nan))).all()


def test_several_numbers_and_labels():
    x, y = load_diabetes(return_X_y=True)
    both = np.stack([y, -2 * y + 1e6], 1)
    found = jdl.Regressor("linear", random_state=0).fit(x, both).predict(x)
    assert found.shape == both.shape
    assert np.corrcoef(found[:, 0], y)[0, 1] > 0.65 and np.corrcoef(found[:, 1], -y)[0, 1] > 0.65
    labels = np.stack([y > 100, y > 200], 1).astype(int)
    model = jdl.Classifier("linear", random_state=0).fit(x, labels)
    assert model.predict(x).shape == labels.shape == model.predict_proba(x).shape
    assert (model.predict(x) == labels).mean() > 0.7


def test_passes_go_on_where_they_were():
    x, y = load_breast_cancer(return_X_y=True)
    whole, other = (jdl.Classifier("linear", random_state=0) for _ in range(2))
    for _ in range(20):
        whole.partial_fit(x, y)
        other = pickle.loads(pickle.dumps(other.partial_fit(x, y)))
    np.testing.assert_array_equal(whole.predict_proba(x), other.predict_proba(x))
    assert whole.score(x, y) > 0.9 and whole.n_iter_ == 20
    assert whole.model_.history == ()
    with pytest.raises(ValueError, match=r"y: row 1 has the class 7, which is not one of \[0, 1\]"):
        whole.partial_fit(x[:2], [0, 7])


def test_a_search_is_a_sweep_and_its_best_is_kept(iris):
    search = [{"learning_rate": rate} for rate in (1e-6, 1e-2)]
    model = jdl.Classifier("linear", cv=3, search=search, random_state=0).fit(*iris)
    assert model.runs_.scores().shape == (2, 3, 1)
    assert model.hyper_["learning_rate"] == 1e-2
    assert model.score(*iris) > 0.85
    assert model.runs_.configs[0]["rows"] == 90 and model.hyper_["rows"] >= 150  # without those that stop


def test_a_number_searches_around_the_defaults(iris):
    model = jdl.Classifier("linear", epochs=3, cv=2, search=3, random_state=0).fit(*iris)
    first, *others = model.runs_.configs
    assert (
        first["learning_rate"] == jdl.Classifier("linear", random_state=0).fit(*iris).hyper_["learning_rate"]
    )
    assert len({config["penalty"] for config in others}) == len(others) == 2
    assert model.hyper_["penalty"] in [config["penalty"] for config in model.runs_.configs]
    model = jdl.Classifier("linear", hyper={"penalty": 1e-3, "rows": 99}, epochs=3, cv=2, search=np.int64(2))
    configs = model.fit(*iris).runs_.configs
    assert [config["penalty"] for config in configs] == [1e-3] * 2 and configs[1]["rows"] == 99
    for search in (True, "random", 2.5, [3]):
        with pytest.raises(ValueError, match="needs a dict of lists, a list of dicts, or how many"):
            jdl.Classifier("linear", cv=2, search=search).fit(*iris)
    with pytest.raises(ValueError, match="search: found 1, needs at least 2 configurations"):
        jdl.Classifier("linear", cv=2, search=1).fit(*iris)
    fixed = ("penalty", "learning_rate", "weight_decay")
    with pytest.raises(ValueError, match="search: found 4, but what to try of batch_size, epochs, rows is"):
        jdl.Classifier("linear", hyper=dict.fromkeys(fixed, 0.1), cv=2, search=4).fit(*iris)


def test_a_layer_or_a_function_is_a_model(iris):
    x, y = iris
    layer = nn.chain(nn.dense(16), nn.relu, nn.dense(3))
    assert jdl.Classifier(layer, random_state=0, hyper={"learning_rate": 1e-2}).fit(x, y).score(x, y) > 0.9

    def recipe(hyper):
        network = nn.chain(nn.function(lambda row: row["numbers"]), nn.dense(3))
        return jdl.Recipe(network, jdl.losses.cross_entropy, jdl.optim.adam(hyper["rate"]), 16, 100)

    assert jdl.Classifier(recipe, hyper={"rate": 0.05}, random_state=0).fit(x, y).score(x, y) > 0.9


def test_learned_features_tell_what_was_learned(iris):
    x, y = iris
    made = make_pipeline(jdl.Transformer(2, random_state=0, epochs=60), LogisticRegression()).fit(x, y)
    assert made.score(x, y) > 0.93
    assert made[0].get_feature_names_out().tolist() == ["transformer0", "transformer1"]


def test_an_autoencoder_keeps_what_varies():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(400, 2))
    x = hidden @ rng.normal(size=(2, 10))
    model = jdl.Transformer(2, widths=(32,), hyper={"dropout": 0.0}, epochs=60, random_state=0)
    found = model.fit_transform(x)
    assert LinearRegression().fit(found, hidden).score(found, hidden) > 0.9
    with pytest.raises(jdl.train.RecipeError, match="hyper: found 'width', needs one of"):
        jdl.Transformer(hyper={"width": 3}).fit(x)


def test_the_model_is_saved_and_says_the_same(iris, classifier, tmp_path):
    x, _ = iris
    jdl.io.save(classifier.model_, tmp_path / "model")
    table = pl.DataFrame(x, schema=[f"x{i}" for i in range(4)])
    found = jdl.io.load(tmp_path / "model").predict_table(table)
    np.testing.assert_allclose(found.to_numpy()[:, 1:], classifier.predict_proba(x), atol=1e-6)
    assert found["prediction"].to_list() == classifier.predict(x).tolist()


def test_bad_input_is_named(iris, classifier):
    x, y = iris
    for call, error, message in (
        (
            lambda: jdl.Classifier("mpl").fit(x, y),
            jdl.train.RecipeError,
            "network: found 'mpl', needs",
        ),
        (lambda: jdl.Classifier(3).fit(x, y), jdl.train.RecipeError, "model: found a int, needs 'auto'"),
        (
            lambda: jdl.Classifier("linear", hyper={"lr": 1}).fit(x, y),
            jdl.train.RecipeError,
            "hyper: found 'lr', needs one of",
        ),
        (lambda: jdl.Classifier(search={}).fit(x, y), ValueError, "need folds to compare by; give cv"),
        (
            lambda: jdl.Classifier("linear", cv=3, search={"learning_rate": uniform(0, 1)}).fit(x, y),
            jdl.train.RecipeError,
            "a range has no grid, needs a list or choice",
        ),
        (lambda: jdl.Classifier(validation=1.0).fit(x, y), ValueError, "validation: found 1.0"),
        (lambda: classifier.predict(x[:, :2]), ValueError, "X has 2 features, but Classifier is expecting 4"),
        (lambda: jdl.Regressor().fit(x, [np.nan] * 150), ValueError, "y contains NaN"),
        (lambda: jdl.Classifier().fit(x, y * 0), ValueError, "y: has 1 class"),
        (lambda: jdl.Classifier().fit(x, y * 0.37), ValueError, "Unknown label type: continuous"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_padding_is_of_no_weight():
    assert all(rows <= bucket(rows) <= max(1.26 * rows, rows + 1) for rows in range(1, 1025))
    assert all(rows <= bucket(rows) <= 1.04 * rows for rows in range(1025, 10**6, 997))
    data = padded({"a": np.arange(5)}, np.arange(5), np.full(5, 2.0))
    assert data["weight"].sum() == 10 and len(data["y"]) == bucket(5)
    assert jax.tree.all(jax.tree.map(lambda leaf: len(leaf) == bucket(5), data))


def test_logarithms_of_probabilities_are_exact_where_they_are_small(iris, classifier):
    x = iris[0] * 100  # so far out that a probability is 0
    found, shares = classifier.predict_log_proba(x), classifier.predict_proba(x)
    np.testing.assert_allclose(np.exp(found), shares, atol=1e-12)
    assert np.isfinite(found).all()


def test_other_classes_than_those_of_the_first_call_are_refused(iris):
    model = jdl.Classifier("linear").partial_fit(*iris, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"classes: found \[0, 1, 3\], the first call had \[0, 1, 2\]"):
        model.partial_fit(*iris, classes=[0, 1, 3])
