"""Metrics of forecasts: errors relative to a naive forecast, and scores of whole distributions."""

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jax.typing import ArrayLike

from jdl.metrics.metric import Metric, Scores, mean_metric
from jdl.metrics.regression import pinball
from jdl.metrics.rows import forecast_rows, number_rows


def naive_error(series: ArrayLike, season: int = 1) -> jax.Array:
    r"""Mean absolute error, within a series, of saying what was ``season`` steps before.

    .. math:: \frac1{n - s} \sum_{t > s} |y_t - y_{t - s}|

    Args:
        series: ``(n,)`` or ``(n, m)``, the training part, in order of time.
        season: :math:`s`.

    Returns:
        ``()`` or ``(m,)``.

    Raises:
        ValueError: The series is no longer than a season.

    >>> print(naive_error(jnp.array([1.0, 2.0, 4.0])))
    1.5
    """
    series = jnp.asarray(series, jnp.float32)
    if len(series) <= season:
        raise ValueError(f"naive_error: found {len(series)} steps, needs more than the season's {season}")
    return jnp.mean(jnp.abs(series[season:] - series[:-season]), axis=0)


def mase(scale: ArrayLike) -> Metric:
    r"""Mean absolute scaled error: below 1 it beats the naive forecast in the training part of the series.

    Args:
        scale: ``naive_error`` of the training part: a number, or one for each output.

    Reference: Hyndman and Koehler, 2006, https://doi.org/10.1016/j.ijforecast.2006.03.001.

    >>> from jdl.metrics import evaluate
    >>> scale = naive_error(jnp.array([1.0, 2.0, 4.0]))
    >>> print(evaluate(mase(scale), jnp.array([5.0, 6.0]), jnp.array([5.0, 9.0])))
    1.0
    """
    scale = jnp.asarray(scale, jnp.float32)

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        predicted, actual, weight = number_rows(outputs, target, weight)
        if scale.shape not in ((), actual.shape[1:]):
            raise ValueError(f"mase: the scale has shape {scale.shape}, needs () or {actual.shape[1:]}")
        return jnp.mean(jnp.abs(predicted - actual) / scale, axis=1), weight

    return mean_metric("mase", score, greater=False)


def smape() -> Metric:
    r"""Symmetric relative error, from 0 to 2: the mean of :math:`2 |o - y| / (|o| + |y|)`; 0 of two zeros.

    Reference: Makridakis, 1993, https://doi.org/10.1016/0169-2070(93)90079-3.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(smape(), jnp.array([1.0, 0.0]), jnp.array([3.0, 0.0])))
    0.5
    """

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        predicted, actual, weight = number_rows(outputs, target, weight)
        size = jnp.abs(predicted) + jnp.abs(actual)
        ratio = 2.0 * jnp.abs(predicted - actual) / jnp.where(size == 0, 1.0, size)
        return jnp.mean(ratio, axis=1), weight

    return mean_metric("smape", score, greater=False)


def crps_gaussian() -> Metric:
    r"""Continuous ranked probability score of normal distributions, in the target's units.

    .. math:: \sigma \left( z (2 \Phi(z) - 1) + 2 \varphi(z) - \pi^{-1/2} \right), \quad z = (y - \mu)/\sigma

    Outputs are ``(batch, 2)``, a mean and the logarithm of a variance, as for ``losses.gaussian_nll``.

    Reference: Gneiting et al., 2005, https://doi.org/10.1175/MWR2904.1.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(crps_gaussian(), jnp.array([[1.0, 0.0]]), jnp.array([1.0])).round(4))
    0.2337
    """

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        outputs, actual, weight = forecast_rows("crps_gaussian", outputs, target, weight)
        if outputs.shape[1] != 2:
            raise ValueError(
                f"crps_gaussian: outputs have shape {outputs.shape}, needs (batch, 2): mean, log-variance"
            )
        spread = jnp.exp(0.5 * outputs[:, 1])
        z = (actual - outputs[:, 0]) / spread
        return spread * (z * (2.0 * norm.cdf(z) - 1.0) + 2.0 * norm.pdf(z) - 1.0 / jnp.sqrt(jnp.pi)), weight

    return mean_metric("crps_gaussian", score, greater=False)


def crps_ensemble() -> Metric:
    r"""Continuous ranked probability score of equally likely members, in the target's units.

    .. math:: \frac1k \sum_j |x_j - y| - \frac1{2 k^2} \sum_{ij} |x_i - x_j|

    Outputs are ``(batch, k)``, the members in any order.

    Reference: Gneiting and Raftery, 2007, https://doi.org/10.1198/016214506000001437.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(crps_ensemble(), jnp.array([[0.0, 2.0]]), jnp.array([1.0])))
    0.5
    """

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        members, actual, weight = forecast_rows("crps_ensemble", outputs, target, weight)
        count = members.shape[1]
        # In order, member i of k lies above i others and below k - 1 - i: the double sum is a single one.
        rank = 2.0 * jnp.arange(count) + 1.0 - count
        apart = jnp.sum(rank * jnp.sort(members, axis=1), axis=1) / count**2
        return jnp.mean(jnp.abs(members - actual[:, None]), axis=1) - apart, weight

    return mean_metric("crps_ensemble", score, greater=False)


def crps_quantiles(levels: ArrayLike) -> Metric:
    r"""Continuous ranked probability score from quantiles: twice the mean quantile loss over ``levels``.

    It comes near the score of the whole distribution as evenly spaced levels grow in number. Outputs are
    ``(batch, q)``.

    Args:
        levels: ``(q,)``.

    Reference: Laio and Tamea, 2007, https://doi.org/10.5194/hess-11-1267-2007.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(crps_quantiles(jnp.array([0.25, 0.75])), jnp.array([[0.0, 2.0]]), jnp.array([1.0])))
    0.5
    """
    metric = pinball(jnp.atleast_1d(jnp.asarray(levels)))
    return metric._replace(name="crps_quantiles", compute=lambda stat: 2.0 * metric.compute(stat))
