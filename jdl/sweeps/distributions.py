"""What a hyper-parameter may be: a range, a choice, and under which condition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, evenly spread, or evenly in their logarithm."""

    low: Any
    high: Any
    log: bool
    whole: bool


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    options: tuple


@dataclass(frozen=True)
class Traced:
    """Numbers that become arrays, which share one program."""

    of: Any


@dataclass(frozen=True)
class When:
    """What is there only under a condition."""

    condition: Mapping[str, Any]
    of: Any


class Axis(NamedTuple):
    """One hyper-parameter of a checked space; ``dtype`` is that of its array where it is traced."""

    condition: dict[str, tuple]  # values of others, of each of which one must hold
    of: Range | Choice
    dtype: Any


def uniform(low: float, high: float) -> Range:
    """Any number from ``low`` to ``high``: a float, which is traced.

    >>> from jdl.sweeps import random
    >>> random({"dropout": uniform(0.0, 0.5)}, 2)[0]["dropout"] < 0.5
    True
    """
    return Range(low, high, log=False, whole=False)


def log_uniform(low: float, high: float) -> Range:
    """Any number from ``low`` above 0 to ``high``, its logarithm evenly spread: a float, which is traced.

    >>> from jdl.sweeps import random
    >>> random({"rate": log_uniform(1e-4, 1e-1)}, 2)[0]["rate"] > 1e-4
    True
    """
    return Range(low, high, log=True, whole=False)


def integer(low: int, high: int, log: bool = False) -> Range:
    r"""A whole number from ``low`` to ``high``, both included; fixed in its program unless ``traced``.

    With ``log``, for ``low`` of at least 1, k has a probability in proportion to :math:`\log((k + 1) / k)`.

    >>> from jdl.sweeps import random
    >>> sorted({config["depth"] for config in random({"depth": integer(1, 3)}, 20)})
    [1, 2, 3]
    """
    return Range(low, high, log=log, whole=True)


def choice(*options: Any) -> Choice:
    """One of the options, all alike; fixed in its program unless it is a float or ``traced``.

    >>> from jdl.sweeps import grid
    >>> grid({"width": choice(32, 64)})
    [{'width': 32}, {'width': 64}]
    """
    return Choice(options)


def traced(values: Any) -> Traced:
    """Make the numbers of ``integer``, ``choice``, a list or a constant arrays, which share one program.

    The recipe may compute with them, as it does with floats; it cannot use them as a shape.

    >>> from jdl.sweeps import grid
    >>> grid({"steps": traced(choice(1, 2))})
    [{'steps': array(1)}, {'steps': array(2)}]
    """
    return Traced(values)


def when(condition: Mapping[str, Any], values: Any) -> When:
    """Give a hyper-parameter only to configurations in which others have certain values.

    ``condition`` holds a value for each of them, or a list of which any will do; one that is itself left out
    has no value. Elsewhere the configuration is without it: the recipe reads ``hyper.get(name)``, or does not
    read it.

    >>> from jdl.sweeps import grid
    >>> grid({"optimizer": ["sgd", "adam"], "momentum": when({"optimizer": "sgd"}, [0.0, 0.9])})
    [{'optimizer': 'sgd', 'momentum': 0.0}, {'optimizer': 'sgd', 'momentum': 0.9}, {'optimizer': 'adam'}]
    """
    return When(condition, values)


def same(found: Any, wanted: Any) -> bool:
    """Whether two values are one: True is not 1."""
    if isinstance(found, np.ndarray | np.generic) and found.ndim == 0:
        found = found.item()
    if isinstance(found, np.ndarray):
        return np.array_equal(found, wanted)
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)


def listed(values: Any) -> bool:
    """Whether values are a list of options, rather than one constant."""
    return isinstance(values, list | range) or (isinstance(values, np.ndarray) and values.ndim > 0)
