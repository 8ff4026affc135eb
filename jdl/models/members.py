"""Losses and predictions of a network that gives an output for each of its members."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def member_losses(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Make the mean of the members' own losses, of outputs ``(k, …)``: each member learns by itself.

    >>> from jdl import losses
    >>> member_losses(losses.squared_error)(jnp.array([[1.0], [3.0]]), jnp.array(2.0)).item()
    1.0
    """

    def mean_loss(outputs: Any, target: Any) -> Any:
        return jnp.mean(jax.vmap(loss, in_axes=(0, None))(outputs, target))

    return mean_loss


def mean_of_members(task: str) -> Callable[[Any], Any]:
    r"""Make ``f(outputs)`` that takes members' outputs ``(k, m)`` to one prediction ``(m,)``.

    Numbers (``"regression"``) are averaged; of ``"classification"`` and ``"multilabel"`` the probabilities
    are: :math:`\log \frac1k \sum_i \mathrm{softmax}(z_i)`, and the logit of
    :math:`\frac1k \sum_i \sigma(z_i)`.

    >>> print(mean_of_members("regression")(jnp.array([[1.0], [3.0]])))
    [2.]
    >>> print(jnp.exp(mean_of_members("classification")(jnp.array([[0.0, 0.0], [0.0, 50.0]]))))
    [0.25 0.75]
    """
    return {"regression": _mean, "classification": _log_mean, "multilabel": _logit_of_mean}[task]


def _mean(outputs: Any) -> Any:
    return jnp.mean(outputs, 0)


def _log_mean(logits: Any) -> Any:
    return jax.nn.logsumexp(jax.nn.log_softmax(logits), 0) - jnp.log(logits.shape[0])


def _logit_of_mean(logits: Any) -> Any:
    yes, no = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    return jax.nn.logsumexp(yes, 0) - jax.nn.logsumexp(no, 0)
