"""Configurations to be swept: grids and samples of spaces of hyper-parameters."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from jdl.train.recipe import RecipeError

Config = dict[str, Any]


def grid(space: Mapping[str, Any]) -> list[Config]:
    """Give all combinations of the values of each hyper-parameter, the last one changing fastest.

    A value that is no list is the same in all of them.

    >>> grid({"rate": [0.1, 0.01], "width": 64})
    [{'rate': 0.1, 'width': 64}, {'rate': 0.01, 'width': 64}]
    """
    axes = [
        list(values) if isinstance(values, list | range | np.ndarray) else [values]
        for values in space.values()
    ]
    empty = [name for name, axis in zip(space, axes, strict=True) if not axis]
    if empty:
        raise RecipeError(f"space[{empty[0]!r}]: has no values, needs at least one")
    return [dict(zip(space, values, strict=True)) for values in product(*axes)]
