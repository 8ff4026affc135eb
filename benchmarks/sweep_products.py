"""What comes of out-of-fold predictions, against MAPIE and scikit-learn, on the same predictions.

Run `python benchmarks/sweep_products.py [--only coverage calibration ensemble] [--resamples 200]`; the first
part needs `mapie`. It prints, and writes to results/sweep_products.json:

* coverage: conformal intervals and sets at level 0.9 over resamples of calibration and test rows, by the same
  models and folds: coverage, mean width (or size of sets), and the ratio of ours to MAPIE's
* calibration: log-loss on test rows of probabilities calibrated on the same out-of-fold predictions
* ensemble: seconds to select from 1,000 members on 10,000 rows, and to do so without each of five folds
"""

import argparse
import json
import logging
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from measure import machine
from sklearn import datasets, metrics, model_selection
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import jdl
from jdl.sweeps import calibrate, conformal, ensemble

OUT = Path(__file__).parent / "results" / "sweep_products.json"
LEVEL = 0.9
MEMBERS, ROWS, REPEATS = 1000, 10_000, 5

Pair = tuple[np.ndarray, np.ndarray]


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parts = {"coverage": coverage, "calibration": calibration, "ensemble": ensembles}
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    for name in options.only:
        results[name] = parts[name](options.resamples)
    results["machine"] = machine(("jax", "numpy", "scikit-learn", "mapie"))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=1) + "\n")


def coverage(resamples: int) -> dict:
    """Compare intervals and sets with MAPIE's."""
    found = {}
    for name, draw in {**regressions(), **classifications()}.items():
        rows = [measured for seed in range(resamples) for measured in [draw(seed)]]
        ours, theirs = (np.mean([row[side] for row in rows], 0) for side in ("jdl", "mapie"))
        found[name] = {
            "coverage": ours[0],
            "width": ours[1],
            "mapie_coverage": theirs[0],
            "mapie_width": theirs[1],
            "width_ratio": ours[1] / theirs[1],
        }
        show(name, found[name])
    return found


def regressions() -> dict[str, Callable[[int], dict]]:
    """Make draws of each kind of interval on data with uneven noise and on real data."""
    rng = np.random.default_rng(0)
    x, clean = datasets.make_friedman1(6000, random_state=0)
    noisy = clean + rng.normal(size=len(x)) * (0.5 + 3 * x[:, 0])
    tables = {"friedman": (x, noisy), "diabetes": datasets.load_diabetes(return_X_y=True)}
    found: dict[str, Callable[[int], dict]] = {}
    for name, (x, y) in tables.items():
        first = len(x) // 3
        mean = Ridge().fit(x[:first], y[:first])
        quantiles = [
            GradientBoostingRegressor(loss="quantile", alpha=alpha, n_estimators=60).fit(x[:first], y[:first])
            for alpha in (0.05, 0.95, 0.5)
        ]
        rest = x[first:], y[first:]
        found[f"split, {name}"] = lambda seed, rest=rest, mean=mean: split(seed, rest, mean)
        found[f"CV+, {name}"] = lambda seed, rest=rest: cv_plus(seed, rest)
        found[f"CQR, {name}"] = lambda seed, rest=rest, three=quantiles: cqr(seed, rest, three)
    return found


