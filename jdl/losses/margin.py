"""Margin losses of classes and labels: zero once a score is on the right side by enough."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.losses._checks import as_class_logits, as_logits, class_probabilities, labels


def hinge(scores: ArrayLike, target: ArrayLike) -> jax.Array:
    r"""Hinge loss of labels 0 and 1, averaged over labels: :math:`\max(0, 1 - (2 y - 1)\,z)`.

    Args:
        scores: ``()``, or ``(k,)`` for ``k`` independent labels.
        target: The labels, booleans or numbers from 0 to 1, of the same shape; ``()`` also fits ``(1,)``.

    Returns:
        A float32 scalar; NaN where a target lies outside 0 to 1.

    Raises:
        ValueError: Shapes or dtypes that do not fit.

    Reference: Cortes and Vapnik, 1995, https://doi.org/10.1007/BF00994018.

    >>> hinge(jnp.array([0.5, 0.5]), jnp.array([1, 0])).item()
    1.0
    """
    scores, target = labels("hinge", scores, target)
    return jnp.mean(jnp.maximum(0.0, 1.0 - (2.0 * target - 1.0) * scores))


def squared_hinge(scores: ArrayLike, target: ArrayLike) -> jax.Array:
    r"""Squared hinge loss of labels 0 and 1, averaged over labels: :math:`\max(0, 1 - (2 y - 1)\,z)^2`.

    Shapes, result and errors as for ``hinge``.

    Reference: Lee and Mangasarian, 2001, https://doi.org/10.1023/A:1011215321374.

    >>> squared_hinge(jnp.array([0.5, 0.5]), jnp.array([1, 0])).item()
    1.25
    """
    scores, target = labels("squared_hinge", scores, target)
    return jnp.mean(jnp.square(jnp.maximum(0.0, 1.0 - (2.0 * target - 1.0) * scores)))


def multi_margin(
    scores: ArrayLike, target: ArrayLike, *, margin: ArrayLike = 1.0, power: ArrayLike = 1.0
) -> jax.Array:
    r"""Hinge loss of several classes: :math:`\frac1k \sum_{c \ne y} \max(0, m - z_y + z_c)^p`.

    Scores with leading axes give the mean over them. Equal to ``torch.nn.MultiMarginLoss``.

    Args:
        scores: ``(..., k)``, ``k >= 2``.
        target: Integer classes of shape ``(...)``.
        margin: :math:`m`.
        power: :math:`p`, of at least 1.

    Returns:
        A float32 scalar; NaN where a class is below 0 or above ``k - 1``.

    Raises:
        ValueError: Shapes or dtypes that do not fit.

    Reference: Weston and Watkins, 1999, ESANN, "Support vector machines for multi-class pattern recognition".

    >>> multi_margin(jnp.array([1.0, 0.5, 0.5, -1.0]), 0).item()
    0.25
    """
    scores = as_class_logits("multi_margin", scores, "hinge")
    if jnp.shape(target) == scores.shape:
        raise ValueError(f"multi_margin: the target has shape {jnp.shape(target)}, needs integer classes")
    one_hot = class_probabilities("multi_margin", target, scores.shape)
    own = jnp.sum(one_hot * scores, axis=-1, keepdims=True)
    over = jnp.maximum(0.0, margin - own + scores) ** power
    return jnp.mean((1.0 - one_hot) * over).astype(jnp.float32)


def multi_label_margin(scores: ArrayLike, target: ArrayLike) -> jax.Array:
    r"""Hinge loss between every label that applies and every one that does not.

    .. math:: \frac1k \sum_{i: y_i = 1} \sum_{j: y_j = 0} \max(0, 1 - z_i + z_j)

    Equal to ``torch.nn.MultiLabelMarginLoss``, whose targets are the indices of the labels that apply.

    Args:
        scores: ``(k,)``.
        target: ``(k,)``, booleans or 0 and 1.

    Returns:
        A float32 scalar; NaN where a target lies outside 0 to 1.

    Raises:
        ValueError: Shapes or dtypes that do not fit.

    >>> multi_label_margin(jnp.array([0.5, 0.0, -2.0, 1.0]), jnp.array([1, 0, 0, 1])).item()
    0.125
    """
    if as_logits("multi_label_margin", scores).ndim != 1:
        raise ValueError(f"multi_label_margin: the scores have shape {jnp.shape(scores)}, needs (k,)")
    scores, target = labels("multi_label_margin", scores, target)
    over = jnp.maximum(0.0, 1.0 - scores[:, None] + scores)
    return jnp.sum(target[:, None] * (1.0 - target) * over) / scores.size
