"""Optimizers around another optimizer, and those that evaluate the objective themselves."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax import contrib

from jdl.optim.core import Number, Schedule, need_params


class LookaheadState(NamedTuple):
    """The state of ``lookahead``: steps taken, the slow parameters, and the state of the optimizer inside."""

    step: jax.Array
    slow: Any
    inner: Any


def lookahead(
    optimizer: optax.GradientTransformation, every: Number = 6, rate: Number = 0.5
) -> optax.GradientTransformation:
    """Let an optimizer run ahead; every few steps, go back to between where it is and where it was.

    Args:
        optimizer: What runs ahead.
        every: Steps between two returns.
        rate: How far of the way is kept, from 0 to 1.

    Reference: Zhang et al., 2019, https://arxiv.org/abs/1907.08610.

    >>> from jdl.optim import sgd
    >>> optimizer, params = lookahead(sgd(1.0), every=2), jnp.array(0.0)
    >>> state = optimizer.init(params)
    >>> for _ in range(2):
    ...     updates, state = optimizer.update(jnp.array(1.0), state, params)
    ...     params += updates
    >>> print(params)
    -1.0
    """
    inside = optax.with_extra_args_support(optimizer)

    def init(params: optax.Params) -> LookaheadState:
        slow = jax.tree.map(jnp.copy, params)  # apart from the parameters, which a loop may donate
        return LookaheadState(jnp.zeros((), jnp.int32), slow, inside.init(params))

    def update(updates: Any, state: LookaheadState, params: Any = None, **given: Any) -> Any:
        need_params("lookahead", params)
        updates, inner = inside.update(updates, state.inner, params, **given)
        returns = (state.step + 1) % every == 0
        ahead = jax.tree.map(jnp.add, params, updates)
        moved = jax.tree.map(lambda s, a: jnp.where(returns, s + rate * (a - s), s), state.slow, ahead)
        updates = jax.tree.map(lambda u, s, p: jnp.where(returns, s - p, u), updates, moved, params)
        return updates, LookaheadState(state.step + 1, moved, inner)

    return optax.GradientTransformationExtraArgs(init, update)


def schedule_free(
    optimizer: optax.GradientTransformation, learning_rate: Number | Schedule, b1: Number = 0.9
) -> optax.GradientTransformation:
    """Average the parameters as training goes, in place of a learning rate that falls.

    Gradients are taken between the averaged parameters and those that the optimizer moves; what is evaluated
    is the average, ``evaluation_params``. Thin over ``optax.contrib.schedule_free``.

    Args:
        optimizer: One without momentum of its own, such as ``adamw(learning_rate, b1=0.0)``.
        learning_rate: That of the optimizer: constant, after a warm-up.
        b1: How near to the average gradients are taken, above 0.

    Reference: Defazio et al., 2024, https://arxiv.org/abs/2405.15682.

    >>> from jdl.optim import sgd
    >>> optimizer, params = schedule_free(sgd(0.5), 0.5), jnp.array(1.0)
    >>> state = optimizer.init(params)
    >>> for _ in range(2):
    ...     updates, state = optimizer.update(jnp.array(1.0), state, params)
    ...     params += updates
    >>> print(evaluation_params(state, params))  # the mean of 0.5 and 0
    0.25
    """
    return contrib.schedule_free(optimizer, learning_rate, b1)


def evaluation_params(state: Any, params: Any) -> Any:
    """Give the parameters to evaluate: an optimizer's own average where its state has one, else ``params``.

    >>> evaluation_params(optax.EmptyState(), {"w": 1.0})
    {'w': 1.0}
    """
    averaged = lambda node: isinstance(node, contrib.ScheduleFreeState)
    found = [node for node in jax.tree.leaves(state, is_leaf=averaged) if averaged(node)]
    return contrib.schedule_free_eval_params(found[0], params) if found else params


def sam(optimizer: optax.GradientTransformation, radius: Number = 0.05) -> optax.GradientTransformation:
    r"""Step by the gradient where the loss is worst nearby: at :math:`p + \rho\, g / \lVert g \rVert`.

    Each step takes a second gradient, of the same batch: ``update`` is given ``grad_fn(params, 0)``. A step
    whose second gradient is not finite changes nothing.

    Args:
        optimizer: What steps.
        radius: :math:`\rho`.

    Reference: Foret et al., 2021, https://arxiv.org/abs/2010.01412.

    >>> from jdl.optim import sgd
    >>> optimizer, grad_fn = sam(sgd(0.1), radius=0.5), lambda p, _: 2.0 * p
    >>> params = jnp.array(1.0)
    >>> state = optimizer.init(params)
    >>> updates, state = optimizer.update(grad_fn(params, 0), state, params, grad_fn=grad_fn)
    >>> print(f"{updates:.2f}")
    -0.30
    """
    inside = optax.with_extra_args_support(optimizer)

    def update(updates: Any, state: Any, params: Any = None, *, grad_fn: Any, **given: Any) -> Any:
        norm = optax.tree.norm(updates)
        scale = radius / jnp.where(norm > 0, norm, 1.0)
        worst = jax.tree.map(lambda p, g: (p + scale * g).astype(p.dtype), params, updates)
        gradient = grad_fn(worst, 0)
        finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(g)) for g in jax.tree.leaves(gradient)]))

        def take() -> Any:
            return inside.update(gradient, state, params, grad_fn=grad_fn, **given)

        return jax.lax.cond(finite, take, lambda: (jax.tree.map(jnp.zeros_like, updates), state))

    return optax.GradientTransformationExtraArgs(inside.init, update)


def lbfgs(memory: int = 10) -> optax.GradientTransformation:
    """Limited-memory BFGS with a line search, for objectives without noise: the whole data as one batch.

    Every step may evaluate the objective several times: ``update`` is given ``value``, ``grad`` and
    ``value_fn``. This is ``optax.lbfgs``.

    Args:
        memory: How many steps are remembered.

    Reference: Liu and Nocedal, 1989, https://doi.org/10.1007/BF01589116.

    >>> optimizer, loss = lbfgs(), lambda p: jnp.sum((p - 1.0) ** 4)
    >>> params = jnp.zeros(2)
    >>> state = optimizer.init(params)
    >>> value, gradient = jax.value_and_grad(loss)(params)
    >>> given = {"value": value, "grad": gradient, "value_fn": loss}
    >>> updates, state = optimizer.update(gradient, state, params, **given)
    >>> bool(loss(params + updates) < loss(params))
    True
    """
    return optax.lbfgs(memory_size=memory)