def halves(seed: int, data: Pair) -> tuple[Pair, Pair]:
    """Draw rows to calibrate on and rows to test on, 500 of each at most."""
    order = np.random.default_rng(seed).permutation(len(data[0]))
    size = min(len(order) // 2, 500)
    first, second = order[:size], order[size : 2 * size]
    return (data[0][first], data[1][first]), (data[0][second], data[1][second])


def of_intervals(target: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> dict:
    """Give coverage and mean width of both."""
    each = {"jdl": ours, "mapie": theirs}
    return {
        name: (conformal.coverage(found, target), np.mean(found[:, 1] - found[:, 0]))
        for name, found in each.items()
    }


def split(seed: int, data: Pair, model: Ridge) -> dict:
    """Split conformal intervals around a mean."""
    from mapie.regression import SplitConformalRegressor

    (x, y), (new, target) = halves(seed, data)
    scores = conformal.interval_scores(model.predict(x), model.predict(x), y)
    ours = conformal.split_intervals(model.predict(new), model.predict(new), scores, LEVEL)
    peer = SplitConformalRegressor(model, LEVEL).conformalize(x, y)
    return of_intervals(target, ours, peer.predict_interval(new)[1][:, :, 0])


def cv_plus(seed: int, data: Pair) -> dict:
    """CV+ intervals from five folds."""
    from mapie.regression import CrossConformalRegressor

    (x, y), (new, target) = halves(seed, data)
    folds = model_selection.KFold(5, shuffle=True, random_state=seed)
    scores, fold, predicted = np.zeros(len(y)), np.zeros(len(y), int), []
    for number, (train, held) in enumerate(folds.split(x)):
        model = Ridge().fit(x[train], y[train])
        scores[held], fold[held] = np.abs(y[held] - model.predict(x[held])), number
        predicted.append(model.predict(new))
    ours = conformal.cv_plus_intervals(predicted, predicted, scores, fold, LEVEL)
    peer = CrossConformalRegressor(Ridge(), LEVEL, cv=folds).fit_conformalize(x, y)
    return of_intervals(target, ours, peer.predict_interval(new)[1][:, :, 0])


def cqr(seed: int, data: Pair, models: list) -> dict:
    """Conformalized quantile regression, with one correction of both edges as in the paper."""
    from mapie.regression import ConformalizedQuantileRegressor

    (x, y), (new, target) = halves(seed, data)
    low, high = models[:2]
    scores = conformal.interval_scores(low.predict(x), high.predict(x), y)
    ours = conformal.split_intervals(low.predict(new), high.predict(new), scores, LEVEL)
    peer = ConformalizedQuantileRegressor(models, LEVEL, prefit=True).conformalize(x, y)
    found = peer.predict_interval(new, symmetric_correction=True)[1][:, :, 0]
    return of_intervals(target, ours, found)


def classifications() -> dict[str, Callable[[int], dict]]:
    """Make draws of sets of digits' classes, of a model that is right four times in five."""
    x, y = datasets.load_digits(return_X_y=True)
    noisy = x + np.random.default_rng(0).normal(size=x.shape) * 5
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05)).fit(noisy[:600], y[:600])
    rest = noisy[600:], y[600:]
    logging.getLogger().setLevel(logging.WARNING)  # MAPIE says of every draw that quantiles cross
    return {
        "APS, digits": lambda seed: sets(seed, rest, model, "aps", True, np.asarray),
        "RAPS, digits": lambda seed: sets(seed, rest, model, "raps", True, np.asarray),
        "APS never empty, digits": lambda seed: sets(seed, rest, model, "aps", True, conformal.never_empty),
        "APS plain never empty, digits": lambda seed: sets(
            seed, rest, model, "aps", False, conformal.never_empty
        ),
    }


def sets(seed: int, data: Pair, model, kind: str, random: bool, adapt: Callable) -> dict:
    """Split conformal sets; MAPIE chooses the penalty of its regularised ones on a fifth of the rows."""
    from mapie.classification import SplitConformalClassifier

    (x, y), (new, target) = halves(seed, data)
    penalty, free = (0.01, 1) if kind == "raps" else (0.0, 0)
    rng = np.random.default_rng(seed)
    known, fresh = (rng.uniform(size=len(rows)) if random else None for rows in (x, new))
    scores = adapt(conformal.set_scores(model.predict_proba(x), known, penalty, free))
    fresh_scores = adapt(conformal.set_scores(model.predict_proba(new), fresh, penalty, free))
    ours = conformal.split_sets(fresh_scores, conformal.of_target(scores, y), LEVEL)
    peer = SplitConformalClassifier(model, LEVEL, conformity_score=kind, random_state=seed).conformalize(x, y)
    last = "randomized" if random else True
    theirs = peer.predict_set(new, conformity_score_params={"include_last_label": last})[1][:, :, 0]
    each = {"jdl": ours, "mapie": theirs.astype(bool)}
    return {name: (conformal.coverage(found, target), found.sum(1).mean()) for name, found in each.items()}


class Known(ClassifierMixin, BaseEstimator):
    """A classifier whose inputs are its probabilities: what scikit-learn is to calibrate."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> "Known":
        """Note the classes."""
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Give the inputs."""
        return x

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Give the likeliest class."""
        return self.classes_[x.argmax(1)]


def calibration(_: int) -> dict:
    """Compare log-losses of calibrated probabilities with those of scikit-learn's CalibratedClassifierCV."""
    models = {
        "naive Bayes": GaussianNB(),
        "forest": RandomForestClassifier(60, random_state=0),
        "network": make_pipeline(StandardScaler(), MLPClassifier((32,), max_iter=60, random_state=0)),
    }
    found = {}
    for table, (x, y) in tables().items():
        for name, model in models.items():
            rows = [calibrated(seed, x, y, model) for seed in range(REPEATS)]
            found[f"{name}, {table}"] = {key: statistics.mean(row[key] for row in rows) for key in rows[0]}
            show(f"{name}, {table}", found[f"{name}, {table}"])
    return found


