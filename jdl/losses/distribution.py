"""Losses that are likelihoods: of counts, positive numbers, numbers with their spread, distributions."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.losses._checks import as_class_logits, elementwise


def poisson(outputs: ArrayLike, target: ArrayLike, *, full: bool = False) -> jax.Array:
    r"""Negative log-likelihood of counts, averaged over elements: :math:`e^o - y\,o`, the output a log-mean.

    Args:
        outputs: The logarithm of the mean, of any shape.
        target: Counts, or any numbers of at least 0, of the same shape; ``()`` also fits ``(1,)``.
        full: Add :math:`\log y!`, which the outputs do not change.

    Returns:
        A float32 scalar; NaN where a target is negative.

    Raises:
        ValueError: The shapes differ.

    Without ``full`` equal to ``torch.nn.PoissonNLLLoss``, whose own full loss approximates the factorial.

    >>> poisson(jnp.array([0.0]), 2).item()
    1.0
    """
    outputs, target = elementwise("poisson", outputs, target)
    target = jnp.where(target >= 0, target, jnp.nan)
    loss = jnp.exp(outputs) - target * outputs
    return jnp.mean(loss + jax.lax.lgamma(target + 1.0) if full else loss)


def gamma(outputs: ArrayLike, target: ArrayLike) -> jax.Array:
    r"""Half the gamma deviance up to a constant, averaged over elements: :math:`o + y\,e^{-o}`.

    Args:
        outputs: The logarithm of the mean, of any shape.
        target: Positive numbers of the same shape; ``()`` also fits ``(1,)``.

    Returns:
        A float32 scalar; NaN where a target is not above 0.

    Raises:
        ValueError: The shapes differ.

    Reference: McCullagh and Nelder, 1989, section 8.3.2.

    >>> gamma(jnp.array([0.0]), 2.0).item()
    2.0
    """
    outputs, target = elementwise("gamma", outputs, target)
    return jnp.mean(outputs + jnp.where(target > 0, target, jnp.nan) * jnp.exp(-outputs))


def tweedie(outputs: ArrayLike, target: ArrayLike, *, power: ArrayLike = 1.5) -> jax.Array:
    r"""Half the Tweedie deviance up to a constant, averaged over elements, the output a log-mean.

    .. math:: \frac{e^{(2 - p)\,o} - 1}{2 - p} - y\,\frac{e^{(1 - p)\,o} - 1}{1 - p}

    The variance of the target is taken to grow as the mean to the power :math:`p`: between 1 and 2 the target
    is 0 or positive, a sum of a random number of gammas, such as a year's claims. With both limits taken it
    is ``poisson`` less 1 at :math:`p = 1`, ``gamma`` less the target at 2.

    Args:
        outputs: The logarithm of the mean, of any shape.
        target: Numbers of at least 0 (positive for ``power >= 2``) of the same shape.
        power: :math:`p`, of at least 1.

    Returns:
        A float32 scalar; NaN where a target or the power is out of its range.

    Raises:
        ValueError: The shapes differ.

    Reference: Jørgensen, 1987, https://doi.org/10.1111/j.2517-6161.1987.tb01685.x.

    >>> print(f"{tweedie(jnp.array([1.0]), 2.0, power=1.5):.4f}")
    -0.2764
    """
    outputs, target = elementwise("tweedie", outputs, target)
    power = jnp.asarray(power, jnp.float32)
    allowed = (target >= 0) & ((target > 0) | (power < 2)) & (power >= 1)
    target = jnp.where(allowed, target, jnp.nan)
    # Where the target is 0 the second exponential may overflow, and 0 * inf is NaN.
    second = target * grown(1.0 - power, jnp.where(target == 0, 0.0, outputs))
    return jnp.mean(grown(2.0 - power, outputs) - second)


def grown(rate: jax.Array, x: jax.Array) -> jax.Array:
    """Give ``(exp(rate x) - 1) / rate``, which is x for a rate of 0."""
    safe = jnp.where(rate == 0, 1.0, rate)
    return jnp.where(rate == 0, x + 0.5 * rate * x * x, jnp.expm1(safe * x) / safe)


def gaussian_nll(outputs: tuple[ArrayLike, ArrayLike] | jax.Array, target: ArrayLike) -> jax.Array:
    r"""Negative log-likelihood of a normal distribution, from its mean and the logarithm of its variance.

    .. math:: \frac1m \sum_j \tfrac12 \left( s_j + (y_j - \mu_j)^2 e^{-s_j} + \log 2 \pi \right)

    Args:
        outputs: ``(mean, log_variance)``: a pair of arrays of the target's shape, or one array with a leading
            axis of two, such as ``(2,)`` for a target of shape ``()``.
        target: The true values; ``()`` also fits a mean of shape ``(1,)``.

    Raises:
        ValueError: There are not two outputs, or the shapes differ.

    Equal to ``torch.nn.GaussianNLLLoss(full=True)`` of the variance.

    Reference: Nix and Weigend, 1994, https://doi.org/10.1109/ICNN.1994.374138.

    >>> print(f"{gaussian_nll(jnp.array([1.0, 0.0]), 1.0):.4f}")
    0.9189
    """
    if len(outputs) != 2:
        raise ValueError(f"gaussian_nll: found {len(outputs)} outputs, needs (mean, log_variance)")
    mean, spread = outputs
    (mean, target), (spread, _) = (elementwise("gaussian_nll", part, target) for part in (mean, spread))
    squares = jnp.square(target - mean) * jnp.exp(-spread)
    return jnp.mean(0.5 * (spread + squares + jnp.log(2.0 * jnp.pi)))


def kl_divergence(logits: ArrayLike, target: ArrayLike) -> jax.Array:
    r"""Kullback-Leibler divergence of softmax logits from class probabilities.

    .. math:: \sum_c p_c (\log p_c - \log \mathrm{softmax}(z)_c)

    Cross-entropy less the target's own entropy: 0 where the two agree. Leading axes are averaged over. Equal
    to ``torch.nn.KLDivLoss(reduction="batchmean")`` of log-softmax logits.

    Args:
        logits: ``(..., k)``, ``k >= 2``.
        target: Probabilities of the same shape.

    Raises:
        ValueError: Shapes that do not fit.

    Reference: Kullback and Leibler, 1951, https://doi.org/10.1214/aoms/1177729694.

    >>> print(f"{kl_divergence(jnp.zeros(2), jnp.array([1.0, 0.0])):.4f}")
    0.6931
    """
    logits = as_class_logits("kl_divergence", logits, "binary_cross_entropy")
    target = jnp.asarray(target, jnp.float32)
    if target.shape != logits.shape:
        raise ValueError(f"kl_divergence: the target has shape {target.shape}, needs {logits.shape}")
    log_target = jnp.log(jnp.where(target > 0, target, 1.0))
    terms = target * (log_target - jax.nn.log_softmax(logits))
    # A class ruled out by -inf costs nothing where its target is 0, although 0 * -inf is NaN.
    return jnp.mean(jnp.sum(jnp.where(target == 0, 0.0, terms), axis=-1))
