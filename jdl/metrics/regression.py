"""Metrics of numbers: errors of every kind, and the share of the variance explained."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.losses.distribution import grown
from jdl.metrics.metric import Metric, Scores, mean_metric
from jdl.metrics.rows import forecast_rows, number_rows, unit_weight
from jdl.metrics.sums import Sum, add, nonzero, rounded, total, value, weighted, zero

TINY = 2.220446049250313e-16  # in place of a target of 0, as scikit-learn has it


def mse() -> Metric:
    """Mean squared error, averaged over outputs; equal to ``sklearn.metrics.mean_squared_error``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(mse(), jnp.array([[1.0], [2.0]]), jnp.array([1.0, 4.0])))
    2.0
    """
    return _mean_error("mse", lambda predicted, actual: jnp.square(predicted - actual))


def rmse(outputs: int = 1) -> Metric:
    """Root of the mean squared error of each output, averaged over outputs.

    Equal to ``sklearn.metrics.root_mean_squared_error``.

    Args:
        outputs: Number of outputs, ``m``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(rmse(), jnp.array([1.0, 4.0]), jnp.array([1.0, 0.0])).round(4))
    2.8284
    """
    return _root_mean("rmse", outputs, lambda predicted, actual: jnp.square(predicted - actual))


def mae() -> Metric:
    """Mean absolute error, averaged over outputs; equal to ``sklearn.metrics.mean_absolute_error``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(mae(), jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    1.0
    """
    return _mean_error("mae", lambda predicted, actual: jnp.abs(predicted - actual))


def mape() -> Metric:
    """Mean absolute error relative to the target, 0.1 for 10 %; huge where a target is 0.

    Equal to ``sklearn.metrics.mean_absolute_percentage_error``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(mape(), jnp.array([1.0, 3.0]), jnp.array([1.0, 4.0])))
    0.125
    """
    relative = lambda predicted, actual: jnp.abs(predicted - actual) / jnp.maximum(jnp.abs(actual), TINY)
    return _mean_error("mape", relative)


def msle() -> Metric:
    r"""Mean squared error of :math:`\log(1 + y)`; NaN for numbers of -1 or less.

    Equal to ``sklearn.metrics.mean_squared_log_error``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(msle(), jnp.array([0.0, 1.0]), jnp.array([0.0, 0.0])).round(4))
    0.2402
    """
    return _mean_error("msle", _squared_log)


def rmsle(outputs: int = 1) -> Metric:
    r"""Root of the mean squared error of :math:`\log(1 + y)` of each output, averaged over outputs.

    Equal to ``sklearn.metrics.root_mean_squared_log_error``.

    Args:
        outputs: Number of outputs, ``m``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(rmsle(), jnp.array([0.0, 1.0]), jnp.array([0.0, 0.0])).round(4))
    0.4901
    """
    return _root_mean("rmsle", outputs, _squared_log)


def max_error() -> Metric:
    """Greatest absolute error of all rows and outputs; equal to ``sklearn.metrics.max_error``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(max_error(), jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    2.0
    """

    def update(stat: jax.Array, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> jax.Array:
        predicted, actual, weight = number_rows(outputs, target, weight)
        error = jnp.max(jnp.abs(predicted - actual), axis=1)
        return jnp.maximum(stat, jnp.max(jnp.where(weight == 0, -1.0, error + 0.0 * weight), initial=-1.0))

    compute = lambda stat: jnp.where(stat < 0, jnp.nan, stat)
    return Metric("max_error", lambda: jnp.float32(-1.0), update, jnp.maximum, compute, greater=False)


def pinball(levels: ArrayLike = 0.5) -> Metric:
    r"""Mean quantile loss, averaged over outputs; equal to ``sklearn.metrics.mean_pinball_loss``.

    Args:
        levels: One level, for outputs and targets ``(batch,)`` or ``(batch, m)``; or ``(q,)`` levels, for
            outputs ``(batch, q)`` and a single target a row.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(pinball(0.9), jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])).round(4))
    0.9
    """
    levels = jnp.asarray(levels, jnp.float32)

    def loss(predicted: jax.Array, actual: jax.Array) -> jax.Array:
        error = actual - predicted
        return jnp.maximum(levels * error, (levels - 1.0) * error)

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        predicted, actual, weight = forecast_rows("pinball", outputs, target, weight)
        if predicted.shape[1:] != levels.shape:
            raise ValueError(
                f"pinball: outputs have shape {jnp.shape(outputs)}, needs (batch, {levels.size}): one a level"
            )
        return jnp.mean(loss(predicted, actual[:, None]), axis=1), weight

    return mean_metric("pinball", score, greater=False) if levels.ndim else _mean_error("pinball", loss)


def tweedie_deviance(power: ArrayLike = 1.5) -> Metric:
    r"""Mean Tweedie deviance of positive means whose logarithms are the outputs, as for ``losses.tweedie``.

    Power 1 is the Poisson deviance, 2 the gamma deviance. Equal to ``sklearn.metrics.mean_tweedie_deviance``
    of the means.

    Args:
        power: Of at least 1; from 2 on, targets must be positive.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(tweedie_deviance(1.0), jnp.array([0.0, 0.0]), jnp.array([1.0, 2.0])).round(4))
    0.3863
    """
    return _mean_error("tweedie_deviance", lambda predicted, actual: _deviance(predicted, actual, power))


def d2_tweedie(power: ArrayLike = 1.5) -> Metric:
    r"""Share of the Tweedie deviance explained: one less its ratio to that of the mean target.

    Outputs are logarithms of means, ``(batch,)`` or ``(batch, 1)``. Equal to
    ``sklearn.metrics.d2_tweedie_score`` of the means.

    Args:
        power: Of at least 1; from 2 on, targets must be positive.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(d2_tweedie(1.0), jnp.log(jnp.array([1.0, 3.0])), jnp.array([1.0, 3.0])))
    1.0
    """
    Stat = tuple[Sum, Sum]

    def update(stat: Stat, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Stat:
        predicted, actual, weight = number_rows(outputs, target, weight)
        if actual.shape[1] != 1:
            raise ValueError(f"d2_tweedie: outputs have shape {jnp.shape(outputs)}, needs one a row")
        y = actual[:, 0]
        columns = [_deviance(predicted[:, 0], y, power), y, jnp.ones_like(y)]
        sums = total(weighted(jnp.stack(columns, axis=1), weight))
        about = _deviance(jnp.log(_mean(sums)), y, power)[:, None]
        return merge(stat, (sums, total(weighted(about, weight))))

    def merge(a: Stat, b: Stat) -> Stat:
        """Add what the means of both lie apart, as moments are merged: differences of large sums cancel."""
        sums = add(a[0], b[0])
        log_mean = jnp.log(_mean(sums))
        apart = [value(part)[2:] * _deviance(log_mean, _mean(part)[None], power) for part in (a[0], b[0])]
        both = [jnp.where(value(part)[2] == 0, 0.0, x) for part, x in zip((a[0], b[0]), apart, strict=True)]
        return sums, add(add(a[1], b[1]), rounded(both[0] + both[1]))

    def compute(stat: Stat) -> jax.Array:
        residual, _, mass = value(stat[0])
        return jnp.where(mass == 0, jnp.nan, 1.0 - residual / value(stat[1])[0])

    return Metric("d2_tweedie", lambda: (zero((3,)), zero((1,))), update, merge, compute, greater=True)


def _mean(sums: Sum) -> jax.Array:
    _, target, mass = value(sums)
    return target / nonzero(mass)


def exact_median_absolute_error(
    outputs: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None
) -> jax.Array:
    """Median of the absolute errors, averaged over outputs, from all rows at once, by sorting.

    Equal to ``sklearn.metrics.median_absolute_error``.

    >>> print(exact_median_absolute_error(jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 1.0, 9.0])))
    1.0
    """
    predicted, actual, weight = number_rows(outputs, target, unit_weight(target, weight))
    return jnp.mean(_weighted_quantile(jnp.abs(predicted - actual), weight, 0.5))


def exact_d2_pinball(
    outputs: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, *, level: ArrayLike = 0.5
) -> jax.Array:
    """Share of the quantile loss explained: one less its ratio to that of the targets' own quantile.

    Averaged over outputs, from all rows at once, by sorting; a constant target gives 1 where it is predicted
    exactly, else 0. Equal to ``sklearn.metrics.d2_pinball_score``, of ``level`` one half to
    ``d2_absolute_error_score``.

    >>> print(exact_d2_pinball(jnp.array([1.0, 2.0, 4.0]), jnp.array([1.0, 2.0, 3.0])))
    0.5
    """
    predicted, actual, weight = number_rows(outputs, target, unit_weight(target, weight))
    losses = []
    for at in (predicted, _weighted_quantile(actual, weight, level)):
        error = actual - at
        losses.append(weight @ jnp.maximum(level * error, (level - 1.0) * error) / jnp.sum(weight))
    return jnp.mean(_share_explained(*losses))


def _share_explained(residual: jax.Array, whole: jax.Array) -> jax.Array:
    constant = jnp.where(residual == 0, 1.0, 0.0)
    return jnp.where(whole <= 0, constant, 1.0 - residual / jnp.where(whole <= 0, 1.0, whole))


def _weighted_quantile(x: jax.Array, weight: jax.Array, level: ArrayLike) -> jax.Array:
    """Give a quantile of each column; halfway between two numbers where the weight is cut just there."""
    order = jnp.argsort(jnp.where(weight[:, None] == 0, jnp.inf, x), axis=0)
    ordered = jnp.take_along_axis(x, order, axis=0)
    upto = jnp.cumsum(weight[order], axis=0)
    cut = level * upto[-1]
    places = jnp.sum(upto < cut, axis=0), jnp.sum(upto <= cut, axis=0)
    last = jnp.maximum(jnp.sum(weight > 0) - 1, 0)
    low, high = (jnp.take_along_axis(ordered, jnp.minimum(place, last)[None], axis=0)[0] for place in places)
    return jnp.where(jnp.isnan(ordered + weight[order]).any(axis=0), jnp.nan, 0.5 * (low + high))


def _squared_log(predicted: jax.Array, actual: jax.Array) -> jax.Array:
    predicted, actual = (jnp.where(x > -1, x, jnp.nan) for x in (predicted, actual))
    return jnp.square(jnp.log1p(predicted) - jnp.log1p(actual))


def _deviance(log_mean: jax.Array, target: jax.Array, power: ArrayLike) -> jax.Array:
    """Give the deviance as the mean's own part times what depends on the ratio of target to mean alone."""
    power = jnp.asarray(power, jnp.float32)
    zero_target = target == 0
    log_ratio = jnp.log(jnp.where(zero_target, 1.0, target)) - jnp.where(zero_target, 0.0, log_mean)
    at_zero = 1.0 / jnp.where(power < 2, 2.0 - power, jnp.nan)
    elsewhere = jnp.exp(log_ratio) * grown(1.0 - power, log_ratio) - grown(2.0 - power, log_ratio)
    scale = jnp.where(power >= 1, jnp.exp((2.0 - power) * log_mean), jnp.nan)
    return 2.0 * scale * jnp.where(zero_target, at_zero, elsewhere)


def _mean_error(name: str, error: Callable[[jax.Array, jax.Array], jax.Array]) -> Metric:
    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        predicted, actual, weight = number_rows(outputs, target, weight)
        return jnp.mean(error(predicted, actual), axis=1), weight

    return mean_metric(name, score, greater=False)


def _root_mean(name: str, outputs: int, error: Callable[[jax.Array, jax.Array], jax.Array]) -> Metric:
    def score(given: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        predicted, actual, weight = number_rows(given, target, weight)
        check_outputs(name, actual, outputs)
        return error(predicted, actual), weight

    finish = lambda mean: jnp.mean(jnp.sqrt(mean))
    return mean_metric(name, score, greater=False, shape=(outputs,), finish=finish)


def check_outputs(name: str, actual: jax.Array, outputs: int) -> None:
    """Raise where a row has not the metric's number of outputs."""
    if actual.shape[1] != outputs:
        raise ValueError(
            f"{name}: a row has {actual.shape[1]} outputs, the metric is {name}(outputs={outputs})"
        )
