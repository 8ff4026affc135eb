"""Columns that the target was made of, or that were made of the target."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdl.sweeps.leak_rows import Leak, columns
from jdl.sweeps.splits import Fold, classes

EXPLAINED = 0.995  # of the target's rank variance, or the balanced accuracy of a class, by one column
ROWS = 4000  # looked at
WIDEST = 2000  # columns


def derived(data: Mapping[str, Any], folds: Sequence[Fold], allow: Collection[str] = ()) -> Iterator[Leak]:
    """Find columns that (nearly) tell the target of rows held out, alone or as indicators of the classes."""
    named = [(name, values) for name, values in columns(data["x"]) if name not in allow]
    if len(named) > WIDEST:  # pixels and the like, of which none is made of the target
        return
    target = np.asarray(data["y"])
    folds = _fewer(folds, len(target))
    if classes(target):
        found = _identifying(named, target, folds)
    else:
        ranked = _ranks(target.reshape(len(target), -1).astype(np.float64))
        explained = {name: _explained(values, ranked, folds) for name, values in named}
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
    told = {name: _told(values, goals, folds) for name, values in named}
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
    if known.any() and asked.any():
        finite = np.nan_to_num(values, nan=0.0)
        points, number, count = np.unique(finite[train[known]], return_inverse=True, return_counts=True)
        means = np.zeros((len(points), goals.shape[1]))
        np.add.at(means, number.ravel(), goals[train[known]])
        means /= count[:, None]
        found[asked] = _between(finite[fold.held[asked]], points, means)
    return found


def _between(at: NDArray, points: NDArray, means: NDArray) -> NDArray[np.float64]:
    right = np.clip(np.searchsorted(points, at), 0, len(points) - 1)
    left = np.maximum(right - 1, 0)
    gap = points[right] / 2 - points[left] / 2  # halves, as the difference of the largest numbers is none
    part = np.where(gap > 0, (at / 2 - points[left] / 2) / np.where(gap > 0, gap, 1), 1.0)
    part = np.clip(part, 0.0, 1.0)[:, None]
    return means[left] * (1 - part) + means[right] * part


def _ranks(values: NDArray) -> NDArray[np.float64]:
    from scipy.stats import rankdata  # takes a second to import

    return rankdata(values, axis=0)


def _centred(values: NDArray) -> NDArray[np.float64]:
    ranked = _ranks(values)
    return ranked - ranked.mean(0)


def _fewer(folds: Sequence[Fold], rows: int) -> list[Fold]:
    """Leave some rows of each fold, at random but always the same."""
    if rows <= ROWS:
        return list(folds)
    kept = np.random.default_rng(0).random(rows) < ROWS / rows
    fewer = [Fold(*(part[kept[part]] for part in fold)) for fold in folds]
    return [fold for fold in fewer if len(fold.train) and len(fold.held)]
