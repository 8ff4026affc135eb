"""Gradient descent, plain and with momentum."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jdl.optim.core import Number, Schedule, Skipping, accumulator, at, flatten, like, masked


def gradient_descent(learning_rate: Number | Schedule) -> optax.GradientTransformation:
    r"""Plain gradient descent: :math:`p \leftarrow p - \eta g`.

    >>> optimizer = gradient_descent(0.1)
    >>> updates, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(1.0)))
    >>> print(f"{updates:.2f}")
    -0.20
    """

    def update(updates: Any, state: Any, params: Any = None, *, good: Any = True, **_: Any) -> Any:
        rate = jnp.where(good, at(learning_rate, state), 0.0)
        change = jax.tree.map(lambda g: (-rate * g).astype(g.dtype), masked(good, updates))
        return change, state + good

    return Skipping(lambda params: jnp.zeros((), jnp.int32), update)


def sgd(
    learning_rate: Number | Schedule, momentum: Number = 0.0, *, nesterov: bool = False
) -> optax.GradientTransformation:
    r"""Gradient descent with momentum: :math:`m \leftarrow \mu m + g,\; p \leftarrow p - \eta m`.

    With ``nesterov``, :math:`p \leftarrow p - \eta (g + \mu m)`. Both as in ``torch.optim.SGD``, with
    :math:`m` kept in float32 at least.

    Reference: Sutskever et al., 2013, https://proceedings.mlr.press/v28/sutskever13.html.

    >>> optimizer = sgd(0.1, momentum=0.9)
    >>> state = optimizer.init(jnp.array(1.0))
    >>> updates, state = optimizer.update(jnp.array(1.0), state)
    >>> updates, state = optimizer.update(jnp.array(1.0), state)
    >>> print(f"{updates:.2f}")
    -0.19
    """

    def init(params: optax.Params) -> SgdState:
        return SgdState(jnp.zeros((), jnp.int32), accumulator(params))

    def update(updates: Any, state: Any, params: Any = None, *, good: Any = True, **_: Any) -> Any:
        rate = jnp.where(good, at(learning_rate, state.step), 0.0)
        gradient = masked(good, flatten(updates))
        velocity = jnp.where(good, momentum, 1.0) * state.velocity + gradient
        direction = momentum * velocity + gradient if nesterov else velocity
        change = jax.tree.map(lambda m, g: (-rate * m).astype(g.dtype), like(direction, updates), updates)
        return change, SgdState(state.step + good, velocity)

    return Skipping(init, update)


class SgdState(NamedTuple):
    """The state of ``sgd``: steps taken, and the velocity of all parameters as one vector."""

    step: jax.Array
    velocity: jax.Array
