"""What every metric asks of a batch: its shapes, its types, and dead rows made harmless."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

Rows = tuple[jax.Array, jax.Array, jax.Array]


def class_rows(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Rows:
    """Give logits, ``(batch,)`` for two classes, classes and weights; dead rows are all zeros."""
    logits, target, weight = _rows(outputs, target, weight)
    if logits.ndim == 2 and logits.shape[1] <= 2:
        logits = logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]
    if logits.ndim > 2 or target.size != target.shape[0]:
        raise ValueError(
            f"outputs have shape {jnp.shape(outputs)}, the target {target.shape}; for classes they need"
            " (batch,), (batch, 1) or (batch, classes), and (batch,)"
        )
    target = target.reshape(-1)
    classes = target.astype(jnp.int32)
    bad = (classes != target) | (classes < 0) | (classes >= (2 if logits.ndim == 1 else logits.shape[1]))
    bad |= jnp.isnan(logits).any(axis=tuple(range(1, logits.ndim)))
    live = weight != 0
    weight = jnp.where(live & bad, jnp.nan, weight)
    return jnp.where(live & ~bad, logits.T, 0.0).T, jnp.where(live & ~bad, classes, 0), weight


def two_class_rows(name: str, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Rows:
    """Give logits, classes and weights, all ``(batch,)``."""
    logits, classes, weight = class_rows(outputs, target, weight)
    if logits.ndim != 1:
        raise ValueError(f"{name}: outputs have shape {jnp.shape(outputs)}, needs the logits of two classes")
    return logits, classes, weight


def label_rows(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Rows:
    """Give logits and labels as booleans, ``(batch, labels)``, and weights; dead rows are all zeros."""
    logits, target, weight = _rows(outputs, target, weight)
    if logits.shape != target.shape or logits.ndim != 2:
        raise ValueError(
            f"outputs have shape {logits.shape}, the target {target.shape}; for several labels a row they"
            " need the same shape, (batch, labels)"
        )
    bad = (((target != 0) & (target != 1)) | jnp.isnan(logits)).any(axis=1)
    live = weight != 0
    usable = (live & ~bad)[:, None]
    return jnp.where(usable, logits, 0.0), usable & (target == 1), jnp.where(live & bad, jnp.nan, weight)


def number_rows(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Rows:
    """Give outputs and targets, ``(batch, m)``, and weights; dead rows are all zeros."""
    predicted, actual, weight = _rows(outputs, target, weight)
    predicted, actual = (x[:, None] if x.ndim == 1 else x for x in (predicted, actual))
    if predicted.shape != actual.shape or predicted.ndim != 2:
        raise ValueError(
            f"outputs have shape {jnp.shape(outputs)}, the target {jnp.shape(target)}; for numbers they need"
            " the same shape, (batch,) or (batch, m)"
        )
    live = (weight != 0)[:, None]
    return jnp.where(live, predicted, 0.0), jnp.where(live, actual.astype(jnp.float32), 0.0), weight


def forecast_rows(name: str, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Rows:
    """Give outputs ``(batch, k)`` that say together how one number is distributed, targets and weights."""
    outputs, target, weight = _rows(outputs, target, weight)
    if outputs.ndim != 2 or target.size != target.shape[0]:
        raise ValueError(
            f"{name}: outputs have shape {outputs.shape}, the target {target.shape}; needs (batch, k) and"
            " (batch,)"
        )
    live = weight != 0
    target = jnp.where(live, target.reshape(-1).astype(jnp.float32), 0.0)
    return jnp.where(live[:, None], outputs, 0.0), target, weight


def unit_weight(target: ArrayLike, weight: ArrayLike | None) -> ArrayLike:
    """Give the weights, 1 a row where there are none."""
    return jnp.ones(jnp.shape(target)[:1]) if weight is None else weight


def predicted(logits: jax.Array, threshold: ArrayLike) -> jax.Array:
    """Give the predicted classes."""
    return logits > jax.scipy.special.logit(threshold) if logits.ndim == 1 else jnp.argmax(logits, axis=1)


def _rows(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Rows:
    outputs, target = jnp.asarray(outputs, jnp.float32), jnp.asarray(target)
    weight = jnp.asarray(weight, jnp.float32)
    batch = outputs.shape[:1]
    if outputs.ndim == 0 or target.shape[:1] != batch or weight.shape != batch:
        raise ValueError(
            f"outputs have shape {outputs.shape}, the target {target.shape} and the weights {weight.shape};"
            " they need the same number of rows, and one weight a row"
        )
    return outputs, target, jnp.where(weight < 0, jnp.nan, weight)
