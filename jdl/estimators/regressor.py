"""scikit-learn's interface to regression."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from jdl.data import Schema
from jdl.estimators import target as targets
from jdl.estimators.base import Estimator, Rows, checked_rows


class Regressor(RegressorMixin, Estimator):
    """Predict numbers from the rows of a table: a network as a scikit-learn estimator.

    X and the arguments are those of ``Classifier``; y holds a number for each row, or several ``(n, k)``.

    >>> import jdl
    >>> from sklearn.datasets import load_diabetes
    >>> x, y = load_diabetes(return_X_y=True)
    >>> jdl.Regressor("linear", random_state=0).fit(x, y).score(x, y) > 0.4
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Regressor":
        """Train on rows; those of weight 0 have no influence.

        Raises:
            ValueError: lengths that differ, targets that are missing or infinite.
            RecipeError: an unknown network or hyper-parameter.
        """
        frame, plain, y, weight = checked_rows(self, X, y, sample_weight, targets.numbers, reset=True)
        rows = lambda schema: _rows(schema, frame, y, weight)
        return self._fitted(frame, plain, targets.number_targets(y), rows)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Regressor":
        """Go once through some rows, the optimizer's state kept from call to call.

        The first call (or the first after ``fit``, which it does not go on from) decides what the columns
        are, fits the preparation and finds the target's scale.
        """
        first = not getattr(self, "_online", None)
        frame, plain, y, weight = checked_rows(self, X, y, sample_weight, targets.numbers, reset=first)
        schema = self._begun(frame, plain, targets.number_targets(y))
        return self._one_pass(_rows(schema, frame, y, weight))

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Give the prediction of each row ``(n,)``, or of each target ``(n, k)``."""
        outputs = self._outputs(X)
        found = targets.unscaled(self.schema_.targets, outputs)
        return found if len(self.schema_.targets) > 1 else found[:, 0]


def _rows(schema: Schema, frame: Any, y: NDArray, weight: Any) -> Rows:
    return Rows(schema.encode(frame), targets.scaled(schema.targets, y), weight)
