"""scikit-learn's interface to classification."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin

from jdl.data import Schema
from jdl.estimators import target as targets
from jdl.estimators.base import Estimator, Rows, checked_rows


class Classifier(ClassifierMixin, Estimator):
    """Classify the rows of a table: a network as a scikit-learn estimator.

    X is an array (a sparse one too), whose columns are all numbers, or a data frame of any library, whose
    categories, dates, texts and missing values are taken as they are. y holds one of several classes of any
    type, or indicators of labels ``(n, k)``.

    Args:
        model: ``"auto"``, the name of a network (``jdl.models.NETWORKS``), a layer that takes a row as one
            vector and gives logits, or a function ``recipe(hyper) -> jdl.Recipe`` of the encoded rows.
        hyper: hyper-parameters of the network, where they are not to be its defaults.
        epochs: passes over the rows; the network's default unless given.
        validation: the part of the rows that is held out to choose the best epoch; 0 keeps the last.
        cv: folds as ``jdl.sweep`` takes them; then ``runs_`` holds the cross-validation, and the best
            configuration is trained again on all rows for its median best epoch.
        search: with ``cv``, hyper-parameters to choose from: a dict of lists; a list of dicts, such as
            ``jdl.sweeps.random`` gives; or how many configurations to draw around the network's defaults,
            where ``hyper`` does not say otherwise.
        time_budget: with ``cv``, seconds after which no further training is begun.
        device: ``"cpu"``, ``"gpu"`` or ``"tpu"``; what JAX takes first unless given.
        random_state: a seed, for the same model every time.

    Attributes:
        classes_: the classes, in the order of ``predict_proba``.
        n_iter_: epochs trained.
        schema_: what each column was taken for.
        runs_: the sweep of ``cv``, else None.
        model_: the trained model, to be saved by ``jdl.io.save``.

    >>> import jdl
    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> jdl.Classifier("linear", random_state=0).fit(x, y).score(x, y) > 0.9
    True
    """

    def __sklearn_tags__(self) -> Any:
        """Say to scikit-learn what the estimator takes."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Classifier":
        """Train on rows; those of weight 0 have no influence.

        Raises:
            ValueError: lengths that differ, targets that are missing or no classes, fewer than two classes.
            RecipeError: an unknown network or hyper-parameter.
        """
        frame, plain, y, weight = checked_rows(self, X, y, sample_weight, targets.labels, reset=True)
        kept = y if weight is None else y[weight > 0]
        self.classes_ = _at_least_two(targets.classes_of(kept))
        rows = lambda schema: self._rows(schema, frame, y, weight)
        if weight is not None and y.ndim == 1:  # a class of no weight is not there
            there = np.isin(y, self.classes_)
            frame, y, weight = frame.filter(there), y[there], weight[there]
        return self._fitted(frame, plain, targets.class_targets(self.classes_, y), rows)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> "Classifier":
        """Go once through some rows, the optimizer's state kept from call to call.

        The first call (or the first after ``fit``, which it does not go on from) decides what the columns
        are, fits the preparation, and needs all ``classes`` unless its rows have them all.

        Raises:
            ValueError: as ``fit``; a class that the first call did not have, or other ``classes`` than then.
        """
        first = not getattr(self, "_online", None)
        frame, plain, y, weight = checked_rows(self, X, y, sample_weight, targets.labels, reset=first)
        if first:
            given = targets.classes_of(y) if classes is None else np.unique(classes)
            self.classes_ = np.arange(y.shape[1]) if y.ndim == 2 else _at_least_two(given)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            found, known = np.unique(classes).tolist(), self.classes_.tolist()
            raise ValueError(f"classes: found {found}, the first call had {known}; needs the same, or none")
        schema = self._begun(frame, plain, targets.class_targets(self.classes_, y))
        return self._one_pass(self._rows(schema, frame, y, weight))

    def predict_proba(self, X: Any) -> Any:
        """Give the probability of each class ``(n, classes)``, or of each label ``(n, k)``."""
        outputs = self._outputs(X)
        if self.schema_.task == "multilabel":
            return expit(outputs.astype(np.float64))
        return softmax(outputs.astype(np.float64), axis=1)

    def predict_log_proba(self, X: Any) -> Any:
        """Give the logarithm of ``predict_proba``, exact where a probability is too small for a number."""
        outputs = self._outputs(X).astype(np.float64)
        return log_expit(outputs) if self.schema_.task == "multilabel" else log_softmax(outputs, axis=1)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Give log-odds: of the second of two classes ``(n,)`` or of labels ``(n, k)``; else logits."""
        outputs = self._outputs(X).astype(np.float64)
        if self.schema_.task != "multilabel" and len(self.classes_) == 2:
            return outputs[:, 1] - outputs[:, 0]
        return outputs

    def predict(self, X: Any) -> NDArray:
        """Give the most probable class of each row, or the labels whose probability is above one half."""
        outputs = self._outputs(X)
        if self.schema_.task == "multilabel":
            return (outputs > 0).astype(int)
        return self.classes_[outputs.argmax(1)]

    def _rows(self, schema: Schema, frame: Any, y: NDArray, weight: Any) -> Rows:
        return Rows(schema.encode(frame), targets.codes(self.classes_, y), weight)


def _at_least_two(classes: NDArray) -> NDArray:
    if len(classes) < 2:
        raise ValueError(f"y: has 1 class, {classes[0]!r}; needs at least two to tell apart")
    return classes
