"""Probabilities as they were before their labels were smoothed."""

from typing import Any

import jax
import jax.numpy as jnp

LEAST = 3e-4  # the probability that is left to a class which smoothed labels would leave none


def unsmoothed(logits: Any, smoothing: Any) -> Any:
    r"""Give logits ``(k,)`` of the labels, of a network that learned them smoothed.

    The smoothed labels of a row whose classes have probabilities :math:`p` are :math:`q = (1 - s) p + s / k`
    on average, which is what the network says. These are logits of :math:`p = (q - s / k) / (1 - s)`, at
    least ``LEAST`` where ``smoothing`` :math:`s` is positive; where that is 0 they stay as they are.

    >>> smoothed = 0.9 * jnp.array([0.8, 0.2]) + 0.1 / 2
    >>> print(jax.nn.softmax(unsmoothed(jnp.log(smoothed), 0.1)).round(4))
    [0.8 0.2]
    """
    logits = jnp.asarray(logits)
    share = (jax.nn.softmax(logits) - smoothing / logits.shape[-1]) / (1.0 - smoothing)
    return jnp.where(smoothing > 0, jnp.log(jnp.maximum(share, LEAST)), logits)
