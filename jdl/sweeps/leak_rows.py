"""Rows that let a fold's training see what it holds out: copies, groups on both sides, a later time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jdl import tree
from jdl.sweeps.splits import Fold

AGREEING = 0.9  # of rows alike in x, the part that must be alike in y to be copies, not repeated measurements
WIDEST = 2000  # columns that are searched one by one
BEYOND_CHANCE = 10  # times the pairs that columns independent of each other would make


class Leak(NamedTuple):
    """One leak: which check found it, what it found, and what to do."""

    check: str
    found: str
    advice: str


def columns(x: Any) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Name the columns of rows, ``(n,)`` each: ``x[2]``, or ``x/age`` of a tree."""
    for path, leaf in tree.items({"x": x}):
        leaf = np.asarray(leaf)
        flat = leaf.reshape(len(leaf), -1)
        for j in range(flat.shape[1]):
            yield path if leaf.ndim == 1 else f"{path}[{j}]", flat[:, j].astype(np.float64)


def searchable(x: Any) -> bool:
    """Whether rows are a table's, of which each column means something by itself, rather than images."""
    return sum(int(np.prod(np.shape(leaf)[1:])) for _, leaf in tree.items({"x": x})) <= WIDEST


def copies(data: Mapping[str, Any], folds: Sequence[Fold]) -> Iterator[Leak]:
    """Find rows held out of which training has a copy, equal in every column and in the target."""
    same, chosen = copied(data)
    found = [_copied(fold, same, chosen) for fold in folds]
    where = [number for number, rows in enumerate(found) if len(rows)]
    if where:
        row = found[where[0]][0]
        seen = _seen(folds[where[0]])
        other = seen[same[seen] == same[row]][0]
        yield Leak(
            "duplicate rows",
            f"{sum(map(len, found))} rows held out have a copy among the training rows of folds {where}, "
            f"such as row {row}, equal to row {other}, in fold {where[0]}",
            "drop the copies, or number equal rows alike in data['group']",
        )


def copied(data: Mapping[str, Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Number rows, equal ones alike, and mark those that are copies of one another."""
    alike = _numbered(data["x"])
    same = _numbered({"x": alike, "y": data["y"]})
    chosen = _telling(data["x"], alike)
    agreeing = _pairs(same[chosen]) >= AGREEING * _pairs(alike[chosen])
    return same, chosen if agreeing else np.zeros(len(same), bool)


def _copied(fold: Fold, same: NDArray, chosen: NDArray) -> NDArray[np.int32]:
    held = fold.held[chosen[fold.held]]
    return held[np.isin(same[held], same[_seen(fold)])]


def groups(data: Mapping[str, Any], folds: Sequence[Fold]) -> Iterator[Leak]:
    """Find groups on both sides of a fold; windows in the order of time may go through groups."""
    if "group" not in data or "time" in data:
        return
    group = np.asarray(data["group"])
    shared = [np.intersect1d(group[_seen(fold)], group[fold.held]) for fold in folds]
    where = [number for number, some in enumerate(shared) if len(some)]
    if where:
        every = np.unique(np.concatenate(shared))
        yield Leak(
            "groups",
            f"{len(every)} groups have rows both trained on and held out in folds {where}, "
            f"such as group {every[0]!s}",
            "give a number of folds, or a splitter that keeps groups, such as sklearn's GroupKFold",
        )


def times(data: Mapping[str, Any], folds: Sequence[Fold]) -> Iterator[Leak]:
    """Find folds trained on rows later than some that they hold out."""
    if "time" not in data:
        return
    time = np.asarray(data["time"])
    later = [_seen(fold)[time[_seen(fold)] > time[fold.held].min()] for fold in folds]
    where = [number for number, rows in enumerate(later) if len(rows)]
    if where:
        row = later[where[0]][0]
        yield Leak(
            "time order",
            f"{sum(map(len, later))} training rows of folds {where} are later than rows held out, "
            f"such as row {row} (time {time[row]!s}) in fold {where[0]}",
            "give a number of folds, which cuts windows in the order of time; or sort the rows by time",
        )


def _seen(fold: Fold) -> NDArray[np.int32]:
    return np.concatenate([fold.train, fold.stop])


def _numbered(rows: Any) -> NDArray[np.intp]:
    """Number rows, equal ones alike; NaN equals NaN."""
    numbers = []
    for _, leaf in tree.items(rows):
        leaf = np.asarray(leaf)
        flat = np.ascontiguousarray(leaf.reshape(len(leaf), -1))
        if flat.shape[1]:
            whole = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel()
            numbers.append(np.unique(whole, return_inverse=True)[1].ravel())
    return np.unique(np.stack(numbers, 1), axis=0, return_inverse=True)[1].ravel()


def _pairs(numbers: NDArray) -> float:
    sizes = np.unique(numbers, return_counts=True)[1].astype(float)
    return float(np.sum(sizes * (sizes - 1) / 2))


def _telling(x: Any, alike: NDArray) -> NDArray[np.bool_]:
    """Mark rows that are alike and cannot well be so by chance.

    They share a value that no other row has, in a column of measurements: one that tells most different rows
    apart. And there are many more of them than independent columns with these values would make.
    """
    first = np.unique(alike, return_index=True)[1]
    size = np.bincount(alike)[alike]
    chosen = np.zeros(len(alike), bool)
    chance = 1.0
    if len(first) == len(alike):
        return chosen
    for _, values in columns(x):
        _, number, count = np.unique(values, return_inverse=True, return_counts=True, equal_nan=True)
        chance *= float(np.mean(count[number])) / len(values)
        whole = bool(np.all(values[np.isfinite(values)] % 1 == 0))  # codes and counts recur by their nature
        others = len(alike) if whole else len(first)
        if 2 * len(count) >= others and len(count) > 2:
            chosen |= (size > 1) & (count[number] == size)
    expected = chance * len(alike) * (len(alike) - 1) / 2
    return chosen if _pairs(alike[chosen]) > BEYOND_CHANCE * expected else np.zeros(len(alike), bool)
