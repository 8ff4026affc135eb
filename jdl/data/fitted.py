"""Offset and scale of numbers, so that float32 can hold them."""

import numpy as np
from numpy.typing import NDArray

from jdl.data.columns import Number


def fitted(values: NDArray[np.float64]) -> Number:
    """Shift where float32 would lose digits, scale where its squares would overflow or vanish.

    >>> fitted(np.array([1.7e9, 1.7e9 + 2])).offset, fitted(np.array([0.0, 2.0])).offset
    (1700000001.0, 0.0)
    """
    center, spread = center_and_spread(values)
    low, high = float(values.min()), float(values.max())
    offset = center if max(-low, high) > 64 * spread else 0.0
    scale = 1.0 if 1e-9 < spread < 1e9 else 2.0 ** round(np.log2(spread))
    return Number("", offset=offset, scale=scale, low=low, high=high)


def center_and_spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation, without overflow; the spread of a constant is taken as 1."""
    unit = float(np.abs(values).max()) or 1.0
    spread = unit * float(np.std(values / unit))
    return unit * float(np.mean(values / unit)), spread if spread > 0 else 1.0
