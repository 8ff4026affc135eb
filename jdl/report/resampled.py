"""The scores of ``scores.score`` over many weightings of the same rows at once."""

import numpy as np
from numpy.typing import NDArray

from jdl.data import Schema

Scores = dict[str, NDArray[np.float64]]


def scores(schema: Schema, outputs: NDArray, target: NDArray, weight: NDArray) -> Scores:
    """Give each score ``(draws,)`` under weights ``(draws, n)``, as if a row came so many times."""
    if schema.task == "classification":
        return _of_classes(outputs.astype(np.float64), target, weight)
    if schema.task == "multilabel":
        pairs = zip(outputs.T.astype(np.float64), target.T, strict=True)
        each = [_of_classes(np.stack([1 - p, p], 1), t, weight) for p, t in pairs]
        names = ("accuracy", "f1", "auc", "log_loss")
        return {name: np.mean([one[name] for one in each], 0) for name in names}
    scale = np.array([part.scale for part in schema.targets])
    found, true = (values.reshape(len(target), -1).astype(np.float64) * scale for values in (outputs, target))
    return _of_numbers(found, true, weight / weight.sum(1, keepdims=True))


def _of_numbers(found: NDArray, true: NDArray, share: NDArray) -> Scores:
    square = share @ (found - true) ** 2
    spread = share @ true**2 - (share @ true) ** 2
    return {
        "rmse": np.sqrt(square).mean(1),
        "mae": (share @ np.abs(found - true)).mean(1),
        "r2": (1 - square / spread).mean(1),
    }


def _of_classes(chance: NDArray, target: NDArray, weight: NDArray) -> Scores:
    count, classes = chance.shape
    share = weight / weight.sum(1, keepdims=True)
    chosen = chance.argmax(1)
    true, said = (np.eye(classes)[codes] for codes in (target, chosen))
    hits, claimed, there = share @ (true * said), share @ said, share @ true
    kept = [1] if classes == 2 else range(classes)
    ratio = lambda top, bottom: np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
    mean = lambda values: values[:, list(kept)].mean(1)
    areas = [_area(chance[:, c], target == c, weight) for c in kept if 0 < (target == c).sum() < count]
    return {
        "accuracy": hits.sum(1),
        "precision": mean(ratio(hits, claimed)),
        "recall": mean(ratio(hits, there)),
        "f1": mean(ratio(2 * hits, claimed + there)),
        "auc": np.mean(areas, 0) if areas else np.full(len(weight), np.nan),
        "log_loss": share @ -np.log(np.maximum(chance[np.arange(count), target], 1e-12)),
    }


def _area(values: NDArray, positive: NDArray, weight: NDArray) -> NDArray[np.float64]:
    """Give the area under the ROC curve: how often a positive row is above a negative one, ties by half."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(values[order]) > 0])
    up, down = (np.add.reduceat(weight[:, order] * mask[order], starts, 1) for mask in (positive, ~positive))
    below = np.cumsum(down, 1) - down / 2
    with np.errstate(invalid="ignore"):
        return (up * below).sum(1) / (up.sum(1) * down.sum(1))
