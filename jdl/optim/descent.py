"""Optimizers made of a direction of ``optax``: a step against it, and weight decay by path."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jdl import tree
from jdl.optim.core import Number, Schedule, at, check_patterns, need_params

Decay = Mapping[str, Number] | None


class DescentState(NamedTuple):
    """The state of an optimizer: steps taken, and that of its direction."""

    step: jax.Array
    direction: Any


def descend(
    name: str,
    direction: optax.GradientTransformation,
    learning_rate: Number | Schedule,
    weight_decay: Number | Schedule = 0.0,
    decay: Decay = None,
) -> optax.GradientTransformation:
    """Step against a direction, which is computed and kept in float32 at least, and shrink the parameters."""

    def init(params: optax.Params) -> DescentState:
        check_patterns(f"{name}(decay=…)", decay or {}, params)
        return DescentState(jnp.zeros((), jnp.int32), direction.init(_wide(params)))

    def update(updates: Any, state: DescentState, params: Any = None) -> Any:
        need_params(name, params)
        against, inner = direction.update(_wide(updates), state.direction, _wide(params))
        rate, strength = at(learning_rate, state.step), at(weight_decay, state.step)

        def change(path: str, p: jax.Array, d: jax.Array) -> jax.Array:
            shrink = strength * tree.lookup(decay or {}, path, 1.0)
            return (-rate * (d + shrink * p)).astype(p.dtype)

        return tree.map_by_path(change, params, against), DescentState(state.step + 1, inner)

    return optax.GradientTransformation(init, update)


def decayed(name: str, weight_decay: Number, decay: Decay) -> optax.GradientTransformation:
    """Add weight decay to a direction that is changed further."""

    def init(params: optax.Params) -> optax.EmptyState:
        check_patterns(f"{name}(decay=…)", decay or {}, params)
        return optax.EmptyState()

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        shrink = lambda path, u, p: u + weight_decay * tree.lookup(decay or {}, path, 1.0) * p
        return tree.map_by_path(shrink, updates, params), state

    return optax.GradientTransformation(init, update)


def _wide(values: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32)), values)


def lion(
    learning_rate: Number | Schedule,
    b1: Number = 0.9,
    b2: Number = 0.99,
    weight_decay: Number | Schedule = 1e-3,
    *,
    decay: Decay = None,
) -> optax.GradientTransformation:
    r"""Step by the sign of a running mean of the gradient: learning rates are a tenth of Adam's.

    .. math:: u = \mathrm{sign}(b_1 m + (1 - b_1) g), \quad m \leftarrow b_2 m + (1 - b_2) g, \quad
              p \leftarrow p - \eta (u + \lambda f p)

    ``weight_decay`` and ``decay`` as for ``adamw``, with its errors.

    Reference: Chen et al., 2023, https://arxiv.org/abs/2302.06675.

    >>> optimizer, params = lion(0.1, weight_decay=0.0), jnp.ones(2)
    >>> print(optimizer.update(jnp.array([3.0, -0.5]), optimizer.init(params), params)[0])
    [-0.1  0.1]
    """
    return descend("lion", optax.scale_by_lion(b1, b2), learning_rate, weight_decay, decay)


def rmsprop(
    learning_rate: Number | Schedule,
    smoothing: Number = 0.99,
    eps: Number = 1e-8,
    momentum: Number = 0.0,
) -> optax.GradientTransformation:
    r"""Divide the gradient by a running mean of its size; equal to ``torch.optim.RMSprop``.

    .. math:: v \leftarrow \alpha v + (1 - \alpha) g^2, \quad m \leftarrow \mu m + g / (\sqrt v + \epsilon),
              \quad p \leftarrow p - \eta m

    Reference: Tieleman and Hinton, 2012, Neural Networks for Machine Learning, lecture 6.5.

    >>> optimizer, params = rmsprop(0.1), jnp.ones(())
    >>> print(optimizer.update(jnp.array(2.0), optimizer.init(params), params)[0].round(4))
    -1.0
    """
    scaled = optax.scale_by_rms(smoothing, eps, eps_in_sqrt=False)
    return descend("rmsprop", optax.chain(scaled, optax.trace(momentum)), learning_rate)


def adagrad(learning_rate: Number | Schedule, eps: Number = 1e-10) -> optax.GradientTransformation:
    r"""Divide the gradient by the size of all seen so far; equal to ``torch.optim.Adagrad``.

    .. math:: s \leftarrow s + g^2, \quad p \leftarrow p - \eta\, g / (\sqrt s + \epsilon)

    Reference: Duchi et al., 2011, https://jmlr.org/papers/v12/duchi11a.html.

    >>> optimizer, params = adagrad(0.1), jnp.ones(())
    >>> print(optimizer.update(jnp.array(2.0), optimizer.init(params), params)[0].round(4))
    -0.1
    """
    return descend("adagrad", optax.scale_by_rss(0.0, eps), learning_rate)


def nadam(
    learning_rate: Number | Schedule,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number | Schedule = 0.0,
    *,
    decay: Decay = None,
) -> optax.GradientTransformation:
    """Adam with Nesterov's momentum; equal to ``optax.nadamw``.

    ``weight_decay`` and ``decay`` as for ``adamw``, with its errors.

    Reference: Dozat, 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.

    >>> optimizer, params = nadam(0.1), jnp.ones(())
    >>> print(optimizer.update(jnp.array(2.0), optimizer.init(params), params)[0].round(4))
    -0.1474
    """
    direction = optax.scale_by_adam(b1, b2, eps, nesterov=True)
    return descend("nadam", direction, learning_rate, weight_decay, decay)


def radam(
    learning_rate: Number | Schedule,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number | Schedule = 0.0,
    *,
    decay: Decay = None,
) -> optax.GradientTransformation:
    """Adam that starts as momentum, until its running square can be relied on; equal to ``optax.radam``.

    ``weight_decay`` and ``decay`` as for ``adamw``, with its errors.

    Reference: Liu et al., 2020, https://arxiv.org/abs/1908.03265.

    >>> optimizer, params = radam(0.1), jnp.ones(())
    >>> print(optimizer.update(jnp.array(2.0), optimizer.init(params), params)[0].round(4))
    -0.2
    """
    direction = optax.scale_by_radam(b1, b2, eps)
    return descend("radam", direction, learning_rate, weight_decay, decay)


def adabelief(
    learning_rate: Number | Schedule,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-16,
    weight_decay: Number | Schedule = 0.0,
    *,
    decay: Decay = None,
) -> optax.GradientTransformation:
    """Adam that divides by how far the gradient is from its running mean; equal to ``optax.adabelief``.

    ``weight_decay`` and ``decay`` as for ``adamw``, with its errors.

    Reference: Zhuang et al., 2020, https://arxiv.org/abs/2010.07468.

    >>> optimizer, params = adabelief(0.1), jnp.ones(())
    >>> print(optimizer.update(jnp.array(2.0), optimizer.init(params), params)[0].round(4))
    -0.1111
    """
    direction = optax.scale_by_belief(b1, b2, eps, eps)
    return descend("adabelief", direction, learning_rate, weight_decay, decay)


def lamb(
    learning_rate: Number | Schedule,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-6,
    weight_decay: Number = 0.0,
    *,
    decay: Decay = None,
) -> optax.GradientTransformation:
    """Adam whose step in every array is as long as the array, for large batches; equal to ``optax.lamb``.

    ``weight_decay`` (a number) and ``decay`` as for ``adamw``, with its errors.

    Reference: You et al., 2020, https://arxiv.org/abs/1904.00962.

    >>> optimizer, params = lamb(0.1), 3.0 * jnp.ones(4)
    >>> print(optimizer.update(jnp.ones(4), optimizer.init(params), params)[0].round(4))
    [-0.3 -0.3 -0.3 -0.3]
    """
    adam = optax.scale_by_adam(b1, b2, eps)
    direction = optax.chain(adam, decayed("lamb", weight_decay, decay), optax.scale_by_trust_ratio())
    return descend("lamb", direction, learning_rate)


def adafactor(
    learning_rate: Number | Schedule,
    weight_decay: Number | Schedule = 0.0,
    *,
    smallest: int = 128,
    decay: Decay = None,
) -> optax.GradientTransformation:
    """Adam whose running square of a large matrix is kept as one row and one column, to save memory.

    Without momentum, the step clipped to a mean square of 1 and scaled by that of the parameters, as the
    reference has it and ``optax.adafactor``.

    Args:
        learning_rate: Relative to the parameters' size.
        weight_decay: A number or a schedule.
        smallest: Matrices with fewer rows or columns keep the whole square.
        decay: Factors of the weight decay by path pattern, as for ``adamw``.

    Raises:
        ValueError: A pattern matches no parameter, or there are no parameters in ``update``.

    Reference: Shazeer and Stern, 2018, https://arxiv.org/abs/1804.04235.

    >>> optimizer, params = adafactor(0.1), 2.0 * jnp.ones(2)
    >>> print(optimizer.update(jnp.ones(2), optimizer.init(params), params)[0].round(4))
    [-0.2 -0.2]
    """
    direction = optax.chain(
        optax.scale_by_factored_rms(min_dim_size_to_factor=smallest),
        optax.clip_by_block_rms(1.0),
        optax.scale_by_param_block_rms(),
    )
    return descend("adafactor", direction, learning_rate, weight_decay, decay)


def prodigy(
    learning_rate: Number | Schedule = 1.0,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
) -> optax.GradientTransformation:
    """Adam that finds its learning rate itself; equal to ``optax.contrib.prodigy``.

    Args:
        learning_rate: What the rate found is multiplied by: 1, or a schedule that falls from 1 to 0.
        b1: Decay of the running mean.
        b2: Decay of the running square.
        eps: Added to its root.
        weight_decay: As in ``adamw``.

    Reference: Mishchenko and Defazio, 2023, https://arxiv.org/abs/2306.06101.

    >>> optimizer, params = prodigy(), jnp.ones(2)
    >>> updates, state = optimizer.update(params, optimizer.init(params), params)
    >>> print(f"{state.estim_lr:.0e}")
    1e-06
    """
    return optax.contrib.prodigy(learning_rate, (b1, b2), eps=eps, weight_decay=weight_decay)
