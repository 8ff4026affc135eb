"""Functional deep learning on JAX: networks, and whole training runs, as pure functions."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jdl import _devices

if TYPE_CHECKING:
    from jdl import (
        data,
        datasets,
        estimators,
        features,
        io,
        losses,
        metrics,
        models,
        nn,
        optim,
        report,
        sweeps,
        train,
        tree,
    )
    from jdl.estimators import Classifier, Regressor, Transformer
    from jdl.io import Model
    from jdl.sweeps.leakage import assert_no_leakage
    from jdl.sweeps.runs import Runs
    from jdl.sweeps.sweep import sweep
    from jdl.train import Recipe, TrainState
    from jdl.train.fit import fit
    from jdl.train.loop import loop
    from jdl.train.run import run

__version__ = "0.1.0"

_MODULES = (
    "data", "datasets", "estimators", "features", "io", "losses", "metrics", "models", "nn", "optim",
    "report", "sweeps", "train", "tree",
)  # fmt: skip
_NAMES = {
    "Classifier": "jdl.estimators",
    "Model": "jdl.io",
    "Regressor": "jdl.estimators",
    "Recipe": "jdl.train",
    "Runs": "jdl.sweeps",
    "TrainState": "jdl.train",
    "Transformer": "jdl.estimators",
    "assert_no_leakage": "jdl.sweeps",
    "fit": "jdl.train",
    "loop": "jdl.train",
    "run": "jdl.train",
    "sweep": "jdl.sweeps",
}

__all__ = [
    "Classifier", "Model", "Recipe", "Regressor", "Runs", "TrainState", "Transformer", "assert_no_leakage",
    "data", "datasets", "estimators", "features", "fit", "io", "loop", "losses", "metrics", "models", "nn",
    "optim", "report", "run", "sweep", "sweeps", "train", "tree",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a part of the library at its first use."""
    if name in _NAMES:
        value = getattr(import_module(_NAMES[name]), name)
    elif name in _MODULES:
        value = import_module(f"jdl.{name}")
    else:
        raise AttributeError(f"module 'jdl' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_devices.configure()
