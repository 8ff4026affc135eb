"""Dropout: of elements, of channels, of what a whole example computes."""

from math import prod
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.scope import Scope
from jdl.optim import flat_cosine

LANES = 65536  # values of 16 random bits
SELU_LOWEST = -1.7580993408473766  # what SELU tends to at minus infinity


@constructor
def dropout(rate: Any) -> Layer:
    r"""Zero each element with probability ``rate`` and scale the others by :math:`1 / (1 - \text{rate})`.

    In a deterministic pass the input comes back as it is. ``rate`` in [0, 1) may be traced; it is used to
    the nearest 1/65536 below 1, and the scale fits the rate used, so the mean is kept. A traced rate outside
    [0, 1) gives NaN.

    Source: Srivastava et al. 2014, JMLR 15, 1929-1958.

    Raises:
        LayerError: a rate outside [0, 1), where it is a Python number.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> y, _ = nn.dropout(0.5).apply({}, {}, jnp.ones(1000), key=jax.random.key(0))
    >>> sorted(set(y.tolist()))
    [0.0, 2.0]
    """
    _check("dropout", rate)

    @layer
    def dropout(my: Scope, x: Any) -> Any:
        return _dropped(my, x, rate, jnp.shape(x))

    return dropout


@constructor
def fading_dropout(rate: Any, steps: Any, *, flat: Any = 0.5) -> Layer:
    r"""Drop as ``nn.dropout``, at a rate that falls to 0 as training ends.

    .. math:: r \cdot \tfrac12 \left(1 + \cos \pi \max\left(0, \tfrac{i / T - h}{1 - h}\right)\right)

    with :math:`r` the ``rate``, :math:`T` the ``steps``, and ``flat`` :math:`h` the share of them before it
    falls; all may be traced. State ``step`` is :math:`i`, which counts the stochastic passes: the steps of
    training, where each makes one. It is 0 from :math:`T` on.

    Source: Holzmüller, Grinsztajn and Steinwart 2024, https://arxiv.org/abs/2407.04491 ("flat_cos").

    Raises:
        LayerError: a rate outside [0, 1), where it is a Python number.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.fading_dropout(0.5, steps=10)
    >>> _, state = net.init(jax.random.key(0), jnp.zeros(1))
    >>> y, state = net.apply({}, {"step": jnp.int32(10)}, jnp.ones(3), key=jax.random.key(1))
    >>> y.tolist(), state["step"].item()
    ([1.0, 1.0, 1.0], 11)
    """
    _check("fading_dropout", rate)
    fade = flat_cosine(rate, steps, flat=flat)

    @layer
    def fading_dropout(my: Scope, x: Any) -> Any:
        step = my.state("step", (), inits.zeros, jnp.int32)
        if my.stochastic:
            my.update(step=step + 1)
        return _dropped(my, x, fade(step), jnp.shape(x))

    return fading_dropout


@constructor
def spatial_dropout(rate: Any) -> Layer:
    """Drop whole channels, each with probability ``rate``; the rest as ``nn.dropout``.

    Input ``(…, channels)``. Neighbouring positions of a channel tell nearly the same, so dropping some of
    them drops little (Tompson et al. 2015).

    Source: https://arxiv.org/abs/1411.4280; PyTorch's ``Dropout1d`` to ``Dropout3d``.

    Raises:
        LayerError: the input is a scalar; a rate outside [0, 1), where it is a Python number.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> y, _ = nn.spatial_dropout(0.5).apply({}, {}, jnp.ones((2, 2, 64)), key=jax.random.key(0))
    >>> bool((y == y[:1, :1]).all()), sorted(set(y.ravel().tolist()))
    (True, [0.0, 2.0])
    """
    _check("spatial_dropout", rate)

    @layer
    def spatial_dropout(my: Scope, x: Any) -> Any:
        return _dropped(my, x, rate, _of_channels(my, x))

    return spatial_dropout


@constructor
def stochastic_depth(rate: Any) -> Layer:
    r"""Drop everything that an example computes here, with probability ``rate``; the rest as ``nn.dropout``.

    One draw for the whole input. Last in a residual part, it leaves out the part:
    ``nn.residual(nn.chain(f, nn.stochastic_depth(0.1)))``. What is kept is scaled by
    :math:`1 / (1 - \text{rate})` in training, where the paper scales by :math:`1 - \text{rate}` in
    prediction.

    Source: Huang et al. 2016, https://arxiv.org/abs/1603.09382.

    Raises:
        LayerError: a rate outside [0, 1), where it is a Python number.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> y, _ = nn.stochastic_depth(0.5).apply({}, {}, jnp.ones(1000), key=jax.random.key(0))
    >>> set(y.tolist()) in ({0.0}, {2.0})
    True
    """
    _check("stochastic_depth", rate)

    @layer
    def stochastic_depth(my: Scope, x: Any) -> Any:
        return _dropped(my, x, rate, (1,) * jnp.ndim(x))

    return stochastic_depth


