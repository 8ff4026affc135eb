"""Who is compared on tables, each with its package's own defaults; a line here adds a contender.

- Boosted trees: at most 2,000 rounds, stopped after 50 without gain on 10 % of the training rows, the best
  round kept (scikit-learn, which keeps the last, after its own 10); all else is the package's default.
- pytabkit: RealMLP-TD and TD-S as they come: 256 epochs, a validation cut of 20 %, the best epoch by class
  error or RMSE. `:log-loss` is what its documentation advises where probabilities matter: no label smoothing,
  the best epoch by cross-entropy.
- tabm: the recipe of the package's example: quantiles to a normal, piecewise-linear embeddings of 48 bins, 32
  members, AdamW (2e-3, decay 3e-4), batches of 256, gradients clipped at 1, patience 16 by accuracy or RMSE
  on a cut of 20 %. `:log-loss` goes by the loss of classes instead, as accuracy says little on few rows.
- scikit-learn's MLP on standardised and one-hot columns, stopped early beyond 10,000 rows, as its boosting
  does; logistic regression and ridge on the same columns.
- jdl: what ``jdl fit`` does, with the network after the colon; ``jdl:default`` is the one it takes unasked.
"""

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from tables import Table

SOME = 5000  # rows from which a contender's seconds are estimated


class Fitted(NamedTuple):
    """Predictions of the test rows, the seconds that parts of the work took, and the epochs trained.

    ``outputs`` are probabilities ``(rows, classes)``, in the order of the table's classes, or numbers
    ``(rows,)``.
    """

    outputs: np.ndarray
    seconds: dict[str, float] = {}
    epochs: int | None = None


class Contender(NamedTuple):
    """A module of this package with ``fit(table, seed, **options) -> Fitted``."""

    module: str
    options: dict[str, Any] = {}
    packages: tuple[str, ...] = ()  # whose versions decide whether a result still holds; "a|b" is either
    deep: bool = False
    seeded: bool = True  # whether a seed changes anything

    def fit(self, table: Table, seed: int) -> Fitted:
        """Train on the table's training rows and predict its test rows."""
        return self._module().fit(table, seed, **self.options)

    def estimate(self, table: Table) -> float | None:
        """Give the seconds that ``fit`` would about take, where that can be told from a small part of it."""
        estimate: Callable | None = getattr(self._module(), "estimate", None)
        return None if estimate is None else estimate(table, **self.options)

    def _module(self) -> Any:
        return importlib.import_module(f"tabular_peers.{self.module}")


def _jdl(network: str | None) -> Contender:
    return Contender("jdl_fit", {"network": network}, ("jdl", "jax", "jaxlib"), deep=True)


def _realmlp(**options: Any) -> Contender:
    return Contender("pytabkit_realmlp", options, ("pytabkit", "torch"), deep=True)


def _tabm(**options: Any) -> Contender:
    packages = ("tabm", "rtdl_num_embeddings", "torch", "scikit-learn")
    return Contender("tabm_package", options, packages, deep=True)


CONTENDERS = {
    "jdl:default": _jdl(None),
    "jdl:mlp": _jdl("mlp"),
    "jdl:mlp_plr": _jdl("mlp_plr"),
    "jdl:realmlp": _jdl("realmlp"),
    "jdl:tabm": _jdl("tabm"),
    "realmlp-td": _realmlp(),
    "realmlp-td:log-loss": _realmlp(val_metric_name="cross_entropy", use_ls=False),
    "realmlp-td-s": _realmlp(simple=True),
    "tabm": _tabm(),
    "tabm:log-loss": _tabm(by_loss=True),
    "sklearn-mlp": Contender("sklearn_models", {"model": "mlp"}, ("scikit-learn",), deep=True),
    "sklearn-hgb": Contender("boosting", {"package": "sklearn"}, ("scikit-learn",)),
    "lightgbm": Contender("boosting", {"package": "lightgbm"}, ("lightgbm",)),
    "xgboost": Contender("boosting", {"package": "xgboost"}, ("xgboost|xgboost-cpu",)),
    "catboost": Contender("boosting", {"package": "catboost"}, ("catboost",)),
    "linear": Contender("sklearn_models", {"model": "linear"}, ("scikit-learn",), seeded=False),
}


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add what the block took to ``seconds[name]``."""
    began = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began


def extrapolated(table: Table, train: Callable[[Table, int], Any], epochs: int) -> float:
    """Estimate the seconds of ``epochs`` from a few of them on some of the rows."""
    rows = min(SOME, table.train.height)
    some = table._replace(train=table.train.sample(rows, seed=0), test=table.test.head(100))
    took = []
    for few in (1, 1, 5):  # the first one warms up
        began = time.perf_counter()
        train(some, few)
        took.append(time.perf_counter() - began)
    return (took[2] - took[1]) / 4 * epochs * table.train.height / rows
