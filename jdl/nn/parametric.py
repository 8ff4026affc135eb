"""Activations that learn, and the one with a random slope."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, as_layer, layer
from jdl.nn.scope import Scope


@constructor
def prelu(*, shared: bool = False, start: float = 0.25) -> Layer:
    r"""Rectifier with a learned slope below zero: :math:`\max(x, 0) + a \min(x, 0)`.

    Input and output ``(…, n)``; parameter ``slope``, ``(n,)``, or ``(1,)`` where it is ``shared`` by all
    channels, which begins at ``start``.

    Source: He et al. 2015, https://arxiv.org/abs/1502.01852.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.prelu().init(jax.random.key(0), jnp.zeros(2))
    >>> nn.prelu()(params, jnp.array([-2.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    @layer
    def prelu(my: Scope, x: Any) -> Any:
        slope = my.param("slope", _channels(my, x, shared), inits.constant(start))
        return jnp.where(x > 0, x, slope.astype(jnp.result_type(x, 0.0)) * x)

    return prelu


@constructor
def learned_swish(*, shared: bool = False) -> Layer:
    r"""Swish with a learned steepness, :math:`x\, \sigma(\beta x)`, which begins as ``silu``.

    Input and output ``(…, n)``; parameter ``beta``, ``(n,)``, or ``(1,)`` where it is ``shared``.

    Source: Ramachandran, Zoph and Le 2017, https://arxiv.org/abs/1710.05941.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.learned_swish().init(jax.random.key(0), jnp.zeros(1))
    >>> nn.learned_swish()(params, jnp.array([1.0])).round(4).tolist()
    [0.7311]
    """

    @layer
    def learned_swish(my: Scope, x: Any) -> Any:
        beta = my.param("beta", _channels(my, x, shared), inits.ones)
        return x * jax.nn.sigmoid(beta.astype(jnp.result_type(x, 0.0)) * x)

    return learned_swish


@constructor
def parametric(activation: Any) -> Layer:
    r"""Learn for each channel how much of an activation it has: :math:`y = x + a\,(f(x) - x)`.

    Input and output ``(…, n)``; ``activation`` is :math:`f`, a layer or a function. Parameter ``mix``
    ``(n,)`` is :math:`a`, which begins at one; at zero the channel is linear.

    Source: Holzmüller, Grinsztajn and Steinwart 2024, https://arxiv.org/abs/2407.04491, after the PReLU.

    Raises:
        LayerError: the input is a scalar.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.parametric(nn.relu)({"mix": jnp.array([0.5, 1.0])}, jnp.array([-2.0, -2.0])).tolist()
    [-1.0, 0.0]
    """

    @layer(activation=as_layer(activation))
    def parametric(my: Scope, x: Any) -> Any:
        mix = my.param("mix", _channels(my, x, shared=False), inits.ones)
        return x + mix.astype(jnp.result_type(x, 0.0)) * (my.activation(x) - x)

    return parametric


def _channels(my: Scope, x: Any, shared: bool) -> tuple[int]:
    if jnp.ndim(x) == 0:
        raise LayerError(f"{my._where()}: has shape (), needs (…, n): channels on the last axis")
    return (1,) if shared else (x.shape[-1],)


@constructor
def rrelu(low: Any = 1 / 8, high: Any = 1 / 3) -> Layer:
    r"""Rectifier with a random slope below zero, uniform in ``[low, high)`` for each element.

    In a deterministic pass the slope is the mean, ``(low + high) / 2``. Both may be traced.

    Source: Xu et al. 2015, https://arxiv.org/abs/1505.00853.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.rrelu(0.0, 0.5)({}, jnp.array([-4.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    @layer
    def rrelu(my: Scope, x: Any) -> Any:
        key = my.key()
        dtype = jnp.result_type(x, 0.0)
        share = 0.5 if key is None else jax.random.uniform(key, jnp.shape(x), dtype)
        slope = jnp.asarray(low + (high - low) * share, dtype)
        return jnp.where(x >= 0, x, slope * x)

    return rrelu