@constructor
def alpha_dropout(rate: Any) -> Layer:
    r"""Set each element to SELU's lowest value with probability ``rate``, and keep mean and variance.

    .. math:: y = a\,(x m + \alpha (1 - m)) + b

    with :math:`m` one where an element is kept, :math:`\alpha \approx -1.758`, and :math:`a` and :math:`b`
    such that elements of mean zero and variance one stay so. Input of any shape; ``rate`` as in
    ``nn.dropout``.

    Source: Klambauer et al. 2017, https://arxiv.org/abs/1706.02515, section 2.

    Raises:
        LayerError: a rate outside [0, 1), where it is a Python number.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> y, _ = nn.alpha_dropout(0.5).apply({}, {}, jnp.zeros(1000), key=jax.random.key(0))
    >>> sorted(set(y.tolist()))
    [-0.779, 0.779]
    """
    _check("alpha_dropout", rate)

    @layer
    def alpha_dropout(my: Scope, x: Any) -> Any:
        return _set_lowest(my, x, rate, jnp.shape(x))

    return alpha_dropout


@constructor
def spatial_alpha_dropout(rate: Any) -> Layer:
    """Do as ``nn.alpha_dropout`` to whole channels: PyTorch's ``FeatureAlphaDropout``.

    Input ``(…, channels)``.

    Raises:
        LayerError: the input is a scalar; a rate outside [0, 1), where it is a Python number.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> y, _ = nn.spatial_alpha_dropout(0.5).apply({}, {}, jnp.zeros((3, 64)), key=jax.random.key(0))
    >>> bool((y == y[:1]).all()), sorted(set(y.ravel().tolist()))
    (True, [-0.779, 0.779])
    """
    _check("spatial_alpha_dropout", rate)

    @layer
    def spatial_alpha_dropout(my: Scope, x: Any) -> Any:
        return _set_lowest(my, x, rate, _of_channels(my, x))

    return spatial_alpha_dropout


def _check(name: str, rate: Any) -> None:
    if isinstance(rate, int | float) and not 0 <= rate < 1:
        raise LayerError(f"{name}: rate is {rate}, needs a number in [0, 1): the share of elements to drop")


def never(rate: Any) -> bool:
    """Whether nothing is ever dropped, known beforehand: then drawing bits would be time lost."""
    return isinstance(rate, int | float) and rate == 0


def _of_channels(my: Scope, x: Any) -> tuple[int, ...]:
    if jnp.ndim(x) == 0:
        raise LayerError(f"{my._where()}: has shape (), needs (…, channels)")
    return (*(1,) * (jnp.ndim(x) - 1), jnp.shape(x)[-1])


def _dropped(my: Scope, x: Any, rate: Any, shape: tuple[int, ...]) -> Any:
    """Drop what a draw of ``shape``, broadcast, says."""
    key = my.key()
    if key is None:
        return x
    out, share = _drawn(key, rate, shape, x)
    return jnp.where(out, 0, x * (1 / (1 - share)).astype(jnp.result_type(x, 0.0)))


def _set_lowest(my: Scope, x: Any, rate: Any, shape: tuple[int, ...]) -> Any:
    key = my.key()
    if key is None:
        return x
    out, share = _drawn(key, rate, shape, x)
    scale = ((1 - share) * (1 + share * SELU_LOWEST**2)) ** -0.5
    offset = -scale * share * SELU_LOWEST
    scale, offset = (number.astype(jnp.result_type(x, 0.0)) for number in (scale, offset))
    return jnp.where(out, SELU_LOWEST, x) * scale + offset


def _drawn(key: Any, rate: Any, shape: tuple[int, ...], x: Any) -> tuple[Any, Any]:
    """Draw what is dropped, with the rate in parts of ``LANES``, and give that rate, as wide as ``x``."""
    # 16 random bits an element: half the work of 32, which is most of dropout's time on a CPU.
    share = jnp.asarray(rate, jnp.float32)
    share = jnp.where((share >= 0) & (share < 1), share, jnp.nan)
    parts = jnp.minimum(jnp.round(share * LANES), LANES - 1)
    wide = jnp.promote_types(jnp.result_type(x, 0.0), jnp.float32)
    return _lanes(key, shape).astype(jnp.float32) < parts, parts.astype(wide) / LANES


def _lanes(key: Any, shape: tuple[int, ...]) -> Any:
    """Draw a 16-bit integer for each element, two from each 32-bit word."""
    size = prod(shape)
    words = jax.random.bits(key, ((size + 1) // 2,), jnp.uint32)
    return jax.lax.bitcast_convert_type(words, jnp.uint16).reshape(-1)[:size].reshape(shape)
