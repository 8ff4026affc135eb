"""Metrics of which class is taken for which."""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.metrics.classification import check_classes
from jdl.metrics.metric import Metric
from jdl.metrics.rows import class_rows, predicted
from jdl.metrics.sums import Sum, add, rounded, value, zero


def confusion_matrix(*, classes: int = 2, threshold: ArrayLike = 0.5) -> Metric:
    """Weight of the rows by actual class (first axis) and predicted class (second): ``(classes, classes)``.

    Arguments as for ``balanced_accuracy``. Equal to ``sklearn.metrics.confusion_matrix``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(confusion_matrix(), jnp.array([3.0, -1.0, -1.0]), jnp.array([1, 0, 1])))
    [[1. 0.]
     [1. 1.]]
    """
    finish = lambda matrix: jnp.where(jnp.sum(matrix) > 0, matrix, jnp.nan)
    return _from_matrix("confusion_matrix", finish, classes, threshold)


def cohen_kappa(
    *, classes: int = 2, threshold: ArrayLike = 0.5, weights: Literal["linear", "quadratic"] | None = None
) -> Metric:
    r"""Agreement of predicted and actual classes beyond chance: 1 is perfect, 0 what chance gives.

    .. math:: 1 - \frac{\sum_{ij} v_{ij} n_{ij}}{\sum_{ij} v_{ij} n_{i\cdot} n_{\cdot j} / n}, \qquad
              v_{ij} = [i \ne j],\ |i - j| \text{ or } (i - j)^2

    NaN where both are always the same class. Equal to ``sklearn.metrics.cohen_kappa_score``.

    Args:
        classes: Number of classes.
        threshold: Probability above which class 1 of two is predicted.
        weights: How a disagreement counts: None, all the same; by distance for classes in order.

    Raises:
        ValueError: Unknown weights.

    Reference: Cohen, 1960, https://doi.org/10.1177/001316446002000104.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(cohen_kappa(), jnp.array([3.0, -1.0, -1.0]), jnp.array([1, 0, 1])).round(4))
    0.4
    """
    apart = jnp.abs(jnp.arange(classes)[:, None] - jnp.arange(classes)).astype(jnp.float32)
    costs = {None: apart != 0, "linear": apart, "quadratic": apart * apart}
    if weights not in costs:
        raise ValueError(f"cohen_kappa: weights are {weights!r}, needs None, 'linear' or 'quadratic'")

    def finish(matrix: jax.Array) -> jax.Array:
        matrix /= jnp.sum(matrix)
        chance = jnp.sum(matrix, axis=1)[:, None] * jnp.sum(matrix, axis=0)
        return jnp.sum(costs[weights] * (chance - matrix)) / jnp.sum(costs[weights] * chance)

    return _from_matrix("cohen_kappa", finish, classes, threshold)


def _from_matrix(
    name: str, finish: Callable[[jax.Array], jax.Array], classes: int, threshold: ArrayLike
) -> Metric:
    def update(stat: Sum, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Sum:
        logits, actual, weight = class_rows(outputs, target, weight)
        check_classes(name, logits, classes)
        said = predicted(logits, threshold).astype(jnp.int32)
        return add(stat, rounded(jnp.zeros((classes, classes), jnp.float32).at[actual, said].add(weight)))

    compute = lambda stat: finish(value(stat))
    return Metric(name, lambda: zero((classes, classes)), update, add, compute, name != "confusion_matrix")