def calibrated(seed: int, x: np.ndarray, y: np.ndarray, model) -> dict[str, float]:
    """Calibrate on five folds' predictions; score on two fifths of the rows, by a model of the rest."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    train, test, known, target = model_selection.train_test_split(
        x, y, test_size=0.4, random_state=seed, stratify=y
    )
    folds = model_selection.StratifiedKFold(5, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged
        held = model_selection.cross_val_predict(model, train, known, cv=folds, method="predict_proba")
        new = clone(model).fit(train, known).predict_proba(test)
    scores = {"none": metrics.log_loss(target, np.clip(new, 1e-12, 1))}
    three = calibrate.temperature(), calibrate.vector(), calibrate.isotonic()
    for name, rule in {**{rule.name: rule for rule in three}, "best of": calibrate.best_of(*three)}.items():
        stats = rule.fit(calibrate.logits_of(held), known, None)
        scores[name] = metrics.log_loss(target, rule.apply(stats, calibrate.logits_of(new)))
    for method in ("temperature", "sigmoid", "isotonic"):
        frozen = FrozenEstimator(Known().fit(held, known))
        peer = CalibratedClassifierCV(frozen, method=method, ensemble=False).fit(held, known)
        scores[f"sklearn_{method}"] = metrics.log_loss(target, peer.predict_proba(new))
    return scores


def tables() -> dict[str, Pair]:
    """Give the tables: two of scikit-learn's, and 4,000 rows of Adult."""
    frame = pl.read_parquet(Path(jdl.datasets.__file__).parent / "adult.parquet").sample(4000, seed=0)
    schema = jdl.data.infer_schema(frame, frame.columns[-1])
    y = schema.encode_target(frame)
    wide = frame.select([name for name in frame.columns[:-1]])
    texts = [name for name, dtype in wide.schema.items() if not dtype.is_numeric()]
    x = wide.to_dummies(texts).fill_null(0).to_numpy().astype(float)
    return {
        "breast cancer": datasets.load_breast_cancer(return_X_y=True),
        "digits": datasets.load_digits(return_X_y=True),
        "adult": (x, y),
    }


def ensembles(_: int) -> dict:
    """Time the selection of ensembles."""
    found = {}
    for name, members, target in libraries():
        fold = np.arange(ROWS) % 5
        ensemble.select(members, target)
        seconds, processor, crossed = [], [], []
        for _ in range(REPEATS):
            began, used = time.perf_counter(), time.process_time()
            weights = ensemble.select(members, target)
            seconds.append(time.perf_counter() - began)
            processor.append(time.process_time() - used)
            began = time.perf_counter()
            ensemble.cross_fitted(members, target, fold)
            crossed.append(time.perf_counter() - began)
        parts = {"seconds": seconds, "processor_seconds": processor, "cross_fitted_seconds": crossed}
        found[name] = {key: statistics.median(values) for key, values in parts.items()}
        found[name]["chosen"] = int((weights > 0).sum())
        show(name, found[name])
    return found


def libraries() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Make members of various skill whose errors are partly shared."""
    rng = np.random.default_rng(0)
    for classes in (2, 3):
        target = rng.integers(0, classes, ROWS)
        shared = rng.normal(size=(20, ROWS, classes)).astype(np.float32)
        members = np.empty((MEMBERS, ROWS, classes), np.float32)
        for i in range(MEMBERS):
            own = rng.normal(size=(ROWS, classes)) * rng.uniform(0.1, 0.4)
            logits = np.eye(classes)[target] * rng.uniform(0.6, 1) + shared[rng.integers(20)] * 0.5 + own
            members[i] = calibrate.softmax(logits)
        yield f"{classes} classes", members, target
    numbers = rng.normal(size=ROWS).astype(np.float32)
    skill = rng.uniform(0.3, 1, (MEMBERS, 1))
    noise = rng.normal(size=(MEMBERS, ROWS)) * 0.5
    yield "numbers", (skill * numbers + noise).astype(np.float32), numbers


def show(name: str, values: dict) -> None:
    """Print a line."""
    print(f"{name:28}", "  ".join(f"{key} {value:.4g}" for key, value in values.items()), flush=True)


if __name__ == "__main__":
    main()
