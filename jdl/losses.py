"""Losses: pure functions of one example, ``loss(outputs, target, **options) -> scalar``.

Batches are the business of ``jax.vmap``, and example weights that of the training run. Every loss is computed
and returned in float32, whatever the dtype of its inputs; every option may be traced.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def squared_error(outputs: ArrayLike, target: ArrayLike) -> jax.Array:
    r"""Squared error, averaged over the elements of one example: :math:`\frac1m \sum_j (o_j - y_j)^2`.

    Args:
        outputs: The network's outputs, of any shape.
        target: The true values, of the same shape; ``()`` also fits outputs of shape ``(1,)``.

    Raises:
        ValueError: The shapes differ (nothing is broadcast).

    >>> squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])).item()
    2.0
    """
    outputs, target = _elementwise("squared_error", outputs, target)
    return jnp.mean(jnp.square(outputs - target))


def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    *,
    label_smoothing: ArrayLike = 0.0,
    class_weight: ArrayLike | None = None,
) -> jax.Array:
    r"""Cross-entropy of softmax logits against a class or against class probabilities.

    .. math:: -w \sum_c q_c \log \mathrm{softmax}(z)_c, \quad q = (1 - s)\,p + s / k, \quad w = \sum_c p_c w_c

    with :math:`p` the target (one-hot for an integer class), :math:`s` the label smoothing and :math:`w_c`
    the class weights: the loss of an integer target is multiplied by ``class_weight[target]``, smoothed or
    not. Logits with leading axes, such as the positions of a sequence, give the mean over them.

    Args:
        logits: ``(..., k)`` unnormalised log-probabilities, ``k >= 2``; ``-inf`` rules a class out.
        target: Integer classes of shape ``(...)``, or probabilities of shape ``(..., k)``, used as given.
        label_smoothing: ``s`` from 0 to 1.
        class_weight: ``(k,)`` weights.

    Returns:
        A float32 scalar. It is NaN, as is its gradient, where an integer class is below 0 or above ``k - 1``.

    Raises:
        ValueError: Shapes or dtypes that do not fit.

    Reference: label smoothing is Szegedy et al., 2016, https://arxiv.org/abs/1512.00567.

    >>> logits = jnp.array([0.0, 0.0])
    >>> print(f"{cross_entropy(logits, 1):.4f}")
    0.6931
    >>> print(f"{cross_entropy(logits, jnp.array([0.5, 0.5]), class_weight=jnp.array([1.0, 3.0])):.4f}")
    1.3863
    """
    logits = _logits("cross_entropy", logits)
    if logits.ndim == 0 or logits.shape[-1] < 2:
        raise ValueError(
            f"cross_entropy: logits have shape {logits.shape}, needs (..., classes) with two classes or more;"
            " for a single logit use binary_cross_entropy"
        )
    classes = logits.shape[-1]
    probabilities = _class_probabilities(jnp.asarray(target), logits.shape)
    smoothed = (1.0 - label_smoothing) * probabilities + label_smoothing / classes
    log_softmax = jax.nn.log_softmax(logits)
    # A class ruled out by -inf costs nothing where its target is 0, although 0 * -inf is NaN.
    log_softmax = jnp.where(jnp.isneginf(log_softmax) & (smoothed == 0), 0.0, log_softmax)
    loss = -jnp.sum(smoothed * log_softmax, axis=-1)
    if class_weight is not None:
        class_weight = jnp.asarray(class_weight, jnp.float32)
        if class_weight.shape != (classes,):
            raise ValueError(
                f"cross_entropy: class_weight has shape {class_weight.shape}, needs ({classes},)"
            )
        loss *= jnp.sum(probabilities * class_weight, axis=-1)
    return jnp.mean(loss).astype(jnp.float32)


def binary_cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    *,
    label_smoothing: ArrayLike = 0.0,
    positive_weight: ArrayLike = 1.0,
) -> jax.Array:
    r"""Cross-entropy of sigmoid logits, averaged over the labels of one example; stable at any logit.

    .. math:: \frac1k \sum_j w\,q_j\,\mathrm{softplus}(-z_j) + (1 - q_j)\,\mathrm{softplus}(z_j),
              \qquad q = (1 - s)\,y + s / 2

    Args:
        logits: ``()``, or ``(k,)`` for ``k`` independent labels.
        target: The labels: booleans, integers or probabilities from 0 to 1, of the same shape; ``()`` also
            fits logits of shape ``(1,)``.
        label_smoothing: ``s`` from 0 to 1.
        positive_weight: ``w``, a scalar or ``(k,)``: what a positive label weighs against a negative one.

    Returns:
        A float32 scalar. It is NaN, as is its gradient, where a target lies outside 0 to 1.

    Raises:
        ValueError: Shapes or dtypes that do not fit.

    >>> print(f"{binary_cross_entropy(jnp.array(0.0), True):.4f}")
    0.6931
    """
    logits, target = _elementwise("binary_cross_entropy", _logits("binary_cross_entropy", logits), target)
    positive_weight = jnp.asarray(positive_weight, jnp.float32)
    if positive_weight.shape not in ((), logits.shape):
        raise ValueError(
            f"binary_cross_entropy: positive_weight has shape {positive_weight.shape},"
            f" needs () or {logits.shape}"
        )
    target = jnp.where((target >= 0) & (target <= 1), target, jnp.nan)
    smoothed = (1.0 - label_smoothing) * target + label_smoothing / 2.0
    loss = positive_weight * smoothed * jax.nn.softplus(-logits) + (1.0 - smoothed) * jax.nn.softplus(logits)
    return jnp.mean(loss).astype(jnp.float32)


def _logits(name: str, logits: ArrayLike) -> jax.Array:
    logits = jnp.asarray(logits)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise ValueError(f"{name}: logits are {logits.dtype}, needs floating-point numbers")
    return logits.astype(jnp.float32)


def _elementwise(name: str, outputs: ArrayLike, target: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Both in float32 and in one shape; a scalar target fits a single output."""
    outputs, target = jnp.asarray(outputs, jnp.float32), jnp.asarray(target, jnp.float32)
    if target.shape == () and outputs.shape == (1,):
        target = target[None]
    if outputs.shape != target.shape:
        raise ValueError(f"{name}: the target has shape {target.shape}, needs the outputs' {outputs.shape}")
    return outputs, target


def _class_probabilities(target: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Rows of probabilities from classes or probabilities; NaN for a class that does not exist."""
    if target.shape == shape:
        return target.astype(jnp.float32)
    if target.shape == shape[:-1] and not jnp.issubdtype(target.dtype, jnp.inexact):
        classes = jnp.arange(shape[-1])
        exists = (target >= 0) & (target < shape[-1])
        # Comparing, not indexing: the gradient of a gather is a scatter, slow inside a scan on a CPU.
        return jnp.where(exists[..., None], (target[..., None] == classes).astype(jnp.float32), jnp.nan)
    raise ValueError(
        f"cross_entropy: the target is {target.dtype} of shape {target.shape}; logits of shape {shape} need"
        f" integer classes of shape {shape[:-1]} or probabilities of shape {shape}"
    )
