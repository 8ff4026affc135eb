"""Metrics of how well scores rank rows: of two classes, and by correlation of ranks."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.metrics.metric import Metric
from jdl.metrics.rows import number_rows, two_class_rows, unit_weight
from jdl.metrics.sums import Sum, add, rounded, value, zero


def roc_auc(*, bins: int = 8192) -> Metric:
    """Area under the ROC curve of two classes, from a histogram of logits; see also ``exact_roc_auc``.

    The probability that a row of class 1 scores above one of class 0, a tie counting one half; NaN where one
    class has no rows. Logits in one bin tie. A bin is 0.4 % of its logit wide (even below 0.001): well within
    1e-3 of the exact area, unless the logits differ by less than a few such widths.

    Args:
        bins: Number of bins; a statistic holds four float32 each.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(roc_auc(), jnp.array([-1.0, 0.0, 0.0, 2.0]), jnp.array([0, 0, 1, 1])))
    0.875
    """

    def compute(stat: Sum) -> jax.Array:
        negative, positive = value(stat)
        below = jnp.cumsum(negative) - 0.5 * negative
        return jnp.sum((positive / jnp.sum(positive)) * (below / jnp.sum(negative)))

    return _binned("roc_auc", bins, compute)


def average_precision(*, bins: int = 8192) -> Metric:
    r"""Average precision of two classes, from a histogram of logits; see also ``exact_average_precision``.

    .. math:: \sum_n (R_n - R_{n - 1}) P_n

    over the thresholds between bins; NaN where no row is of class 1. Logits in one bin tie as in ``roc_auc``,
    which brings it within 2e-3 of the exact value.

    Args:
        bins: Number of bins; a statistic holds four float32 each.

    >>> from jdl.metrics import evaluate
    >>> logits = jnp.array([-1.0, 0.0, 1.0, 2.0])
    >>> print(evaluate(average_precision(), logits, jnp.array([0, 1, 0, 1])).round(4))
    0.8333
    """

    def compute(stat: Sum) -> jax.Array:
        negative, positive = value(stat)
        above, wrong = (jnp.cumsum(part[::-1])[::-1] for part in (positive, negative))
        precision = above / jnp.where(above + wrong == 0, 1.0, above + wrong)
        return jnp.sum(positive / jnp.sum(positive) * precision)

    return _binned("average_precision", bins, compute)


def _binned(name: str, bins: int, compute: Callable[[Sum], jax.Array]) -> Metric:
    """Count the weight of each class by bin of its logit."""

    def update(stat: Sum, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Sum:
        logits, classes, weight = two_class_rows(name, outputs, target, weight)
        # Even steps of asinh: even near 0, a constant fraction of the logit beyond, from 1e-3 up to 1e4.
        place = jnp.clip(0.5 + 0.5 * jnp.arcsinh(logits / 1e-3) / jnp.arcsinh(1e7), 0.0, 1.0)
        index = jnp.minimum((place * bins).astype(jnp.int32), bins - 1)
        return add(stat, rounded(jnp.zeros((2, bins), jnp.float32).at[classes, index].add(weight)))

    return Metric(name, lambda: zero((2, bins)), update, add, compute, greater=True)


def exact_roc_auc(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None) -> jax.Array:
    """Area under the ROC curve of two classes, from all rows at once, by sorting.

    The probability that a row of class 1 scores above one of class 0, a tie counting one half; NaN where one
    class has no rows. Equal to ``sklearn.metrics.roc_auc_score``.

    >>> print(exact_roc_auc(jnp.array([-1.0, 0.0, 0.0, 2.0]), jnp.array([0, 0, 1, 1])))
    0.875
    """
    logits, classes, weight = two_class_rows("roc_auc", outputs, target, unit_weight(target, weight))
    order = jnp.argsort(logits)
    score, positive = logits[order], jnp.where(classes == 1, weight, 0.0)[order]
    negative = weight[order] - positive
    below, upto = _around_ties(score, negative)
    return jnp.sum(positive / jnp.sum(positive) * (0.5 * (below + upto) / jnp.sum(negative)))


def exact_average_precision(
    outputs: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None
) -> jax.Array:
    r"""Average precision of two classes, from all rows at once, by sorting.

    .. math:: \sum_n (R_n - R_{n - 1}) P_n

    over the distinct logits as thresholds; NaN where no row is of class 1. Equal to
    ``sklearn.metrics.average_precision_score``.

    >>> print(exact_average_precision(jnp.array([-1.0, 0.0, 1.0, 2.0]), jnp.array([0, 1, 0, 1])).round(4))
    0.8333
    """
    name = "average_precision"
    logits, classes, weight = two_class_rows(name, outputs, target, unit_weight(target, weight))
    order = jnp.argsort(-logits)
    score, positive = logits[order], jnp.where(classes == 1, weight, 0.0)[order]
    _, hits = _around_ties(score, positive)
    _, rows = _around_ties(score, weight[order])
    return jnp.sum(positive / jnp.sum(positive) * (hits / jnp.where(rows == 0, 1.0, rows)))


def exact_spearman(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None) -> jax.Array:
    """Spearman's rank correlation of two columns of numbers, from all rows at once, by sorting.

    Pearson's correlation of the ranks, tied rows sharing the mean of theirs; a row of weight 2 counts as two
    rows. NaN where a column is constant. Equal to ``scipy.stats.spearmanr``.

    Args:
        outputs: ``(batch,)`` or ``(batch, 1)``.
        target: The same.
        weight: ``(batch,)``, 1 if not given.

    Reference: Spearman, 1904, https://doi.org/10.2307/1412159.

    >>> print(exact_spearman(jnp.array([1.0, 2.0, 9.0]), jnp.array([1.0, 3.0, 2.0])))
    0.5
    """
    predicted, actual, weight = number_rows(outputs, target, unit_weight(target, weight))
    if predicted.shape[1] != 1:
        raise ValueError(f"exact_spearman: outputs have shape {jnp.shape(outputs)}, needs one column")
    ranks = jnp.stack([_ranks(column[:, 0], weight) for column in (predicted, actual)])
    share = weight / jnp.sum(weight)
    low, high = (extreme(ranks, axis=1, keepdims=True) for extreme in (jnp.min, jnp.max))
    about = ranks - jnp.clip(jnp.sum(ranks * share, axis=1, keepdims=True), low, high)
    covariance = jnp.einsum("ir,jr,r->ij", about, about, share, precision=jax.lax.Precision.HIGHEST)
    whole = jnp.sqrt(covariance[0, 0] * covariance[1, 1])
    return jnp.where(whole > 0, covariance[0, 1] / jnp.where(whole > 0, whole, 1.0), jnp.nan)


def _ranks(x: jax.Array, weight: jax.Array) -> jax.Array:
    """Give the weight below each number and half of that of its ties, as a share of all."""
    order = jnp.argsort(x)
    below, upto = _around_ties(x[order], weight[order])
    middle = 0.5 * (below + upto) / jnp.sum(weight)
    middle = jnp.where(jnp.any(jnp.isnan(jnp.where(weight > 0, x, 0.0))), jnp.nan, middle)
    return jnp.zeros_like(middle).at[order].set(middle)


def _around_ties(score: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Add the weight of the rows before each sorted score's ties, and of those up to the last of its ties."""
    # Over a run of ties, the weight before it is known at its first row, that up to its end at its last.
    changes, edge = score[1:] != score[:-1], jnp.ones(1, bool)
    upto = jnp.cumsum(weight)
    before = jax.lax.cummax(jnp.where(jnp.concatenate([edge, changes]), upto - weight, 0.0))
    return before, jax.lax.cummin(jnp.where(jnp.concatenate([changes, edge]), upto, jnp.inf), reverse=True)
