"""The rows of every fold: those trained on, those that choose the epoch, and those held out."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jdl.data import holdout
from jdl.train.recipe import RecipeError

Index = NDArray[np.int32]


class Fold(NamedTuple):
    """Row numbers of one fold, of which no two parts share a row; ``stop`` and ``held`` may be empty."""

    train: Index
    stop: Index
    held: Index


def splits(data: Mapping[str, Any], folds: Any, stop: float, key: Any) -> tuple[Fold, ...]:
    """Cut the rows of ``data`` into folds.

    ``folds`` is a number; a splitter of scikit-learn, which is given ``data["y"]`` and ``data["group"]``; or
    pairs ``(training rows, held-out rows)`` of row numbers. A number means, shuffled by the key: stratified
    folds where ``y`` holds integer classes, else plain ones; with ``data["group"]`` folds that share no
    group; with ``data["time"]`` expanding windows in the order of time, each held out after its training
    rows. Of each fold's training rows the part ``stop`` is cut off to choose the epoch by (0: none, and the
    last epoch is kept), by the same rules: classes in their proportions, whole groups, or the latest rows.

    Raises:
        RecipeError: fewer than two folds, a ``stop`` outside ``[0, 1)``, rows that overlap or are not there.

    >>> import jax, numpy as np
    >>> found = splits({"y": np.array([0, 1] * 10)}, 5, 0.25, jax.random.key(0))
    >>> [(len(fold.train), len(fold.stop), len(fold.held)) for fold in found][0]
    (12, 4, 4)
    """
    if not 0 <= stop < 1:
        raise RecipeError(f"stop: found {stop!r}, needs a part of the training rows, in [0, 1)")
    target = np.asarray(data["y"])
    seed = int(jax.random.bits(key, dtype=np.uint32))
    pairs = _checked(_pairs(data, folds, target, seed), len(target))
    return tuple(_fold(data, target, train, held, stop, seed + i) for i, (train, held) in enumerate(pairs))


def whole(rows: int) -> tuple[Fold, ...]:
    """Give the one fold that trains on all rows.

    >>> whole(2)[0].train.tolist()
    [0, 1]
    """
    none = np.zeros(0, np.int32)
    return (Fold(np.arange(rows, dtype=np.int32), none, none),)


def classes(target: Any) -> bool:
    """Whether a target holds integer classes, one a row."""
    return np.ndim(target) == 1 and np.asarray(target).dtype.kind in "biu"


def _pairs(data: Mapping[str, Any], folds: Any, target: NDArray, seed: int) -> Iterable[Any]:
    from sklearn import model_selection  # takes seconds to import

    group = None if "group" not in data else np.asarray(data["group"])
    if isinstance(folds, int) and not isinstance(folds, bool):
        if folds < 2:
            raise RecipeError(f"folds: found {folds}, needs at least 2")
        if "time" in data:
            return _windows(np.asarray(data["time"]), folds)
        kinds = {
            (False, False): model_selection.KFold,
            (True, False): model_selection.StratifiedKFold,
            (False, True): model_selection.GroupKFold,
            (True, True): model_selection.StratifiedGroupKFold,
        }
        folds = kinds[classes(target), group is not None](folds, shuffle=True, random_state=seed % 2**32)
    if hasattr(folds, "split"):
        return folds.split(np.zeros((len(target), 1)), target, group)
    if isinstance(folds, Iterable):
        return folds
    needed = "a number, a splitter of scikit-learn, or pairs of row numbers (training, held out)"
    raise RecipeError(f"folds: found {folds!r}, needs {needed}")


def _windows(time: NDArray, folds: int) -> Iterable[Any]:
    """Expanding windows; rows of one time never lie on both sides of a cut."""
    moments, number = np.unique(time, return_inverse=True)
    if len(moments) <= folds:
        raise RecipeError(f"folds: {len(moments)} moments of time cannot be cut into {folds} windows")
    order = np.argsort(number, kind="stable")
    edges = number[order[np.linspace(0, len(time), folds + 2)[1:-1].astype(int)]]
    if len(np.unique(edges)) < folds or edges[0] == 0:
        raise RecipeError(f"folds: too many rows share a moment of time for {folds} windows; ask for fewer")
    ends = [*edges[1:], len(moments)]
    return [
        (np.flatnonzero(number < begin), np.flatnonzero((number >= begin) & (number < end)))
        for begin, end in zip(edges, ends, strict=True)
    ]


def _checked(pairs: Iterable[Any], rows: int) -> Iterable[tuple[Index, Index]]:
    count = 0
    for count, pair in enumerate(pairs, 1):  # noqa: B007
        train, held = (np.asarray(part) for part in pair)
        where = f"folds: fold {count - 1}"
        for part in (train, held):
            if part.ndim != 1 or part.dtype.kind not in "iu" or not len(part):
                raise RecipeError(f"{where} holds {part.dtype} of shape {part.shape}, needs row numbers")
            if part.min() < 0 or part.max() >= rows:
                found = part.min() if part.min() < 0 else part.max()
                raise RecipeError(f"{where} asks for row {found}, needs 0 to {rows - 1}")
        both = np.intersect1d(train, held)
        if len(both):
            raise RecipeError(
                f"{where}: row {both[0]} is both trained on and held out ({len(both)} such rows)"
            )
        yield train.astype(np.int32), held.astype(np.int32)
    if not count:
        raise RecipeError("folds: found none, needs at least one")


def _fold(
    data: Mapping[str, Any], target: NDArray, train: Index, held: Index, stop: float, seed: int
) -> Fold:
    """Cut off the rows that choose the epoch."""
    if stop == 0:
        return Fold(train, np.zeros(0, np.int32), held)
    train = np.unique(train)  # a row drawn twice must not be on both sides
    if "time" in data:
        kept, cut = _latest(np.asarray(data["time"])[train], stop)
    elif "group" in data:
        kept, cut = _whole_groups(np.asarray(data["group"])[train], stop, seed)
    else:
        kept, cut = holdout(target[train], stop, seed, stratify=classes(target))
    if not len(kept) or not len(cut):
        raise RecipeError(f"stop: {stop} of {len(train)} training rows cannot be cut off; give stop=0")
    return Fold(train[kept], train[cut], held)


def _latest(time: NDArray, stop: float) -> tuple[NDArray, NDArray]:
    """Cut off the latest rows, all those of one moment together."""
    order = np.argsort(time, kind="stable")
    edge = time[order[min(round((1 - stop) * len(time)), len(time) - 1)]]
    return np.flatnonzero(time < edge), np.flatnonzero(time >= edge)


def _whole_groups(group: NDArray, stop: float, seed: int) -> tuple[NDArray, NDArray]:
    """Cut off groups, in random order, until about ``stop`` of the rows are gone."""
    number = np.unique(group, return_inverse=True)[1].ravel()
    sizes = np.bincount(number)
    order = np.random.default_rng(seed).permutation(len(sizes))
    taken = np.cumsum(sizes[order]) <= max(stop * len(group), sizes[order[0]])
    cut = np.isin(number, order[taken])
    return np.flatnonzero(~cut), np.flatnonzero(cut)
