"""What defines a training run, and what it carries and gives back."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jdl.features.prepare import Prepare
from jdl.metrics import Metric
from jdl.nn.layer import Layer, as_layer


class RecipeError(ValueError):
    """A recipe, or data given to it, that cannot train; the message says what to change."""


def identity(outputs: Any) -> Any:
    """Give the outputs as they are."""
    return outputs


PRECISIONS = (None, "bfloat16", "float16", "float32")


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that defines one training run. Build it in a plain function ``recipe(hyper) -> Recipe``.

    Args:
        network: a layer, of one example.
        loss: ``loss(outputs, target) -> scalar``, of one example.
        optimizer: any optax transformation; ``jdl.optim`` has those whose settings may be traced.
        batch_size: examples in a step; a data set smaller than this is one batch.
        epochs: passes over the data.
        prepare: preprocessing fitted on the training rows, inside the run; it prepares every row once, before
            the first step, unless ``Prepare.each_step`` says otherwise.
        metrics: ``{name: Metric}``, computed on the training batches as they pass and on validation rows;
            weighted by example, not by class.
        monitor: what chooses the best epoch on validation rows: ``"loss"`` or a name in ``metrics``.
        patience: epochs without improvement after which training stops; None trains them all, and so does a
            run without validation rows, whose last epoch is returned.
        accumulate: parts into which a batch is cut, one after the other, to save memory.
        ema: decay of an average of the parameters, which is then what is evaluated and returned.
        precision: compute dtype of the network, ``"bfloat16"`` or ``"float16"``; parameters stay float32.
        loss_scale: first factor of dynamic loss scaling (for ``"float16"``, 32768 unless given).
        class_weight: a factor of the loss per class (an array), or ``"balanced"``: inverse to the training
            rows' counts.
        start: ``start(params, state, key, rows, weight) -> (params, state)``: data-dependent initialisation,
            on the training rows only, after preparation; rows of weight zero are copies of one that counts.
        max_bad_steps: steps in a row with a non-finite gradient, each skipped, after which the run stops.
        predict: what metrics and users see of one example's outputs, which the loss sees as they are: the
            mean of an ensemble's members, say.
    """

    network: Layer
    loss: Callable[[Any, Any], Any]
    optimizer: optax.GradientTransformation
    batch_size: int
    epochs: int
    prepare: Prepare | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    monitor: str = "loss"
    patience: int | None = None
    accumulate: int = 1
    ema: Any = None
    precision: str | None = None
    loss_scale: Any = None
    class_weight: Any = None
    start: Callable[..., Any] | None = None
    max_bad_steps: int = 20
    predict: Callable[[Any], Any] = identity

    def __post_init__(self) -> None:
        object.__setattr__(self, "network", as_layer(self.network))
        self._check_kinds()
        for name in ("batch_size", "epochs", "accumulate", "max_bad_steps", "patience"):
            value = getattr(self, name)
            if not (name == "patience" and value is None):
                check_count(f"Recipe.{name}", value)
        if self.monitor != "loss" and self.monitor not in self.metrics:
            choices = ["loss", *self.metrics]
            raise RecipeError(f"Recipe.monitor: found {self.monitor!r}, needs one of {choices}")
        if "loss" in self.metrics:
            raise RecipeError("Recipe.metrics: 'loss' is the recipe's own loss; give the metric another name")
        if self.precision not in PRECISIONS:
            raise RecipeError(f"Recipe.precision: found {self.precision!r}, needs one of {PRECISIONS}")
        if isinstance(self.class_weight, str) and self.class_weight != "balanced":
            found = repr(self.class_weight)
            raise RecipeError(f"Recipe.class_weight: found {found}, needs 'balanced' or an array")
        if self.precision == "float16" and self.loss_scale is None:
            object.__setattr__(self, "loss_scale", 2.0**15)

    def _check_kinds(self) -> None:
        loss: Any = self.loss  # of any kind, whatever the annotation says
        optimizer: Any = self.optimizer
        metrics: Any = self.metrics
        if not callable(loss):
            needed = "a function (outputs, target) -> scalar, such as jdl.losses.cross_entropy"
            raise RecipeError(f"Recipe.loss: found {loss!r}, needs {needed}")
        if not callable(self.predict):
            raise RecipeError(f"Recipe.predict: found {self.predict!r}, needs a function of the outputs")
        if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
            raise RecipeError(
                f"Recipe.optimizer: found {optimizer!r}, needs one, such as jdl.optim.adamw(1e-3)"
            )
        if not isinstance(metrics, Mapping):
            needed = "a dict {name: metric}, such as {'f1': jdl.metrics.f1()}"
            raise RecipeError(f"Recipe.metrics: found a {type(metrics).__name__}, needs {needed}")
        for name, metric in metrics.items():
            if not isinstance(metric, Metric):
                called = f"; call it: jdl.metrics.{metric.__name__}()" if inspect.isfunction(metric) else ""
                found = type(metric).__name__
                raise RecipeError(
                    f"Recipe.metrics[{name!r}]: found a {found}, needs a jdl.metrics.Metric{called}"
                )


