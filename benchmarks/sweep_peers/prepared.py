"""Rows prepared by scikit-learn, for contenders without a preparation of their own."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweep_peers.cases import Case


class Prepared(NamedTuple):
    """Rows as the network takes them: ``(n, d)`` float32 for each fold, or one where all folds agree."""

    rows: tuple[NDArray, ...]

    def of(self, fold: int) -> NDArray:
        """Give all rows, prepared by the training rows of a fold."""
        return self.rows[fold if len(self.rows) > 1 else 0]

    def begins(self, folds: int) -> NDArray[np.int64]:
        """Give where the rows of each fold begin in ``flat``."""
        return np.arange(folds) * len(self.rows[0]) if len(self.rows) > 1 else np.zeros(folds, int)

    @property
    def flat(self) -> NDArray:
        """The rows of all folds below each other."""
        return np.concatenate(self.rows)


def prepared(case: Case) -> Prepared:
    """Learn from each fold's training rows and prepare all rows by it, in two threads."""
    if not case.sizes:
        return Prepared((case.numbers,))
    from joblib import Parallel, delayed

    x = raw(case)
    parts = Parallel(2, prefer="threads")(delayed(_fold)(case, x, train) for train, _ in case.folds)
    return Prepared(tuple(parts))


def raw(case: Case) -> NDArray:
    """Give all columns in one array, as scikit-learn's transformers take them."""
    return np.hstack([case.numbers, case.codes], dtype=np.float32)


def preparation(case: Case) -> Any:
    """Make the transformer of the columns of ``raw``.

    One-hot columns are dense, which trains faster than sparse ones. A level that no training row holds keeps
    its column, of zeros in training: so every fold has as many.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

    count = case.numbers.shape[1]
    levels = [np.arange(size, dtype=np.float32) for size in case.sizes]
    normal = QuantileTransformer(output_distribution="normal", random_state=0)
    one_hot = OneHotEncoder(categories=levels, sparse_output=False, dtype=np.float32)
    parts = [("numbers", normal, slice(0, count)), ("categories", one_hot, slice(count, None))]
    return ColumnTransformer(parts)


def _fold(case: Case, x: NDArray, train: NDArray) -> NDArray:
    return preparation(case).fit(x[train]).transform(x).astype(np.float32, copy=False)


class Rows(NamedTuple):
    """Row numbers of all folds, ``(folds, n)``, for members that train side by side.

    A fold may have one training row more than another: it is left out. Held-out rows are filled up by copies
    of the first one, of ``weight`` 0.
    """

    train: NDArray
    held: NDArray
    weight: NDArray


def rows(case: Case) -> Rows:
    """Stack the folds' row numbers."""
    shortest = min(len(train) for train, _ in case.folds)
    longest = max(len(held) for _, held in case.folds)
    filled = [np.concatenate([held, np.repeat(held[:1], longest - len(held))]) for _, held in case.folds]
    weight = [np.arange(longest) < len(held) for _, held in case.folds]
    train = np.stack([train[:shortest] for train, _ in case.folds])
    return Rows(train, np.stack(filled), np.stack(weight).astype(np.float32))
