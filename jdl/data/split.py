"""Splits of rows, on the host."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jdl.data.errors import DataError


def holdout(
    y: ArrayLike, fraction: float = 0.1, seed: int = 0, stratify: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut validation rows from training rows: ``(train, valid)``, each sorted, at random by ``seed``.

    ``round(fraction * n)`` rows are held out, at least one and never all. With ``stratify`` the held-out
    rows are shared among the classes of ``y`` by largest remainder, and each class keeps at least one
    training row: a class with a single row is never held out, so very rare classes may lower the number.

    Raises ``DataError`` for fewer than two rows, a fraction outside (0, 1), and classes of one row only.

    >>> train, valid = holdout(["a"] * 6 + ["b"] * 4, fraction=0.5)
    >>> len(train), len(valid), int((valid < 6).sum())
    (5, 5, 3)
    """
    labels = np.asarray(y)
    rows = len(labels)
    if not 0 < fraction < 1:
        raise DataError(f"holdout: fraction is {fraction}; needs to lie between 0 and 1")
    if rows < 2:
        raise DataError(f"holdout: {rows} row(s) cannot be split; needs at least 2")
    groups = np.unique(labels, return_inverse=True)[1].ravel() if stratify else np.zeros(rows, int)
    sizes = np.bincount(groups)
    if sizes.max() == 1:
        raise DataError(
            f"holdout: each of the {rows} classes has a single row; no row can be held out and its class kept"
        )
    counts = _shares(sizes, min(max(round(fraction * rows), 1), rows - 1))
    order = np.random.default_rng(seed).permutation(rows)
    order = order[np.argsort(groups[order], kind="stable")]
    place = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    held = place < np.repeat(counts, sizes)
    return np.sort(order[~held]), np.sort(order[held])


def _shares(sizes: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Share ``total`` among groups in proportion to ``sizes``, leaving one of each group."""
    exact = total * sizes / sizes.sum()
    shares = np.minimum(np.floor(exact).astype(np.int64), sizes - 1)
    # Rounding up goes by remainder, the larger group first where remainders tie.
    order = np.lexsort((-sizes, np.floor(exact) - exact))
    while (missing := total - shares.sum()) > 0 and (shares < sizes - 1).any():
        room = order[shares[order] < sizes[order] - 1][:missing]
        shares[room] += 1
    return shares
