"""Columns that the target was made of, or that were made of the target."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdl.sweeps.leak_rows import Leak, columns, copied, searchable
from jdl.sweeps.splits import Fold, classes

EXPLAINED = 0.995  # of the target's rank variance, or the balanced accuracy of a class, by one column
ROWS = 4000  # looked at


def derived(data: Mapping[str, Any], folds: Sequence[Fold], allow: Collection[str] = ()) -> Iterator[Leak]:
    """Find columns that (nearly) tell the target of rows held out, alone or as indicators of the classes."""
    if not searchable(data["x"]):
        return
    named = [(name, values) for name, values in columns(data["x"]) if name not in allow]
    target = np.asarray(data["y"])
    folds = _fewer(folds, *copied(data))
    if not folds:
        return
    if classes(target):
        found = _identifying(named, target, folds)
    else:
        ranked = _ranks(target.reshape(len(target), -1).astype(np.float64))
        explained = {name: _explained(_places(values), ranked, folds) for name, values in named}
        found = [name for name, part in explained.items() if part >= EXPLAINED]
    if found:
        one = len(found) == 1
        yield Leak(
            "target-derived columns",
            f"{', '.join(found)} {'tells' if one else 'tell'} the target of rows held out"
            f" without a network (at least {EXPLAINED:.1%} of it)",
            f"leave {'it' if one else 'them'} out, or say that it is honest: allow={found!r}",
        )


def _identifying(named: Sequence[tuple[str, NDArray]], target: NDArray, folds: Sequence[Fold]) -> list[str]:
    """Name columns that tell all classes but one: each alone, else several of which each tells some."""
    labels = np.unique(target)
    goals = (target[:, None] == labels).astype(np.float64)
    told = {name: _told(_finite(values), goals, folds) for name, values in named}
    enough = len(labels) - 1
    alone = [name for name, some in told.items() if some.sum() >= enough]
    if alone or not told:
        return alone
    jointly = np.any(list(told.values()), 0).sum() >= enough
    return [name for name, some in told.items() if some.any()] if jointly else []


def _told(values: NDArray, goals: NDArray, folds: Sequence[Fold]) -> NDArray[np.bool_]:
    """Which classes a column tells from all others, on rows held out."""
    hits = np.zeros((2, goals.shape[1]))
    totals = np.zeros((2, goals.shape[1]))
    for fold in folds:
        guess = _guessed(values, goals, fold) > 0.5
        truth = goals[fold.held] > 0.5
        for side in (0, 1):
            hits[side] += np.sum((guess == truth) & (truth == side), 0)
            totals[side] += np.sum(truth == side, 0)
    return (totals > 0).all(0) & ((hits / np.maximum(totals, 1)).mean(0) >= EXPLAINED)


def _explained(values: NDArray, ranked: NDArray, folds: Sequence[Fold]) -> float:
    """The part of the target's rank variance that a column explains on rows held out; the most of any target.

    Monotone columns count by their rank correlation, too: later windows may lie beyond all training rows.
    """
    parts = []
    for fold in folds:
        truth = ranked[fold.held]
        spread = np.sum((truth - truth.mean(0)) ** 2, 0)
        missed = np.sum((truth - _guessed(values, ranked, fold)) ** 2, 0)
        own, other = _centred(np.nan_to_num(values[fold.held])[:, None]), _centred(truth)
        scale = np.sum(own**2) * np.sum(other**2, 0)
        monotone = np.where(scale > 0, np.sum(own * other, 0) ** 2 / np.where(scale > 0, scale, 1), 0)
        fitted = np.where(spread > 0, 1 - missed / np.where(spread > 0, spread, 1), 0)
        parts.append(np.maximum(fitted, monotone))
    return float(np.mean(parts, 0).max())


def _guessed(values: NDArray, goals: NDArray, fold: Fold) -> NDArray[np.float64]:
    """Guess rows held out between the training rows nearest in one column; missing values by missing ones."""
    train = np.concatenate([fold.train, fold.stop])
    known, asked = ~np.isnan(values[train]), ~np.isnan(values[fold.held])
    found = np.tile(goals[train].mean(0), (len(fold.held), 1))
    if not known.all():
        found[~asked] = goals[train[~known]].mean(0)
    if known.any():
        points, number, count = np.unique(values[train[known]], return_inverse=True, return_counts=True)
        means = np.zeros((len(points), goals.shape[1]))
        np.add.at(means, number.ravel(), goals[train[known]])
        found[asked] = _between(values[fold.held[asked]], points, means / count[:, None])
    return found


def _between(at: NDArray, points: NDArray, means: NDArray) -> NDArray[np.float64]:
    """Interpolate several columns at once; beyond the points as at the nearest one."""
    place = np.interp(at, points, np.arange(len(points)))
    left = place.astype(int)
    part = (place - left)[:, None]
    return means[left] * (1 - part) + means[np.minimum(left + 1, len(points) - 1)] * part


def _places(values: NDArray) -> NDArray[np.float64]:
    """Number the different values of a column in order, so that no scale matters; missing stays missing."""
    found = np.unique(values, return_inverse=True)[1].ravel().astype(np.float64)
    return np.where(np.isnan(values), np.nan, found)


def _finite(values: NDArray) -> NDArray[np.float64]:
    """Put the infinities as far beyond the other values as these are apart."""
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    apart = high - low + 1.0
    return np.clip(values, low - apart, high + apart)


def _ranks(values: NDArray) -> NDArray[np.float64]:
    from scipy.stats import rankdata  # takes a second to import

    return rankdata(values, axis=0)


def _centred(values: NDArray) -> NDArray[np.float64]:
    ranked = _ranks(values)
    return ranked - ranked.mean(0)


def _fewer(folds: Sequence[Fold], same: NDArray, copies: NDArray[np.bool_]) -> list[Fold]:
    """Leave one of rows that are copies, as any column tells a copy's target; and of many rows some."""
    kept = ~copies
    kept[np.unique(same, return_index=True)[1]] = True
    kept &= np.random.default_rng(0).random(len(same)) < ROWS / len(same)
    fewer = [Fold(*(part[kept[part]] for part in fold)) for fold in folds]
    return [fold for fold in fewer if len(fold.train) and len(fold.held)]
