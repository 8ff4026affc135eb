"""Losses of classes and labels: cross-entropy of softmax and of sigmoid logits, and their focal forms."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.losses._checks import as_class_logits, class_probabilities, labels, scalar_option


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
    logits = as_class_logits("cross_entropy", logits, "binary_cross_entropy")
    probabilities = class_probabilities("cross_entropy", target, logits.shape)
    smoothed = (1.0 - jnp.asarray(label_smoothing)) * probabilities + label_smoothing / logits.shape[-1]
    loss = -jnp.sum(smoothed * _log_softmax(logits, smoothed), axis=-1)
    if class_weight is not None:
        loss *= jnp.sum(probabilities * _by_class("cross_entropy", class_weight, logits), axis=-1)
    return jnp.mean(loss).astype(jnp.float32)


def focal(
    logits: ArrayLike, target: ArrayLike, *, gamma: ArrayLike = 2.0, class_weight: ArrayLike | None = None
) -> jax.Array:
    r"""Cross-entropy of softmax logits in which what is already learned counts less.

    .. math:: -\sum_c w_c\, p_c\, (1 - \hat p_c)^\gamma \log \hat p_c, \qquad \hat p = \mathrm{softmax}(z)

    Logits, target, result and errors as for ``cross_entropy``, which it is for ``gamma`` 0.

    Args:
        logits: ``(..., k)``, ``k >= 2``.
        target: Integer classes of shape ``(...)``, or probabilities of shape ``(..., k)``.
        gamma: :math:`\gamma`, of at least 0.
        class_weight: ``(k,)`` weights :math:`w_c`.

    Reference: Lin et al., 2017, https://arxiv.org/abs/1708.02002.

    >>> print(f"{focal(jnp.array([0.0, 0.0]), 1):.4f}")
    0.1733
    """
    logits = as_class_logits("focal", logits, "binary_focal")
    probabilities = class_probabilities("focal", target, logits.shape)
    log_softmax = _log_softmax(logits, probabilities)
    # A probability that rounds to one has no logarithm of its complement; 1e-7 is below what float32 tells.
    complement = jnp.log(-jnp.expm1(jnp.minimum(log_softmax, -1e-7)))
    terms = probabilities * jnp.exp(gamma * complement) * log_softmax
    if class_weight is not None:
        terms *= _by_class("focal", class_weight, logits)
    return -jnp.mean(jnp.sum(terms, axis=-1)).astype(jnp.float32)


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

    It is the loss of one label and of several at once (``torch.nn.MultiLabelSoftMarginLoss``).

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
    logits, target = labels("binary_cross_entropy", logits, target)
    weight = scalar_option("binary_cross_entropy", "positive_weight", positive_weight, logits.shape)
    smoothed = (1.0 - label_smoothing) * target + label_smoothing / 2.0
    loss = weight * smoothed * jax.nn.softplus(-logits) + (1.0 - smoothed) * jax.nn.softplus(logits)
    return jnp.mean(loss).astype(jnp.float32)


def binary_focal(
    logits: ArrayLike, target: ArrayLike, *, gamma: ArrayLike = 2.0, positive_share: ArrayLike | None = None
) -> jax.Array:
    r"""Cross-entropy of sigmoid logits in which what is already learned counts less, averaged over labels.

    .. math:: (1 - \hat p_y)^\gamma \left( -\log \hat p_y \right), \qquad
              \hat p_y = y\,\sigma(z) + (1 - y)\,\sigma(-z)

    for a label of 0 or 1; a probability weighs both. Logits, target, result and errors as for
    ``binary_cross_entropy``, which it is for ``gamma`` 0.

    Args:
        logits: ``()``, or ``(k,)`` for ``k`` independent labels.
        target: The labels, of the same shape.
        gamma: :math:`\gamma`, of at least 0.
        positive_share: :math:`\alpha`, a scalar or ``(k,)``: positive labels are weighted by it, negative
            ones by :math:`1 - \alpha`.

    Reference: Lin et al., 2017, https://arxiv.org/abs/1708.02002.

    >>> print(f"{binary_focal(jnp.array(0.0), True):.4f}")
    0.1733
    """
    logits, target = labels("binary_focal", logits, target)
    positive, negative = target, 1.0 - target
    if positive_share is not None:
        share = scalar_option("binary_focal", "positive_share", positive_share, logits.shape)
        positive, negative = share * positive, (1.0 - share) * negative
    unlearned = jnp.exp(gamma * jax.nn.log_sigmoid(-logits)), jnp.exp(gamma * jax.nn.log_sigmoid(logits))
    loss = positive * unlearned[0] * jax.nn.softplus(-logits)
    return jnp.mean(loss + negative * unlearned[1] * jax.nn.softplus(logits)).astype(jnp.float32)


def _log_softmax(logits: jax.Array, weight: jax.Array) -> jax.Array:
    log_softmax = jax.nn.log_softmax(logits)
    # A class ruled out by -inf costs nothing where its target is 0, although 0 * -inf is NaN.
    return jnp.where(jnp.isneginf(log_softmax) & (weight == 0), 0.0, log_softmax)


def _by_class(name: str, class_weight: ArrayLike, logits: jax.Array) -> jax.Array:
    class_weight = jnp.asarray(class_weight, jnp.float32)
    if class_weight.shape != logits.shape[-1:]:
        raise ValueError(f"{name}: class_weight has shape {class_weight.shape}, needs ({logits.shape[-1]},)")
    return class_weight
