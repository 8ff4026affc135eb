"""Losses of times until an event, of which some are known only to be later than seen."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.losses._checks import vectors


def cox(
    outputs: ArrayLike, time: ArrayLike, event: ArrayLike, *, weight: ArrayLike | None = None
) -> jax.Array:
    r"""Negative log partial likelihood of proportional hazards, averaged over the events.

    .. math:: -\frac{1}{\sum_i w_i e_i} \sum_i w_i e_i \Big( o_i - \log \sum_{t_j \ge t_i} w_j e^{o_j} \Big)

    Each event is compared with all that were still at risk, so the loss is of a whole cohort at once; ties
    are taken as Breslow did. Where a recipe's example is one person, gather the batch as the cohort over the
    axis ``"batch"``, which is there in training; every example then has the loss of the cohort:

    >>> def loss(output, target):
    ...     return cox(*jax.lax.all_gather((output, target["time"], target["event"]), "batch"))
    >>> target = {"time": jnp.array([3.0, 1.0, 2.0]), "event": jnp.array([True, True, False])}
    >>> jax.vmap(loss, axis_name="batch")(jnp.zeros(3), target).round(4).tolist()
    [0.5493, 0.5493, 0.5493]

    Args:
        outputs: ``(n,)``, the logarithms of the hazards, up to a constant.
        time: ``(n,)``, when the event was, or when it was last known not to have been.
        event: ``(n,)``, whether the event was seen: booleans, or 0 and 1.
        weight: ``(n,)``; a person of weight 0 is at no risk.

    Returns:
        A float32 scalar; 0 for a cohort without an event.

    Raises:
        ValueError: The inputs are not vectors of one length.

    Reference: Cox, 1972, https://doi.org/10.1111/j.2517-6161.1972.tb00899.x.
    """
    weight = jnp.ones(jnp.shape(outputs)) if weight is None else weight
    outputs, time, event, weight = vectors("cox", outputs=outputs, time=time, event=event, weight=weight)
    order = jnp.argsort(-time)
    outputs, time, event, weight = (values[order] for values in (outputs, time, event, weight))
    counted = event * weight
    # Weights of zero count as hazards of zero; the logarithm itself must not see them.
    live = weight > 0
    hazard = jnp.where(live, outputs + jnp.log(jnp.where(live, weight, 1.0)), -jnp.inf)
    # With the latest first, the sum at the last of those with the same time is over all at risk then.
    last = jnp.searchsorted(-time, -time, side="right") - 1
    at_risk = jax.lax.cumlogsumexp(hazard)[last]
    terms = jnp.where(counted > 0, counted * (at_risk - outputs), 0.0)
    events = jnp.sum(counted)
    return jnp.sum(terms) / jnp.where(events > 0, events, 1.0)
