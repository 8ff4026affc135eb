"""What a user hands over as y, as targets of a schema and their codes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import assert_all_finite, check_array, column_or_1d

from jdl.data.columns import Target
from jdl.data.fitted import center_and_spread
from jdl.estimators.columns import TARGET


def classes_of(y: Any) -> NDArray:
    """Give the distinct values of a target of classes, in order.

    Raises:
        ValueError: numbers that are no classes, missing ones, several targets of more than two classes.
    """
    values = labels(y)
    return np.arange(values.shape[1]) if values.ndim == 2 else np.unique(values)


def labels(y: Any) -> NDArray:
    """Give classes ``(n,)``, or indicators of labels ``(n, k)`` as 0 and 1."""
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y")
    if kind == "multilabel-indicator":
        return np.asarray(y.toarray() if hasattr(y, "toarray") else y).astype(np.int32)
    if kind == "multiclass-multioutput":
        raise ValueError(
            "y: several targets of more than two classes; needs one target, or indicators of labels, 0 or 1"
        )
    values = column_or_1d(y, warn=True)
    assert_all_finite(values, input_name="y")
    return values


def class_targets(classes: NDArray, y: NDArray) -> tuple[Target, ...]:
    """Say what the target is: one of ``classes``, or as many labels as ``y`` has columns."""
    if y.ndim == 2:
        return tuple(Target(f"{TARGET}_{i}", "classification", classes=(0, 1)) for i in range(y.shape[1]))
    return (Target(TARGET, "classification", classes=tuple(value.item() for value in _plain(classes))),)


def codes(classes: NDArray, y: NDArray) -> NDArray[np.int32]:
    """Number classes; labels are numbers already.

    Raises:
        ValueError: a class that was not there when the model began.
    """
    if y.ndim == 2:
        return y
    place = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    unknown = classes[place] != y
    if unknown.any():
        row = int(np.argmax(unknown))
        found, known = np.asarray(y[row]).item(), classes.tolist()
        raise ValueError(f"y: row {row} has the class {found!r}, which is not one of {known}")
    return place.astype(np.int32)


def numbers(y: Any) -> NDArray[np.float64]:
    """Give the numbers of a regression, ``(n,)`` or ``(n, k)``, all finite.

    Raises:
        ValueError: what is missing or infinite, or no number.
    """
    return check_array(y, dtype=np.float64, ensure_2d=False, allow_nd=False, input_name="y")


def number_targets(y: NDArray[np.float64]) -> tuple[Target, ...]:
    """Say what the numbers are, in units in which float32 can hold them."""
    columns = y[:, None] if y.ndim == 1 else y
    names = [TARGET] if y.ndim == 1 else [f"{TARGET}_{i}" for i in range(columns.shape[1])]
    scales = map(center_and_spread, columns.T)
    return tuple(
        Target(name, "regression", offset=offset, scale=scale)
        for name, (offset, scale) in zip(names, scales, strict=True)
    )


def scaled(targets: tuple[Target, ...], y: NDArray[np.float64]) -> NDArray[np.float32]:
    """Give numbers in the units of the targets."""
    offset, scale = (np.array([getattr(t, name) for t in targets]) for name in ("offset", "scale"))
    return ((y - (offset if y.ndim == 2 else offset[0])) / (scale if y.ndim == 2 else scale[0])).astype(
        np.float32
    )


def unscaled(targets: tuple[Target, ...], outputs: NDArray) -> NDArray[np.float64]:
    """Give predictions ``(n, k)`` in the units of the numbers that were fitted."""
    offset, scale = (np.array([getattr(t, name) for t in targets]) for name in ("offset", "scale"))
    return outputs.astype(np.float64) * scale + offset


def _plain(values: NDArray) -> NDArray:
    return values if values.dtype != object else np.array([str(value) for value in values])
