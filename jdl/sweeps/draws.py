"""Points of the unit cube at which configurations are drawn, one coordinate for each hyper-parameter."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdl.train.recipe import RecipeError, check_count

Points = dict[str, NDArray[np.float64]]  # (count,) each, in [0, 1)


def random_points(names: Sequence[str], count: int, seed: int) -> Points:
    """Draw each coordinate from its own stream."""
    check_count("count", count)
    return {name: _stream(name, seed).random(count) for name in names}


def sobol_points(names: Sequence[str], count: int, seed: int) -> Points:
    """Give a Sobol sequence, one dimension for each name in order, scrambled by the seed and the name.

    A dimension's direction numbers do not depend on how many there are, and each is scrambled on its own:
    the last column of one sequence and the last of another are columns of one net.
    """
    from scipy.stats import qmc  # takes a second to import

    check_count("count", count)
    power = (count - 1).bit_length()
    columns = {}
    for i, name in enumerate(names):
        engine = qmc.Sobol(i + 1, scramble=True, rng=_stream(name, seed))
        columns[name] = engine.random_base2(power)[:count, i]
    return columns


def _stream(name: str, seed: Any) -> np.random.Generator:
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise RecipeError(f"seed: found {seed!r}, needs an integer of at least 0")
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), np.uint32)
    return np.random.default_rng([int(seed), *words.tolist()])
