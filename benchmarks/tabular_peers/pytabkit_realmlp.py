"""RealMLP of pytabkit, with its tuned defaults (TD) or the simpler ones (TD-S)."""

from typing import Any

import numpy as np
from measure import torch_device
from tables import Table

from tabular_peers import Fitted, extrapolated, timed
from tabular_peers.rows import THREADS, frames, numbers, targets

EPOCHS = 256  # the package's default


def fit(table: Table, seed: int, simple: bool = False, **options: Any) -> Fitted:
    """Fit with a validation cut of the package's own."""
    seconds: dict[str, float] = {}
    x, test = _inputs(table)
    y = targets(table)[0]
    if not table.classes:
        options.pop("use_ls", None), options.pop("val_metric_name", None)
    with timed(seconds, "import"):
        kind = _kind(table, simple)
        model = kind(device=torch_device(), random_state=seed, n_threads=THREADS, **options)
    with timed(seconds, "fit"):
        model.fit(x, y, cat_col_names=table.categories)
    with timed(seconds, "predict"):
        outputs = model.predict_proba(test) if table.classes else model.predict(test)
    return Fitted(np.asarray(outputs), seconds)


def estimate(table: Table, **options: Any) -> float:
    """Give the seconds of all its epochs."""
    return extrapolated(table, lambda some, epochs: fit(some, 0, **options, n_epochs=epochs), EPOCHS)


def _kind(table: Table, simple: bool) -> Any:
    from pytabkit.models.sklearn import sklearn_interfaces

    name = f"RealMLP_TD{'_S' if simple else ''}_{'Classifier' if table.classes else 'Regressor'}"
    return getattr(sklearn_interfaces, name)


def _inputs(table: Table) -> tuple[Any, Any]:
    """Give frames in which no number is missing, as the package asks."""
    both = frames(table, categorical=False)
    for rows, values in zip(both, numbers(table), strict=True):
        rows[table.numbers] = values
    return both
