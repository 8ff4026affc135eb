"""Losses of classes in an order, from logits of being above each class but the last."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.losses._checks import as_logits


def ordinal(logits: ArrayLike, target: ArrayLike) -> jax.Array:
    r"""Negative log-likelihood of a cumulative link: the class's probability is a difference of sigmoids.

    .. math:: -\log \left( \sigma(z_{y - 1}) - \sigma(z_y) \right), \qquad
              \sigma(z_j) = P(y > j), \quad z_{-1} = \infty, \quad z_{k - 1} = -\infty

    The logits must fall with :math:`j`. For a score :math:`f` and thresholds that are parameters, the
    proportional odds model, they are ``f - losses.non_crossing(thresholds)``; for outputs of their own,
    ``-losses.non_crossing(outputs)``.

    Args:
        logits: ``(k - 1,)``, of being above class 0, 1, …
        target: ``()``, an integer class from 0 to ``k - 1``.

    Returns:
        A float32 scalar; NaN for a class that does not exist, and where the logit above the class exceeds the
        one below.

    Raises:
        ValueError: Shapes or dtypes that do not fit.

    Reference: McCullagh, 1980, https://doi.org/10.1111/j.2517-6161.1980.tb01109.x.

    >>> print(f"{ordinal(jnp.array([1.0, -1.0]), 1):.4f}")
    0.7720
    """
    logits, target = _checked("ordinal", logits, target)
    infinity = jnp.full(1, jnp.inf)
    upper, lower = (jnp.concatenate(pair) for pair in ((infinity, logits), (logits, -infinity)))
    own = jnp.arange(upper.size) == target
    upper = jnp.sum(jnp.where(own, upper, 0.0))
    lower = jnp.sum(jnp.where(own, lower, 0.0))
    # s(a) - s(b) = s(a) s(-b) (1 - e^(b - a)): nothing cancels however near or far the two are.
    gap = jnp.where(jnp.isfinite(upper) & jnp.isfinite(lower), lower - upper, -jnp.inf)
    between = jnp.log(-jnp.expm1(jnp.minimum(gap, -1e-30)))  # finite where two logits are the same
    loss = jax.nn.softplus(-upper) + jax.nn.softplus(lower) - between
    return jnp.where(jnp.any(own) & (gap <= 0), loss, jnp.nan)


def coral(logits: ArrayLike, target: ArrayLike) -> jax.Array:
    r"""Cross-entropy of every question "is the class above j?", averaged over the questions.

    .. math:: \frac1{k - 1} \sum_{j < k - 1} \mathrm{softplus}\left( (1 - 2 [y > j])\, z_j \right)

    Unlike in ``ordinal`` the logits need not be in order; with one score and a bias for each threshold they
    come out so.

    Args:
        logits: ``(k - 1,)``, of being above class 0, 1, …
        target: ``()``, an integer class from 0 to ``k - 1``.

    Returns:
        A float32 scalar; NaN for a class that does not exist.

    Raises:
        ValueError: Shapes or dtypes that do not fit.

    Reference: Cao et al., 2020, https://arxiv.org/abs/1901.07884.

    >>> print(f"{coral(jnp.array([1.0, -1.0]), 1):.4f}")
    0.3133
    """
    logits, target = _checked("coral", logits, target)
    above = target > jnp.arange(logits.size)
    loss = jnp.mean(jax.nn.softplus(jnp.where(above, -logits, logits)))
    return jnp.where((target >= 0) & (target <= logits.size), loss, jnp.nan)


def _checked(name: str, logits: ArrayLike, target: ArrayLike) -> tuple[jax.Array, jax.Array]:
    logits, target = as_logits(name, logits), jnp.asarray(target)
    if logits.ndim != 1 or target.shape != () or jnp.issubdtype(target.dtype, jnp.inexact):
        raise ValueError(
            f"{name}: logits have shape {logits.shape}, the target is {target.dtype} of shape {target.shape};"
            " needs (classes - 1,) and an integer ()"
        )
    return logits, target
