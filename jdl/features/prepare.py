"""Preparation as a pair of pure functions."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Prepare(NamedTuple):
    """Preprocessing that lives inside a training run.

    ``fit(key, rows, target, weight) -> stats`` learns from the rows of weight above zero and from no other;
    ``apply(stats, row, fold=None, key=None) -> features`` prepares one row, without a batch axis.
    Both are pure, and work under ``jit`` and ``vmap``.
    """

    fit: Callable[..., Any]
    apply: Callable[..., Any]
