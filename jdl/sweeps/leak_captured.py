"""Arrays that a recipe holds on to from outside of the folds, made of the target of all rows."""

import functools
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from jdl.sweeps.leak_rows import Leak, columns, searchable
from jdl.sweeps.splits import classes
from jdl.train.recipe import Recipe

UNLIKELY = 1e-4  # the probability of agreeing so well with the rows' mean targets by chance
SIGMAS = 6.0  # of a correlation with the target, of one number a row


def captured(recipe: Any, made: Recipe, data: Mapping[str, Any]) -> Iterator[Leak]:
    r"""Find arrays in a recipe's functions that know the target of the rows.

    An array of one number a level, indexed by a column of codes, is compared with the mean targets
    :math:`m_l` of the levels, of :math:`n_l` rows each: of what was known before the rows were drawn,
    :math:`\sum_l n_l (m_l - a - b v_l)^2 / \sigma^2` has a chi-squared distribution at the least; what was
    made of them agrees better than that. An array of one number a row is compared with the target itself.
    """
    target = np.asarray(data["y"])
    goals = target[:, None] == np.unique(target) if classes(target) else target.reshape(len(target), -1)
    goals = goals.astype(np.float64)
    looked_at = columns(data["x"]) if searchable(data["x"]) else ()
    coded = [pair for pair in looked_at if np.all((pair[1] >= 0) & (pair[1] % 1 == 0))]
    for name, values in arrays((recipe, made.prepare, made.loss, made.predict, made.start)):
        source = _source(values.reshape(len(values), -1).astype(np.float64), coded, goals)
        if source:
            yield Leak(
                "captured arrays",
                f"{name!r}, which the recipe reads from outside, was made of all rows' targets: {source}",
                "compute it in Prepare.fit, which is given the training rows of its fold",
            )


def arrays(root: Any) -> Iterator[tuple[str, NDArray]]:
    """Give the arrays that functions read from outside, with the names they have there."""
    seen: set[int] = set()
    left = [("", root)]
    while left:
        name, value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray | jax.Array) and np.ndim(value):
            found = np.asarray(value) if not jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key) else None
            if found is not None and found.size and found.dtype.kind in "biuf":
                yield name, found
        else:
            left += [(inner or name, part) for inner, part in _inside(value)]


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                yield name, cell.cell_contents
            except ValueError:  # of a variable that was never set
                continue
        defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        yield from (("", part) for part in defaults)
        yield from ((name, value.__globals__.get(name)) for name in _names(value.__code__))
    elif isinstance(value, functools.partial):
        yield from (("", part) for part in (value.func, *value.args, *value.keywords.values()))
    elif isinstance(value, tuple | list):
        yield from (("", part) for part in value)
    elif isinstance(value, dict):
        yield from ((str(name), part) for name, part in value.items())


def _names(code: CodeType) -> Iterator[str]:
    """Give the global names that a function and those within it may read."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _source(values: NDArray, coded: list[tuple[str, NDArray]], goals: NDArray) -> str:
    """Say what rows an array was made of, if it was."""
    if len(values) == len(goals) and _goes_with(values, goals):
        return "it holds one number a row, which goes with the row's target"
    for name, codes in coded:
        if codes.max() < len(values) and _too_near(values, codes.astype(int), goals):
            return f"it agrees with the mean targets of the levels of {name}"
    return ""


def _goes_with(values: NDArray, goals: NDArray) -> bool:
    with np.errstate(invalid="ignore", divide="ignore"):
        both = np.corrcoef(values, goals, rowvar=False)[: values.shape[1], values.shape[1] :]
    return bool(np.nanmax(np.abs(both), initial=0.0) * np.sqrt(len(goals)) > SIGMAS)


def _too_near(values: NDArray, codes: NDArray, goals: NDArray) -> bool:
    """Whether numbers of levels are nearer to their mean targets than these are to their expectation."""
    from scipy.stats import chi2  # takes a second to import

    count = np.bincount(codes, minlength=len(values))[:, None]
    used = count[:, 0] > 0
    total = np.zeros((len(values), goals.shape[1]))
    np.add.at(total, codes, goals)
    mean = total[used] / count[used]
    own = goals - (total / np.maximum(count, 1))[codes]
    freedom = len(goals) - len(mean)  # of the spread within levels
    if len(mean) < 4 or freedom < len(mean):
        return False
    variance = (own**2).sum(0) / freedom
    root = np.sqrt(count[used])
    for column in values[used].T:
        if not np.isfinite(column).all() or np.ptp(column) == 0:
            continue
        design = root * np.stack([np.ones_like(column), column], 1)
        missed = ((root * mean - design @ np.linalg.lstsq(design, root * mean)[0]) ** 2).sum(0)
        near = chi2.cdf(missed / np.where(variance > 0, variance, 1), len(mean) - 2) < UNLIKELY
        if np.any(near & (variance > 0)):
            return True
    return False