class Health(NamedTuple):
    """Steps whose gradient was not finite: all skipped so far, those in a row, and where the row began."""

    skipped: Any = np.int32(0)  # of NumPy, as importing a module must not start JAX
    streak: Any = np.int32(0)
    since: Any = np.int32(-1)


class TrainState(NamedTuple):
    """All that a step reads and changes. Keys are ``fold_in(key, step)``, so resuming is exact."""

    step: Any
    params: Any
    state: Any
    opt_state: Any
    key: Any
    average: Any = None  # the parameters' moving average, with ``Recipe.ema``
    scale: Any = None  # (factor, finite steps since it changed), with ``Recipe.loss_scale``
    health: Health = Health()


class Run(NamedTuple):
    """What a training run gives: the best epoch's parameters and state, and how it went.

    ``history`` holds one array of length ``epochs`` per quantity: ``loss`` and the recipe's metrics as seen
    in training, the same with the prefix ``valid_`` on validation rows, NaN where training had stopped;
    and the scalars ``best_epoch``, ``skipped`` (steps with a non-finite gradient) and ``failed_at`` (the step
    at which too many of them began, else -1).
    """

    params: Any
    state: Any
    stats: Any
    history: dict[str, Any]

    def __repr__(self) -> str:
        """Say how large the network is and how training ended, or the shapes of runs that were mapped."""
        sizes = f"{sum(int(np.prod(np.shape(leaf))) for leaf in jax.tree.leaves(self.params)):,} parameters"
        rows = {name: values for name, values in self.history.items() if np.ndim(values) == 1}
        if not rows or any(isinstance(values, jax.core.Tracer) for values in self.history.values()):
            shapes = {name: np.shape(values) for name, values in self.history.items()}
            return f"Run({sizes}; history: {shapes})"
        best = int(np.asarray(self.history["best_epoch"]))
        found = ", ".join(f"{name} {float(np.asarray(values)[best]):.4g}" for name, values in rows.items())
        return f"Run({sizes}; epoch {best + 1} of {len(next(iter(rows.values())))} kept: {found})"


def batch_sizes(recipe: Recipe, rows: int) -> tuple[int, int]:
    """Give ``(batch size, steps per epoch)`` for a number of rows."""
    size = min(recipe.batch_size, rows)
    if size % recipe.accumulate:
        raise RecipeError(
            f"Recipe.accumulate: a batch of {size} rows cannot be cut into {recipe.accumulate} equal parts"
        )
    return size, -(-rows // size)


def check_recipe(recipe: Any) -> None:
    """Raise a RecipeError unless ``recipe`` is one, rather than the function that makes it."""
    if not isinstance(recipe, Recipe):
        found = "a function: call it" if callable(recipe) else type(recipe).__name__
        raise RecipeError(f"recipe: found {found}, needs a jdl.Recipe")


def check_key(key: Any) -> None:
    """Raise a RecipeError unless ``key`` is a JAX key."""
    dtype = getattr(key, "dtype", None)
    if dtype is None or not (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == jnp.uint32):
        raise RecipeError(f"key: found {key!r}, needs a JAX key: jax.random.key(seed)")


def check_count(name: str, value: Any) -> None:
    """Raise a RecipeError unless ``value`` is an integer of at least 1."""
    if not isinstance(value, int) or value < 1:
        raise RecipeError(f"{name}: found {value!r}, needs an integer of at least 1")
