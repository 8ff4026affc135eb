"""Metrics made of variances and covariances, which are merged about their means."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.metrics.metric import Metric
from jdl.metrics.regression import check_outputs
from jdl.metrics.rows import number_rows
from jdl.metrics.sums import Moments, Pairs, Sum, add, merge_moments, moments, no_moments, total, value, zero


def r2(outputs: int = 1) -> Metric:
    r"""Share of the variance explained, averaged over outputs.

    .. math:: 1 - \sum_i w_i (y_i - o_i)^2 / \sum_i w_i (y_i - \bar y)^2

    A constant target gives 1 where it is predicted exactly, else 0. The variance comes from merged moments:
    a large mean does not cancel it. Equal to ``sklearn.metrics.r2_score``.

    Args:
        outputs: Number of outputs, ``m``.

    Reference: Chan, Golub and LeVeque, 1979, https://doi.org/10.1080/00031305.1983.10483115.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(r2(), jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 2.0, 5.0])))
    0.53846157
    """
    own: Pairs = (tuple(range(outputs)),) * 2
    Stat = tuple[Moments, Sum]

    def update(stat: Stat, predicted: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Stat:
        predicted, target, weight = number_rows(predicted, target, weight)
        check_outputs("r2", target, outputs)
        residual = total(weight[:, None] * jnp.square(predicted - target))
        return merge(stat, (moments(target, weight, own), residual))

    def merge(a: Stat, b: Stat) -> Stat:
        return merge_moments(a[0], b[0], own), add(a[1], b[1])

    def compute(stat: Stat) -> jax.Array:
        return _explained(stat[0].weight, value(stat[0].spread), value(stat[1]))

    init = lambda: (no_moments(outputs, own), zero((outputs,)))
    return Metric("r2", init, update, merge, compute, greater=True)


def explained_variance(outputs: int = 1) -> Metric:
    r"""Share of the variance explained by predictions shifted to the right mean, averaged over outputs.

    .. math:: 1 - \mathrm{Var}(y - o) / \mathrm{Var}(y)

    A constant target gives 1 where the error is constant too, else 0. Equal to
    ``sklearn.metrics.explained_variance_score``.

    Args:
        outputs: Number of outputs, ``m``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(explained_variance(), jnp.array([2.0, 3.0, 4.0]), jnp.array([1.0, 2.0, 3.0])))
    1.0
    """
    own: Pairs = (tuple(range(2 * outputs)),) * 2

    def compute(stat: Moments) -> jax.Array:
        return _explained(stat.weight, *jnp.split(value(stat.spread), 2))

    columns = lambda predicted, target: jnp.concatenate([target, target - predicted], axis=1)
    return _of_moments("explained_variance", outputs, own, columns, compute)


def pearson() -> Metric:
    r"""Pearson's correlation of outputs and targets, one column each; NaN where either is constant.

    .. math:: \frac{\sum_i w_i (o_i - \bar o)(y_i - \bar y)}
              {\sqrt{\sum_i w_i (o_i - \bar o)^2 \sum_i w_i (y_i - \bar y)^2}}

    Equal to ``scipy.stats.pearsonr``. Of ranks it is ``exact_spearman``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(pearson(), jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 3.0, 2.0])).round(4))
    0.5
    """
    pairs: Pairs = (0, 1, 0), (0, 1, 1)

    def compute(stat: Moments) -> jax.Array:
        first, second, both = value(stat.spread)
        varies = (first > 0) & (second > 0)
        scale = jnp.sqrt(jnp.where(varies, first, 1.0)) * jnp.sqrt(jnp.where(varies, second, 1.0))
        return jnp.where(varies, jnp.clip(both / scale, -1.0, 1.0), jnp.nan)

    columns = lambda predicted, target: jnp.concatenate([predicted, target], axis=1)
    return _of_moments("pearson", 1, pairs, columns, compute)


def _of_moments(
    name: str,
    outputs: int,
    pairs: Pairs,
    columns: Callable[[jax.Array, jax.Array], jax.Array],
    compute: Callable[[Moments], jax.Array],
) -> Metric:
    def update(stat: Moments, predicted: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Moments:
        predicted, target, weight = number_rows(predicted, target, weight)
        if target.shape[1] != outputs:
            check_outputs(name, target, outputs)
        return merge(stat, moments(columns(predicted, target), weight, pairs))

    merge = lambda a, b: merge_moments(a, b, pairs)
    return Metric(name, lambda: no_moments(2 * outputs, pairs), update, merge, compute, greater=True)


def _explained(weight: Sum, spread: jax.Array, residual: jax.Array) -> jax.Array:
    constant = jnp.where(residual == 0, 1.0, 0.0)
    score = jnp.where(spread <= 0, constant, 1.0 - residual / jnp.where(spread <= 0, 1.0, spread))
    return jnp.where(value(weight) == 0, jnp.nan, jnp.mean(score))
