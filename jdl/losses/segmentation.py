"""Losses of masks: how far the predicted region and the true one overlap."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.losses._checks import as_logits, class_probabilities, labels


def tversky(
    logits: ArrayLike,
    target: ArrayLike,
    *,
    false_positive: ArrayLike = 0.5,
    false_negative: ArrayLike = 0.5,
    smooth: ArrayLike = 1.0,
) -> jax.Array:
    r"""One less the overlap of a predicted mask with the true one, false positives and negatives weighted.

    .. math:: 1 - \frac{\sum p\,y + s}{\sum p\,y + \alpha \sum p\,(1 - y) + \beta \sum (1 - p)\,y + s}

    The sums are over all elements of one example. For a target of the logits' shape :math:`p` is their
    sigmoid. For a target of integer classes it is the softmax over the last axis, :math:`y` is one-hot, and
    the loss is the mean over the classes.

    Args:
        logits: Of any shape, or ``(..., k)``.
        target: Booleans or numbers from 0 to 1 of the same shape, or integer classes of shape ``(...)``.
        false_positive: :math:`\alpha`.
        false_negative: :math:`\beta`.
        smooth: :math:`s`: keeps an empty mask that is predicted empty at 0.

    Returns:
        A float32 scalar; NaN where a target lies outside 0 to 1, or a class does not exist.

    Raises:
        ValueError: Shapes or dtypes that do not fit.

    Reference: Salehi et al., 2017, https://arxiv.org/abs/1706.05721.

    >>> print(f"{tversky(jnp.array([100.0, 100.0]), jnp.array([1, 0]), false_positive=1.0):.4f}")
    0.3333
    """
    return _tversky("tversky", logits, target, false_positive, false_negative, smooth)


def dice(logits: ArrayLike, target: ArrayLike, *, smooth: ArrayLike = 1.0) -> jax.Array:
    r"""One less the Dice coefficient of a predicted mask and the true one.

    .. math:: 1 - \frac{2 \sum p\,y + 2 s}{\sum p + \sum y + 2 s}

    Arguments, result and errors as for ``tversky``, of which it is the case :math:`\alpha = \beta = \frac12`.

    Reference: Milletari et al., 2016, https://arxiv.org/abs/1606.04797.

    >>> print(f"{dice(jnp.array([100.0, 100.0]), jnp.array([1, 0])):.4f}")
    0.2000
    """
    return _tversky("dice", logits, target, 0.5, 0.5, smooth)


def jaccard(logits: ArrayLike, target: ArrayLike, *, smooth: ArrayLike = 1.0) -> jax.Array:
    r"""One less the share of the union of a predicted mask and the true one in which they meet.

    .. math:: 1 - \frac{\sum p\,y + s}{\sum p + \sum y - \sum p\,y + s}

    Arguments, result and errors as for ``tversky``, of which it is the case :math:`\alpha = \beta = 1`.

    Reference: Rahman and Wang, 2016, https://doi.org/10.1007/978-3-319-50835-1_22.

    >>> print(f"{jaccard(jnp.array([100.0, 100.0]), jnp.array([1, 0])):.4f}")
    0.3333
    """
    return _tversky("jaccard", logits, target, 1.0, 1.0, smooth)


def _tversky(
    name: str,
    logits: ArrayLike,
    target: ArrayLike,
    false_positive: ArrayLike,
    false_negative: ArrayLike,
    smooth: ArrayLike,
) -> jax.Array:
    said, is_ = _masks(name, logits, target)
    both, over, under = (jnp.sum(part, axis=0) for part in (said * is_, said * (1 - is_), (1 - said) * is_))
    overlap = (both + smooth) / (both + false_positive * over + false_negative * under + smooth)
    return jnp.mean(1.0 - overlap).astype(jnp.float32)


def _masks(name: str, logits: ArrayLike, target: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Give the predicted and the true masks, ``(elements, masks)``."""
    logits, target = as_logits(name, logits), jnp.asarray(target)
    if target.shape == logits.shape or logits.ndim == 0 or logits.shape[-1] < 2:
        logits, target = labels(name, logits, target)
        return jax.nn.sigmoid(logits).reshape(-1, 1), target.reshape(-1, 1)
    classes = class_probabilities(name, target, logits.shape)
    said = jax.nn.softmax(logits)
    return said.reshape(-1, logits.shape[-1]), classes.reshape(-1, logits.shape[-1])
