"""Hyper-parameters of a saved model, checked before a network is made of them."""

import math
from collections.abc import Mapping
from typing import Any

from jdl import models
from jdl.data import Schema
from jdl.io import weights
from jdl.io.weights import Entry
from jdl.train import RecipeError

LAYERS = ("blocks", "crosses")  # that count layers
OF_TRAINING = ("rows", "epochs", "batch_size")  # that say nothing of the size of an array
MOST = 2**31 - 1  # of these
SIZES = 2**16  # that a layer may have, whatever the arrays are


def checked(
    found: Mapping[str, Any], schema: Schema, network: str | models.Network, entries: Mapping[str, Entry]
) -> dict[str, Any]:
    """Give the hyper-parameters with tuples where JSON has lists, each of the type of its default.

    Raises:
        RecipeError: one of another type, or one of which the arrays of the model are too few.
    """
    hyper = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    for name, default in models.defaults(1, schema, network).items():
        value = hyper.get(name, default)
        kind = "a list of whole numbers above 0" if isinstance(default, tuple) else type(default).__name__
        if not (type(value) is type(default) and _is_plain(value)):
            raise RecipeError(f"hyper-parameter {name!r}: found {_short(value)}, needs {kind}, finite")
        if not _can_be(name, value, entries):
            raise RecipeError(f"hyper-parameter {name!r}: found {_short(value)}, too many for the arrays")
    return hyper


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(type(part) is int and part > 0 for part in value)
    return value is None or isinstance(value, str) or math.isfinite(value)


def _can_be(name: str, value: Any, entries: Mapping[str, Entry]) -> bool:
    """Whether a model of these arrays has so many layers, of such sizes: forged ones cost time to refuse."""
    if isinstance(value, tuple):
        return len(value) <= len(entries) and all(_can_be("", part, entries) for part in value)
    if not isinstance(value, int):
        return True
    if name in LAYERS:
        return value <= len(entries)
    return value <= (MOST if name in OF_TRAINING else max(weights.numbers(entries), SIZES))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "…"
