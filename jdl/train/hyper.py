"""Hyper-parameters of a recipe: those fixed in its program, and those traced."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jdl.train.recipe import RecipeError


def identified(fixed: dict[str, Any]) -> tuple:
    """Give what tells fixed hyper-parameters apart: True is not 1."""
    for name, value in fixed.items():
        try:
            hash(value)
        except TypeError:
            raise RecipeError(
                f"hyper[{name!r}]: found a {type(value).__name__}, needs a float or an array (traced), "
                "or what can be hashed (fixed), such as a tuple"
            ) from None
    return tuple((name, type(fixed[name]), fixed[name]) for name in sorted(fixed))


def of_identity(identity: tuple) -> dict[str, Any]:
    """Give the fixed hyper-parameters that ``identified`` told apart."""
    return {name: value for name, _, value in identity}


def parted(hyper: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part hyper-parameters into those fixed in the program and those traced: floats and arrays."""
    traced = {
        name: value
        for name, value in hyper.items()
        if isinstance(value, float | np.ndarray | np.floating | jax.Array)
    }
    return {name: value for name, value in hyper.items() if name not in traced}, traced
