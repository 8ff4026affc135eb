"""scikit-learn: ``GridSearchCV`` of an ``MLPClassifier``."""

from collections.abc import Callable
from typing import Any

from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

from sweep_peers import Trained
from sweep_peers.cases import Case
from sweep_peers.prepared import preparation, raw


def build(case: Case) -> Callable[[], Trained]:
    """Two processes; nothing stops before its last epoch."""
    network = MLPClassifier(
        case.widths,
        alpha=0.0,
        batch_size=case.batch,
        max_iter=case.epochs,
        tol=0.0,
        n_iter_no_change=case.epochs + 1,
    )
    return lambda: searched(case, network, "learning_rate_init", {"random_state": list(range(case.seeds))})


def searched(case: Case, network: Any, rate: str, seeds: dict[str, list]) -> Trained:
    """Search the grid; seeds are one more parameter of it."""
    steps: list[tuple[str, Any]] = [("network", network)]
    if case.sizes:
        steps.insert(0, ("prepare", preparation(case)))
    grid = {f"network__{name}": values for name, values in ({rate: list(case.rates)} | seeds).items()}
    options = {"scoring": "accuracy", "n_jobs": 2, "refit": False, "error_score": "raise"}
    search = GridSearchCV(Pipeline(steps), grid, cv=list(case.folds), **options)
    found = search.fit(raw(case), case.y).cv_results_
    scores: dict[float, list[float]] = {value: [] for value in case.rates}
    for params, score in zip(found["params"], found["mean_test_score"], strict=True):
        scores[params[f"network__{rate}"]].append(score)
    return Trained(case.by_configuration(list(scores.values())))
