"""Normalisation of one example over its positions: by groups of channels, by channel, and across channels."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.linear import positive
from jdl.nn.norm import features, scale_and_bias
from jdl.nn.scope import Scope


@constructor
def group_norm(groups: int, *, eps: float = 1e-5) -> Layer:
    r"""Normalise over all positions and a group of neighbouring channels, of one example.

    .. math:: y = \gamma (x - \mu_g) / \sqrt{\sigma_g^2 + \epsilon} + \beta

    Input and output ``(…, n)``, ``n`` a multiple of ``groups``; parameters ``scale`` and ``bias`` ``(n,)``.

    Source: Wu and He 2018, https://arxiv.org/abs/1803.08494.

    Raises:
        LayerError: channels that do not divide among the groups.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.group_norm(2).init(jax.random.key(0), jnp.zeros(4))
    >>> nn.group_norm(2)(params, jnp.array([1.0, 3.0, 10.0, 20.0])).round(3).tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    positive("group_norm: groups", groups)

    @layer
    def group_norm(my: Scope, x: Any) -> Any:
        n = features(my, x)[1]
        if n % groups:
            raise LayerError(f"{my._where()}: has {n} channels, needs a multiple of {groups} groups")
        return _normalised(my, x, groups, eps)

    return group_norm


@constructor
def instance_norm(*, eps: float = 1e-5) -> Layer:
    r"""Normalise each channel over the positions of one example: ``group_norm`` with a group a channel.

    Input and output ``(…, n)`` with at least one axis of positions; parameters ``scale`` and ``bias``
    ``(n,)``, which begin at one and zero (PyTorch's has them only when asked).

    Source: Ulyanov, Vedaldi and Lempitsky 2016, https://arxiv.org/abs/1607.08022.

    Raises:
        LayerError: an input without positions, whose every channel would be zero.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.instance_norm().init(jax.random.key(0), jnp.zeros((2, 1)))
    >>> nn.instance_norm()(params, jnp.array([[1.0], [3.0]])).round(3).tolist()
    [[-1.0], [1.0]]
    """

    @layer
    def instance_norm(my: Scope, x: Any) -> Any:
        if jnp.ndim(x) < 2:
            raise LayerError(f"{my._where()}: has shape {jnp.shape(x)}, needs (…, n) with positions before n")
        return _normalised(my, x, x.shape[-1], eps)

    return instance_norm


def _normalised(my: Scope, x: Any, groups: int, eps: float) -> Any:
    y, n = features(my, x)
    scale, bias = scale_and_bias(my, n)
    y = y - _group_mean(y, groups)
    # Channel by channel only a scale and a shift are left: one multiplication and addition an element.
    scale = scale * jax.lax.rsqrt(_group_mean(jnp.square(y), groups) + eps)
    return (y * scale + bias).astype(jnp.result_type(x, 0.0))


def _group_mean(y: Any, groups: int) -> Any:
    """Give each channel the mean of its group: ``(n,)``."""
    channels = jnp.mean(y, tuple(range(y.ndim - 1)))
    means = jnp.mean(channels.reshape(groups, -1), -1)
    return jnp.repeat(means, channels.shape[0] // groups, total_repeat_length=channels.shape[0])


@constructor
def local_response_norm(size: int, *, alpha: Any = 1e-4, beta: Any = 0.75, offset: Any = 1.0) -> Layer:
    r"""Divide each channel by its neighbours' strength.

    .. math:: y_c = x_c \Big(k + \frac{\alpha}{s} \sum_{|c' - c| \le s / 2} x_{c'}^2\Big)^{-\beta}

    Input and output ``(…, n)``; ``size`` *s* channels are summed (an even *s* has one more below), those that
    do not exist count as zero. As in PyTorch; the paper has no division by *s*.

    Source: Krizhevsky, Sutskever and Hinton 2012, section 3.3.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.local_response_norm(1, alpha=1.0, beta=0.5)({}, jnp.array([0.0, 1.0])).round(4).tolist()
    [0.0, 0.7071]
    """
    positive("local_response_norm: size", size)

    @layer
    def local_response_norm(my: Scope, x: Any) -> Any:
        y, _ = features(my, x)
        ones = (1,) * (y.ndim - 1)
        pads = ((0, 0),) * (y.ndim - 1) + ((size // 2, (size - 1) // 2),)
        total = jax.lax.reduce_window(jnp.square(y), 0.0, jax.lax.add, (*ones, size), (*ones, 1), pads)
        return (y * (offset + alpha / size * total) ** -beta).astype(jnp.result_type(x, 0.0))

    return local_response_norm
