"""Adam, with and without weight decay."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jdl import tree
from jdl.optim.core import (
    Number,
    Schedule,
    Skipping,
    accumulator,
    at,
    check_patterns,
    flatten,
    like,
    masked,
    need_params,
)


def adam(
    learning_rate: Number | Schedule, b1: Number = 0.9, b2: Number = 0.999, eps: Number = 1e-8
) -> optax.GradientTransformation:
    """Adam: ``adamw`` without weight decay. Equal to ``torch.optim.Adam`` and ``optax.adam``.

    Reference: Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980.

    >>> optimizer, params = adam(0.1), jnp.ones(2)
    >>> print(optimizer.update(params, optimizer.init(params), params)[0])
    [-0.1 -0.1]
    """
    return adamw(learning_rate, b1, b2, eps, weight_decay=0.0)


class AdamState(NamedTuple):
    """The state of ``adamw``: steps taken, running means of the gradient and of its square, as vectors."""

    step: jax.Array
    mean: jax.Array
    square: jax.Array


def adamw(
    learning_rate: Number | Schedule,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number | Schedule = 1e-4,
    *,
    decay: Mapping[str, Number] | None = None,
) -> optax.GradientTransformation:
    r"""Adam with decoupled weight decay.

    .. math:: m \leftarrow b_1 m + (1 - b_1) g, \quad v \leftarrow b_2 v + (1 - b_2) g^2, \quad
              p \leftarrow p - \eta \left( \frac{m / (1 - b_1^t)}{\sqrt{v / (1 - b_2^t)} + \epsilon}
              + \lambda f p \right)

    Equal to ``torch.optim.AdamW`` and ``optax.adamw``. The running means are kept in float32 at least, as one
    vector each: two loops for all parameters, where a small network's step is mostly the loops' overhead.

    Args:
        learning_rate: :math:`\eta`.
        b1: Decay of the running mean.
        b2: Decay of the running square.
        eps: :math:`\epsilon`.
        weight_decay: :math:`\lambda`, a number or a schedule.
        decay: Factors :math:`f` of the weight decay by path pattern, the first that matches, 1 where none
            does: ``{"*/b": 0.0}`` decays no bias.

    Raises:
        ValueError: A pattern of ``decay`` matches no parameter, or there are no parameters in ``update``.

    Reference: Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101.

    >>> optimizer = adamw(0.1, decay={"*/b": 0.0})
    >>> params = {"dense": {"w": jnp.ones(2), "b": jnp.ones(2)}}
    >>> updates, state = optimizer.update(params, optimizer.init(params), params)
    >>> print(updates["dense"]["b"])
    [-0.1 -0.1]
    """

    def init(params: optax.Params) -> AdamState:
        check_patterns("adamw(decay=…)", decay or {}, params)
        zeros = accumulator(params)
        return AdamState(jnp.zeros((), jnp.int32), zeros, zeros)

    def update(updates: Any, state: Any, params: Any = None, *, good: Any = True, **_: Any) -> Any:
        need_params("adamw", params)
        rate, strength = at(learning_rate, state.step), at(weight_decay, state.step)
        rate, step = jnp.where(good, rate, 0.0), jnp.asarray(state.step + 1, jnp.float32)
        first, second = jnp.asarray(b1, jnp.float32), jnp.asarray(b2, jnp.float32)
        # Both bias corrections are folded into scalars, so that a parameter costs one fused loop.
        root = jnp.sqrt(1.0 - second**step)
        scaled_rate, scaled_eps = rate * root / (1.0 - first**step), eps * root
        first, second = jnp.where(good, first, 1.0), jnp.where(good, second, 1.0)
        gradient = masked(good, flatten(updates))
        mean = first * state.mean + (1.0 - first) * gradient
        square = second * state.square + (1.0 - second) * gradient * gradient

        def change(path: str, m: jax.Array, v: jax.Array, p: jax.Array) -> jax.Array:
            shrink = rate * strength * tree.lookup(decay or {}, path, 1.0)
            return (-scaled_rate * m / (jnp.sqrt(v) + scaled_eps) - shrink * p).astype(p.dtype)

        changes = tree.map_by_path(change, like(mean, params), like(square, params), params)
        return changes, AdamState(state.step + good, mean, square)

    return Skipping(init, update)
