"""Losses of numbers: squared, absolute, Huber, log-cosh, quantiles."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.losses._checks import elementwise


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
    outputs, target = elementwise("squared_error", outputs, target)
    return jnp.mean(jnp.square(outputs - target))


def absolute_error(outputs: ArrayLike, target: ArrayLike) -> jax.Array:
    r"""Absolute error, averaged over the elements of one example: :math:`\frac1m \sum_j |o_j - y_j|`.

    Shapes and errors as for ``squared_error``.

    >>> absolute_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])).item()
    1.0
    """
    outputs, target = elementwise("absolute_error", outputs, target)
    return jnp.mean(jnp.abs(outputs - target))


def huber(outputs: ArrayLike, target: ArrayLike, *, delta: ArrayLike = 1.0) -> jax.Array:
    r"""Squared error up to ``delta``, absolute error beyond, averaged over elements.

    .. math:: \tfrac12 d^2 \text{ if } |d| \le \delta, \quad \delta (|d| - \tfrac12 \delta) \text{ otherwise},
              \quad d = o - y

    Shapes and errors as for ``squared_error``. Equal to ``torch.nn.HuberLoss``; divided by ``delta`` it is
    ``torch.nn.SmoothL1Loss``.

    Reference: Huber, 1964, https://doi.org/10.1214/aoms/1177703732.

    >>> huber(jnp.array([0.5, 3.0]), jnp.zeros(2)).item()
    1.3125
    """
    outputs, target = elementwise("huber", outputs, target)
    error = outputs - target
    inner = jnp.clip(error, -jnp.asarray(delta), delta)
    return jnp.mean(inner * (error - 0.5 * inner)).astype(jnp.float32)


def log_cosh(outputs: ArrayLike, target: ArrayLike) -> jax.Array:
    r"""Smooth absolute error, averaged over elements: :math:`\log \cosh (o - y)`, finite at any size.

    Shapes and errors as for ``squared_error``.

    Reference: Chen et al., 2019, https://arxiv.org/abs/1906.01028.

    >>> print(f"{log_cosh(jnp.array([1.0, 0.0]), jnp.zeros(2)):.4f}")
    0.2169
    """
    outputs, target = elementwise("log_cosh", outputs, target)
    error = outputs - target
    # log((e^d + e^-d) / 2), with the greater exponential taken out of the sum.
    return jnp.mean(error + jax.nn.softplus(-2.0 * error) - jnp.log(2.0))


def pinball(outputs: ArrayLike, target: ArrayLike, *, levels: ArrayLike = 0.5) -> jax.Array:
    r"""Quantile loss, averaged over levels: the outputs learn the quantiles of the target at ``levels``.

    .. math:: \frac1q \sum_j \max(\tau_j (y - o_j), (\tau_j - 1)(y - o_j))

    Args:
        outputs: ``(q,)``, one for each level, or the shape of the target for a single level.
        target: The true value, ``()`` or ``(1,)``; for a single level any shape, that of the outputs.
        levels: ``(q,)``, or one level for all, from 0 to 1.

    Raises:
        ValueError: Shapes that do not fit.

    See ``non_crossing`` for outputs that are in order. Equal to ``sklearn.metrics.mean_pinball_loss``.

    Reference: Koenker and Bassett, 1978, https://doi.org/10.2307/1913643.

    >>> print(f"{pinball(jnp.array([1.0, 2.0, 4.0]), 3.0, levels=jnp.array([0.1, 0.5, 0.9])):.4f}")
    0.2667
    """
    levels = jnp.asarray(levels, jnp.float32)
    if levels.ndim == 0:
        outputs, target = elementwise("pinball", outputs, target)
    else:
        outputs, target = jnp.asarray(outputs, jnp.float32), jnp.asarray(target, jnp.float32)
        if levels.ndim != 1 or outputs.shape != levels.shape or target.size != 1:
            raise ValueError(
                f"pinball: outputs have shape {outputs.shape}, the target {target.shape} and levels"
                f" {levels.shape}; needs one output for each level, (q,), and a single target"
            )
        target = target.reshape(())
    error = target - outputs
    return jnp.mean(jnp.maximum(levels * error, (levels - 1.0) * error))


def non_crossing(outputs: ArrayLike) -> jax.Array:
    r"""Turn outputs ``(..., q)`` into values that increase along the last axis, such as quantiles.

    .. math:: z_1 = o_1, \quad z_{j + 1} = z_j + \mathrm{softplus}(o_{j + 1})

    Use it as the last layer, ``nn.chain(…, nn.dense(q), losses.non_crossing)``, for ``pinball``, or for the
    thresholds of ``ordinal``.

    Reference: Moon et al., 2021, https://doi.org/10.1080/10618600.2021.1909601.

    >>> print(non_crossing(jnp.array([1.0, -100.0, 0.0])).round(3))
    [1.    1.    1.693]
    """
    outputs = jnp.asarray(outputs)
    steps = jax.nn.softplus(outputs[..., 1:].astype(jnp.promote_types(outputs.dtype, jnp.float32)))
    first = outputs[..., :1].astype(steps.dtype)
    return jnp.cumsum(jnp.concatenate([first, steps], axis=-1), axis=-1).astype(outputs.dtype)
