"""What a metric is, and the commonest kind: the mean of a score over rows."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.metrics.rows import unit_weight
from jdl.metrics.sums import Sum, add, total, value, weighted, zero

Scores = tuple[jax.Array, jax.Array]


class Metric(NamedTuple):
    """A metric: ``init() -> stat``, ``update(stat, outputs, target, weight) -> stat``, merging, computing.

    ``merge(a, b) -> stat`` is associative and commutative up to rounding, ``init()`` its neutral element;
    ``compute(stat)`` gives a scalar, or an array where the metric's description says so; ``greater`` tells
    whether a greater value is better.
    """

    name: str
    init: Callable[[], Any]
    update: Callable[[Any, ArrayLike, ArrayLike, ArrayLike], Any]
    merge: Callable[[Any, Any], Any]
    compute: Callable[[Any], jax.Array]
    greater: bool


def evaluate(
    metric: Metric, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None
) -> jax.Array:
    """Compute a metric of one batch; without ``weight`` every row weighs 1.

    >>> from jdl.metrics import mse
    >>> print(evaluate(mse(), jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    2.0
    """
    weight = unit_weight(target, weight)
    return metric.compute(metric.update(metric.init(), outputs, target, weight))


def mean_metric(
    name: str,
    score: Callable[..., Scores],
    *,
    greater: bool,
    shape: tuple[int, ...] = (),
    finish: Callable[[jax.Array], jax.Array] = lambda mean: mean,
) -> Metric:
    """Average a score over rows; the statistic is the sums of score and of weight.

    ``score(outputs, target, weight) -> (scores, weight)`` gives scores of shape ``(batch, *shape)``; the
    metric is ``finish`` of their mean.
    """

    def update(stat: Sum, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Sum:
        scores, weight = score(outputs, target, weight)
        columns = jnp.append(scores.reshape(len(weight), -1), jnp.ones((len(weight), 1)), axis=1)
        return add(stat, total(weighted(columns, weight)))

    def compute(stat: Sum) -> jax.Array:
        sums = value(stat)
        return finish(sums[:-1].reshape(shape) / sums[-1])

    return Metric(name, lambda: zero((math.prod(shape) + 1,)), update, add, compute, greater)


def mean_of(loss: Callable[[Any, Any], jax.Array], name: str | None = None) -> Metric:
    """Make a metric of a loss of one example: its mean over rows.

    Args:
        loss: ``loss(outputs, target) -> scalar``, such as those in ``jdl.losses``.
        name: The metric's name, the function's if not given.

    >>> from jdl import losses
    >>> print(evaluate(mean_of(losses.hinge), jnp.array([0.5, 0.5]), jnp.array([1, 0])))
    1.0
    """

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        weight = jnp.asarray(weight, jnp.float32)
        live = weight != 0

        def mend(leaf: ArrayLike) -> jax.Array:
            leaf = jnp.asarray(leaf)
            return jnp.where(live.reshape((-1, *[1] * (leaf.ndim - 1))), leaf, jnp.zeros_like(leaf))

        values = jax.vmap(loss)(*jax.tree.map(mend, (outputs, target)))
        return values, jnp.where(weight < 0, jnp.nan, weight)

    return mean_metric(name or loss.__name__, score, greater=False)
