"""Configurations to be swept: grids and samples of spaces of hyper-parameters."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jdl.sweeps.checks import checked_axis, checked_condition
from jdl.sweeps.distributions import Axis, Choice, Range, same
from jdl.sweeps.draws import random_points, sobol_points
from jdl.train.recipe import RecipeError

Config = dict[str, Any]


def grid(space: Mapping[str, Any]) -> list[Config]:
    """Give all combinations of the values of each hyper-parameter, the last one changing fastest.

    Values are a list or a ``choice``; one that is neither is the same in all configurations.

    Raises:
        RecipeError: a hyper-parameter without values or with endlessly many, or a condition that cannot hold.

    >>> grid({"rate": [0.1, 0.01], "width": 64})
    [{'rate': 0.1, 'width': 64}, {'rate': 0.01, 'width': 64}]
    """
    configs: list[Config] = [{}]
    for name, axis in axes(space).items():
        if isinstance(axis.of, Range):
            raise RecipeError(
                f"space[{name!r}]: a range has no grid, needs a list or choice(…); or use random or sobol"
            )
        more = [{name: made(axis, option)} for option in axis.of.options]
        configs = [config | own for config in configs for own in (more if holds(axis, config) else [{}])]
    return [in_order(space, config) for config in configs]


def random(space: Mapping[str, Any], count: int, seed: int = 0) -> list[Config]:
    """Draw configurations at random, each hyper-parameter from its own stream.

    What one is in configuration i depends on the seed, its name and i alone: more configurations begin with
    the same ones, and other hyper-parameters change nothing. A list is a ``choice``.

    >>> from jdl.sweeps import choice, log_uniform
    >>> space = {"rate": log_uniform(1e-3, 1e-1), "width": choice(16, 32), "depth": 2}
    >>> [config["depth"] for config in random(space, 3)]
    [2, 2, 2]
    """
    return _at(space, count, random_points, seed)


def sobol(space: Mapping[str, Any], count: int, seed: int = 0) -> list[Config]:
    """Spread configurations evenly: a scrambled Sobol sequence; powers of two are spread best.

    Each hyper-parameter that varies takes the next dimension, scrambled by the seed and its name: further
    ones at the end of the space change nothing, and more configurations begin with the same ones.

    Source: Owen 1998, https://doi.org/10.1006/jcom.1998.0487; ``scipy.stats.qmc.Sobol``.

    >>> from jdl.sweeps import uniform
    >>> sorted(int(4 * config["p"]) for config in sobol({"p": uniform(0.0, 1.0)}, 4))
    [0, 1, 2, 3]
    """
    return _at(space, count, sobol_points, seed)


def axes(space: Mapping[str, Any]) -> dict[str, Axis]:
    """Check a space: give its hyper-parameters, each after those that its condition names.

    Raises:
        RecipeError: what is wrong, and with which hyper-parameter.
    """
    if not isinstance(space, Mapping):
        raise RecipeError(f"space: found a {type(space).__name__}, needs a dict of hyper-parameters")
    found = {name: checked_axis(name, values) for name, values in space.items()}
    for name in found:
        checked_condition(name, found)
    return {name: found[name] for name in _order(found)}


def holds(axis: Axis, config: Mapping[str, Any]) -> bool:
    """Whether a configuration fulfils what a hyper-parameter is there for."""
    return all(
        name in config and any(same(config[name], value) for value in wanted)
        for name, wanted in axis.condition.items()
    )


def made(axis: Axis, value: Any) -> Any:
    """Give a value as configurations hold it."""
    return value if axis.dtype is None else np.asarray(value, axis.dtype)


def in_order(space: Mapping[str, Any], config: Config) -> Config:
    """Give a configuration in the order of its space."""
    return {name: config[name] for name in space if name in config}


def varies(axis: Axis) -> bool:
    """Whether there is more than one value."""
    return isinstance(axis.of, Range) or len(axis.of.options) > 1


def _at(space: Mapping[str, Any], count: int, points: Any, seed: int) -> list[Config]:
    """Give the configurations at points of the unit cube."""
    found = axes(space)
    columns = points([name for name in space if varies(found[name])], count, seed)
    return [in_order(space, _config(found, columns, i)) for i in range(count)]


def _config(found: Mapping[str, Axis], columns: Mapping[str, Sequence[float]], i: int) -> Config:
    config: Config = {}
    for name, axis in found.items():
        if holds(axis, config):
            config[name] = made(axis, _quantile(axis.of, columns[name][i] if name in columns else 0.0))
    return config


def _quantile(of: Range | Choice, part: float) -> Any:
    """Give the value below which a part of all lies."""
    if isinstance(of, Choice):
        return of.options[min(int(part * len(of.options)), len(of.options) - 1)]
    low, high = of.low, of.high + of.whole
    value = low * (high / low) ** part if of.log else low + part * (high - low)
    value = min(max(value, of.low), of.high + of.whole)
    return min(int(np.floor(value)), of.high) if of.whole else float(value)


def _order(found: Mapping[str, Axis]) -> Iterator[str]:
    """Name each after those of its condition, else in their order."""
    done: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            way = " → ".join([*path[path.index(name) :], name])
            raise RecipeError(f"space[{name!r}]: its condition leads back to itself: {way}")
        if name not in done:
            for other in found[name].condition:
                visit(other, (*path, name))
            done[name] = None

    for name in found:
        visit(name, ())
    yield from done
