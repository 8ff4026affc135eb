"""Normalisation over the batch and over features. Statistics are computed in float32 (or float64)."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn import init
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.scope import Scope
from jdl.nn.spec import wide


@constructor
def batch_norm(*, momentum: Any = 0.9, eps: float = 1e-5) -> Layer:
    r"""Normalise each feature over the batch.

    .. math:: y = \gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta

    Input ``(…, n)``; features are the last axis, statistics run over the batch and all other axes, weighted
    by the examples' weights. In a stochastic pass they are the batch's, and the running ones move by
    ``1 - momentum`` towards them (variance as the batch's, biased, as in Flax; PyTorch's ``momentum`` is
    ours from 1, and its running variance is unbiased); else the running ones are used.
    Parameters ``scale`` and ``bias`` ``(n,)``; state ``mean`` and ``var`` ``(n,)``.

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.batch_norm()
    >>> params, state = net.init(jax.random.key(0), jnp.zeros(3))
    >>> xs = jnp.ones((8, 3))
    >>> ys, state = nn.batched(net)(params, state, xs, key=jax.random.key(1))
    >>> jnp.allclose(state["mean"], 0.1).item()
    True
    """

    @layer
    def batch_norm(my: Scope, x: Any) -> Any:
        y, n = features(my, x)
        mean, var = my.state("mean", (n,), init.zeros), my.state("var", (n,), init.ones)
        if my.stochastic:
            shift, offset, var_now = _moments(my, y)
            my.update(mean=_moved(mean, shift + offset, momentum), var=_moved(var, var_now, momentum))
        else:
            shift, offset, var_now = mean, 0.0, var
        scale, bias = scale_and_bias(my, n)
        scale = scale * jax.lax.rsqrt(var_now + eps)
        return ((y - shift) * scale + (bias - offset * scale)).astype(jnp.result_type(x, 0.0))

    return batch_norm


def _moments(my: Scope, y: Any) -> tuple[Any, Any, Any]:
    r"""Give a shift, the mean less the shift, and the variance, over the batch and all axes but the last.

    One pass, :math:`\sigma^2 = E[(y - s)^2] - E[y - s]^2`, with the batch's mean at the middle position as
    :math:`s`. That is the mean of one of :math:`k` equal shares of the numbers, so by the law of total
    variance :math:`(\mu - s)^2 < k \sigma^2`: whatever the mean, cancellation costs at most a factor
    :math:`k` (the number of positions) of float32's accuracy; and without positions :math:`s = \mu`, nothing.
    """
    axes = tuple(range(y.ndim - 1))
    shift = jax.lax.stop_gradient(my.batch_mean(y[tuple(length // 2 for length in y.shape[:-1])]))
    y = y - shift
    offset, square = my.batch_mean(jnp.mean(y, axes)), my.batch_mean(jnp.mean(jnp.square(y), axes))
    return shift, offset, jnp.maximum(square - jnp.square(offset), 0.0)


def _moved(running: Any, now: Any, momentum: Any) -> Any:
    return momentum * running + (1 - momentum) * jax.lax.stop_gradient(now)


@constructor
def layer_norm(*, eps: float = 1e-5) -> Layer:
    r"""Normalise the last axis: :math:`y = \gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`.

    Input and output ``(…, n)``; parameters ``scale`` and ``bias`` ``(n,)``.

    Source: Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.layer_norm().init(jax.random.key(0), jnp.zeros(2))
    >>> nn.layer_norm()(params, jnp.array([1.0, 3.0])).round(3).tolist()
    [-1.0, 1.0]
    """

    @layer
    def layer_norm(my: Scope, x: Any) -> Any:
        y, n = features(my, x)
        scale, bias = scale_and_bias(my, n)
        return (_standardise(y, jnp.asarray(eps, y.dtype)) * scale + bias).astype(jnp.result_type(x, 0.0))

    return layer_norm


@constructor
def rms_norm(*, eps: float = 1e-6) -> Layer:
    r"""Scale the last axis to a mean square of one: :math:`y = \gamma x / \sqrt{E[x^2] + \epsilon}`.

    Input and output ``(…, n)``; parameter ``scale`` ``(n,)``.

    Source: Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.rms_norm().init(jax.random.key(0), jnp.zeros(2))
    >>> nn.rms_norm()(params, jnp.array([3.0, 3.0])).round(3).tolist()
    [1.0, 1.0]
    """

    @layer
    def rms_norm(my: Scope, x: Any) -> Any:
        y, n = features(my, x)
        scale = my.param("scale", (n,), init.ones, jnp.float32)
        y = y * jax.lax.rsqrt(jnp.mean(jnp.square(y), -1, keepdims=True) + eps)
        return (y * scale).astype(jnp.result_type(x, 0.0))

    return rms_norm


@jax.custom_jvp
def _standardise(y: Any, eps: Any) -> Any:
    return _deviations(y, eps)[0]


@_standardise.defjvp
def _standardise_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    # By hand: the same speed as what JAX derives, and a third less time to compile in a deep network.
    z, scale = _deviations(*primals)
    dy, deps = tangents
    dz = dy - jnp.mean(dy, -1, keepdims=True) - z * jnp.mean(z * dy, -1, keepdims=True)
    return z, scale * dz - z * scale**2 * deps / 2


def _deviations(y: Any, eps: Any) -> tuple[Any, Any]:
    y = y - jnp.mean(y, -1, keepdims=True)
    scale = jax.lax.rsqrt(jnp.mean(jnp.square(y), -1, keepdims=True) + eps)
    return y * scale, scale


def features(my: Scope, x: Any) -> tuple[Any, int]:
    """Give the input in float32 or wider, and the length of its last axis."""
    if jnp.ndim(x) == 0:
        raise LayerError(f"{my._where()}: has shape (), needs (…, n): features, not a scalar")
    return wide(x), x.shape[-1]


def scale_and_bias(my: Scope, n: int) -> tuple[Any, Any]:
    """Ask for a scale, which begins at one, and a bias, at zero, of each of ``n`` channels."""
    return my.param("scale", (n,), init.ones, jnp.float32), my.param("bias", (n,), init.zeros, jnp.float32)
