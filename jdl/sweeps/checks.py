"""Hyper-parameters of a space, checked one by one."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jdl.sweeps.distributions import Axis, Choice, Range, Traced, When, listed, same
from jdl.train.recipe import RecipeError


def checked_axis(name: str, values: Any) -> Axis:
    """Give one hyper-parameter, or say what is wrong with it."""
    where = f"space[{name!r}]"
    if not isinstance(name, str):
        raise RecipeError(f"{where}: the name is a {type(name).__name__}, needs a string")
    condition: dict[str, tuple] = {}
    if isinstance(values, When):
        if not isinstance(values.condition, Mapping) or not values.condition:
            needed = "a dict such as {'optimizer': 'sgd'}"
            raise RecipeError(f"{where}: found the condition {values.condition!r}, needs {needed}")
        condition = {
            other: tuple(wanted) if isinstance(wanted, list) else (wanted,)
            for other, wanted in values.condition.items()
        }
        values = values.of
    is_traced = isinstance(values, Traced)
    of = _values(where, values.of if isinstance(values, Traced) else values)
    return Axis(condition, of, _dtype(where, of) if is_traced else None)


def checked_condition(name: str, found: Mapping[str, Axis]) -> None:
    """Raise a RecipeError unless a condition names others of the space, and values that they may have."""
    where = f"space[{name!r}]: its condition"
    for other, wanted in found[name].condition.items():
        if other not in found:
            needed = f"one of {sorted(found)}"
            raise RecipeError(f"{where} names {other!r}, which is not in the space, needs {needed}")
        of = found[other].of
        if isinstance(of, Range) and not of.whole:
            raise RecipeError(
                f"{where} names {other!r}, which may be any number, needs a choice or an integer"
            )
        if not wanted:
            raise RecipeError(f"{where} has no values of {other!r}, needs at least one")
        never = [value for value in wanted if not _possible(of, value)]
        if never:
            raise RecipeError(f"{where} needs {other!r} to be {never[0]!r}, which it never is")


def _values(where: str, values: Any) -> Range | Choice:
    if isinstance(values, Traced | When):
        kind, needed = type(values).__name__.lower(), "when({…}, traced(…)), each at most once"
        raise RecipeError(f"{where}: found {kind}(…) within another, needs {needed}")
    if isinstance(values, Range):
        return _checked_range(where, values)
    if listed(values):
        values = Choice(tuple(values))
    if not isinstance(values, Choice):
        return Choice((values,))
    if not values.options:
        raise RecipeError(f"{where}: has no values, needs at least one")
    return values


def _checked_range(where: str, of: Range) -> Range:
    kinds: Any = int | np.integer if of.whole else int | float | np.integer | np.floating
    for value in (of.low, of.high):
        if not isinstance(value, kinds) or isinstance(value, bool) or not np.isfinite(value):
            needed = "an integer" if of.whole else "a finite number"
            raise RecipeError(f"{where}: found the bound {value!r}, needs {needed}")
    if of.low > of.high or (of.low == of.high and not of.whole):
        raise RecipeError(f"{where}: found the bounds {of.low} and {of.high}, needs the lower one first")
    if of.log and of.low <= 0:
        raise RecipeError(f"{where}: found the bound {of.low}, needs one above 0, as logarithms are spread")
    return of


def _dtype(where: str, of: Range | Choice) -> Any:
    """Give the one dtype of numbers that are traced, so that they share a program."""
    values = [of.low, of.high] if isinstance(of, Range) else list(of.options)
    if isinstance(of, Range) and not of.whole:
        return np.dtype(float)
    for value in values:
        if np.ndim(value) or np.asarray(value).dtype.kind not in "biuf":
            raise RecipeError(f"{where}: {value!r} cannot be traced, needs a number")
    return np.result_type(*(np.asarray(value).dtype for value in values))


def _possible(of: Range | Choice, value: Any) -> bool:
    if isinstance(of, Choice):
        return any(same(option, value) for option in of.options)
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and of.low <= value <= of.high
