"""What is worth trying of a network's hyper-parameters, where nobody says."""

from collections.abc import Collection, Mapping
from typing import Any

from jdl.sweeps.distributions import Range, log_uniform, uniform

FACTORS = {"learning_rate": 5.0, "weight_decay": 10.0, "penalty": 10.0, "highest": 3.0, "temperature": 3.0}
"""How far from the default, up and down, what is tried evenly in its logarithm."""

MOST = {"dropout": 0.5, "residual_dropout": 0.2, "attention_dropout": 0.5}
"""Up to where, from 0, what is tried evenly."""


def around(hyper: Mapping[str, Any], fixed: Collection[str] = ()) -> dict[str, Range]:
    """Give ranges around a network's defaults: of those hyper-parameters that change how well it learns.

    They are continuous, so that all configurations share one program. What is ``fixed`` by name is left as it
    is, and so is what is 0 by default and would be spread by its logarithm.

    >>> from jdl.sweeps import random
    >>> space = around({"learning_rate": 0.1, "dropout": 0.2, "weight_decay": 0.0, "epochs": 9})
    >>> sorted(space), space["learning_rate"].high
    (['dropout', 'learning_rate'], 0.5)
    >>> len(random(space, 3))
    3
    """
    spread = {
        name: log_uniform(hyper[name] / factor, hyper[name] * factor)
        for name, factor in FACTORS.items()
        if isinstance(hyper.get(name), float) and hyper[name] > 0
    }
    found = spread | {name: uniform(0.0, most) for name, most in MOST.items() if name in hyper}
    return {name: span for name, span in found.items() if name not in fixed}
