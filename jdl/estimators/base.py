"""What the estimators share: from X, y and weights to a trained run, and from new rows to its outputs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, check_is_fitted

from jdl import train
from jdl.data import Schema, holdout
from jdl.data.columns import Target
from jdl.data.parts import ROWS, counted_from, cut
from jdl.estimators.columns import schema_of, skeleton, table_of
from jdl.estimators.online import Online, Pending, begun, moved, run_of
from jdl.estimators.recipes import Chosen, chosen
from jdl.estimators.rows import bucket, padded
from jdl.estimators.tuned import tuned
from jdl.io import Model
from jdl.models import DEFAULT
from jdl.sweeps import Runs
from jdl.train.recipe import Run

FEWEST = 20  # rows of which some are held out to choose the epoch


class Rows(NamedTuple):
    """Encoded rows, their coded targets, and weights where there are any."""

    x: dict[str, NDArray]
    y: NDArray
    weight: NDArray | None

    def at(self, index: NDArray) -> "Rows":
        """Give some of the rows."""
        weight = None if self.weight is None else self.weight[index]
        return Rows({name: values[index] for name, values in self.x.items()}, self.y[index], weight)


class Estimator(BaseEstimator):
    """Training and prediction behind ``Classifier`` and ``Regressor``, which say what the target is."""

    def __init__(
        self,
        model: Any = "auto",
        *,
        hyper: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        validation: float = 0.1,
        cv: Any = None,
        search: Any = None,
        time_budget: float | None = None,
        device: str | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.hyper = hyper
        self.epochs = epochs
        self.validation = validation
        self.cv = cv
        self.search = search
        self.time_budget = time_budget
        self.device = device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Say to scikit-learn what the estimator takes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = True
        tags.non_deterministic = False
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "schema_")

    @property
    def model_(self) -> Model:
        """The trained model, to be saved by ``jdl.io.save``; of a network that has a name."""
        check_is_fitted(self)
        if not isinstance(self.model, str):
            raise AttributeError("model_: a layer or a function of one's own has no name to be saved by")
        network = DEFAULT if self.model == "auto" else self.model
        return Model.of(self.schema_, network, self.hyper_, Run(*self.run_))

    def _fitted(self, frame: pl.DataFrame, plain: bool, targets: tuple[Target, ...], rows: Any) -> Any:
        """Train on rows that were checked; ``rows`` makes ``Rows`` of a schema."""
        schema = schema_of(frame, plain, targets)
        found: Rows = rows(schema)
        if found.weight is not None and self.cv is None:  # folds count all rows
            found = found.at(np.flatnonzero(found.weight > 0))
        key = jax.random.key(check_random_state(self.random_state).randint(2**31))
        with self._placed():
            if self.cv is None and (self.search is not None or self.time_budget is not None):
                raise ValueError("search and time_budget: need folds to compare by; give cv, such as cv=5")
            self.runs_: Runs | None = None
            if self.cv is None:
                recipe, hyper, run = self._trained(schema, found, key)
            else:
                recipe, hyper = self._chosen(schema, len(found.y))
                given = {*(self.hyper or {}), *([] if self.epochs is None else ["epochs"])}
                self.runs_, hyper, run = tuned(
                    recipe, hyper, given, key, found, self.cv, self.search, self.time_budget
                )
        self.schema_, self.hyper_, self.run_ = schema, hyper, jax.device_get(run)
        self.n_iter_ = int(np.sum(~np.isnan(self.run_.history["loss"])))
        self._online: Online | Pending | None = None
        return self

    def _trained(self, schema: Schema, rows: Rows, key: Any) -> tuple[Any, dict[str, Any], Run]:
        """Train once, the epoch chosen on rows held out where there are enough."""
        kept, held = self._held_out(schema, rows.y)
        recipe, hyper = self._chosen(schema, len(kept))
        data = padded(*rows.at(kept))
        valid = padded(*rows.at(held)) if len(held) else None
        return recipe, hyper, train.run(recipe, hyper, key, data, valid)

    def _held_out(self, schema: Schema, y: NDArray) -> tuple[NDArray, NDArray]:
        if not 0 <= self.validation < 1:
            raise ValueError(f"validation: found {self.validation}, needs a part of the rows, below 1")
        classes = schema.task == "classification"
        single = classes and np.bincount(y).max() < 2
        if self.validation == 0 or len(y) < FEWEST or single:
            return np.arange(len(y)), np.arange(0)
        seed = check_random_state(self.random_state).randint(2**31)
        return holdout(y if y.ndim == 1 else y[:, 0], self.validation, seed, stratify=classes)

    def _chosen(self, schema: Schema, rows: int) -> Chosen:
        given = dict(self.hyper or {})
        if self.epochs is not None:
            given["epochs"] = self.epochs
        return chosen(self.model, skeleton(schema), bucket(rows), given)

    def _begun(self, frame: pl.DataFrame, plain: bool, targets: tuple[Target, ...]) -> Schema:
        """Give the schema that ``partial_fit`` goes by: that of its first rows."""
        if not hasattr(self, "_online") or self._online is None:
            self.schema_ = schema_of(frame, plain, targets)
            self._online, self.n_iter_, self.runs_ = Pending(), 0, None
        return self.schema_

    def _one_pass(self, rows: Rows) -> Any:
        """Go once through more rows."""
        if rows.weight is not None:
            rows = rows.at(np.flatnonzero(rows.weight > 0))
        with self._placed():
            on = self._online
            if not isinstance(on, Online):
                recipe, self.hyper_ = self._chosen(self.schema_, len(rows.y))
                key = jax.random.key(check_random_state(self.random_state).randint(2**31))
                on = begun(recipe, self.hyper_, key, padded(*rows))
            recipe, _ = self._chosen(self.schema_, self.hyper_.get("rows", 1))
            self._online = moved(recipe, self.hyper_, on, padded(*rows), self.n_iter_)
        self.run_ = run_of(self._online)
        self.n_iter_ += 1
        return self

    def _outputs(self, x: Any) -> NDArray:
        """Give the outputs of the network for new rows."""
        check_is_fitted(self)
        frame, _ = table_of(self, x, reset=False)
        recipe, _ = self._chosen(self.schema_, self.hyper_.get("rows", 1))
        run = Run(*self.run_)
        parts = []
        for first, part in cut(0, frame, ROWS):  # encoded, a row may be much larger than it was
            with counted_from(first):
                encoded = self.schema_.encode(part)
            with self._placed():
                parts.append(train.predict(recipe, self.hyper_, run, encoded))
        return np.concatenate(parts)

    @contextmanager
    def _placed(self) -> Iterator[None]:
        if self.device is None:
            yield
            return
        with jax.default_device(jax.local_devices(backend=self.device)[0]):
            yield


def checked_rows(
    estimator: Any, x: Any, y: Any, sample_weight: Any, read: Callable[[Any], NDArray], *, reset: bool
) -> tuple[pl.DataFrame, bool, NDArray, NDArray | None]:
    """Check what ``fit`` is given: the table, whether it was an array, the target, and weights."""
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"{name} requires y to be passed, but the target y is None: needs {read.__name__}")
    frame, plain = table_of(estimator, x, reset=reset)
    target = read(y)
    return frame, plain, target, weights_of(estimator, sample_weight, frame, target)


def weights_of(estimator: Any, sample_weight: Any, frame: pl.DataFrame, y: NDArray) -> NDArray | None:
    """Check that rows, targets and weights go together; give the weights.

    Raises:
        ValueError: different lengths, a weight below 0, or no weight above 0.
    """
    check_consistent_length(frame, y)
    if sample_weight is None:
        return None
    return _check_sample_weight(
        sample_weight, y, dtype=np.float64, ensure_non_negative=True, allow_all_zero_weights=False
    )
