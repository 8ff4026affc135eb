"""Convolutions."""

from functools import partial
from typing import Any

import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.convolve import convolve
from jdl.nn.layer import Layer, LayerError, chain, layer
from jdl.nn.linear import dense, positive
from jdl.nn.product import shared
from jdl.nn.scope import Scope
from jdl.nn.window import Each, Padding, Window, checked, pad_widths


@constructor
def conv(
    width: int,
    window: Each = 3,
    *,
    stride: Each = 1,
    dilation: Each = 1,
    groups: int = 1,
    padding: Padding = "SAME",
    bias: bool = True,
    init: Any = None,
) -> Layer:
    r"""Convolution (cross-correlation) in one, two or three dimensions, with stride *s* and dilation *d*.

    .. math:: y_{ijo} = b_o + \sum_{uvc} W_{uvco}\, x_{i s + u d, j s + v d, c}

    The length of ``window`` is the number of spatial axes; a number means two. Input
    ``(height, width, channels)``, output ``(height', width', width)``; in 1-D ``(length, channels)``, in 3-D
    ``(depth, height, width, channels)``. With ``groups`` the channels and the outputs are cut into so many
    equal runs, and each run of outputs sees its own run of channels. ``padding`` (with zeros) is ``"SAME"``,
    ``"VALID"``, a number for every side, or ``((top, bottom), (left, right))``; for another padding put
    ``nn.pad(1, mode="reflect")`` before, and ``padding="VALID"``. Parameters ``w``
    ``(kh, kw, channels / groups, width)``, drawn by ``init`` (default ``init.lecun_normal()``), and ``b``
    ``(width,)``, zeros.

    Raises:
        LayerError: the input has another number of axes, or is smaller than the window; channels or a width
            that ``groups`` does not divide; a window, stride, dilation or padding that means nothing.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.conv(4).init(jax.random.key(0), jnp.zeros((8, 8, 1)))
    >>> nn.conv(4)(params, jnp.zeros((8, 8, 1))).shape
    (8, 8, 4)
    """
    over = checked(window, stride, dilation, padding)
    divided("conv", width, groups)

    @layer
    def conv(my: Scope, x: Any) -> Any:
        return _convolved(my, x, width, over, groups, bias, init)

    return conv


@constructor
def depthwise_conv(
    window: Each = 3,
    *,
    multiplier: int = 1,
    stride: Each = 1,
    dilation: Each = 1,
    padding: Padding = "SAME",
    bias: bool = True,
    init: Any = None,
) -> Layer:
    r"""Convolve each channel by itself, with ``multiplier`` kernels: ``nn.conv`` of as many groups.

    .. math:: y_{ijo} = b_o + \sum_{uv} W_{uvo}\, x_{i s + u d, j s + v d, \lfloor o / m \rfloor}

    Input ``(height, width, channels)``, output ``(height', width', m channels)``; the arguments are those of
    ``nn.conv``. Parameters ``w`` ``(kh, kw, 1, m channels)`` and ``b`` ``(m channels,)``.

    Raises:
        LayerError: as ``nn.conv``; a multiplier that is not a positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.depthwise_conv((5,), multiplier=2).init(jax.random.key(0), jnp.zeros((8, 3)))
    >>> params["w"].shape
    (5, 1, 6)
    """
    over = checked(window, stride, dilation, padding)
    positive("depthwise_conv: multiplier", multiplier)

    @layer
    def depthwise_conv(my: Scope, x: Any) -> Any:
        channels = jnp.shape(x)[-1] if jnp.ndim(x) else 1
        return _convolved(my, x, multiplier * channels, over, channels, bias, init)

    return depthwise_conv


@constructor
def separable_conv(
    width: int,
    window: Each = 3,
    *,
    multiplier: int = 1,
    stride: Each = 1,
    dilation: Each = 1,
    padding: Padding = "SAME",
    bias: bool = True,
    init: Any = None,
) -> Layer:
    """Convolve each channel by itself, then mix the channels at each position (Chollet 2017, Xception).

    ``nn.depthwise_conv`` without bias, then a dense layer of the channels. Input
    ``(height, width, channels)``, output ``(height', width', width)``. Parameters ``depthwise/w``
    ``(kh, kw, 1, m channels)``, ``pointwise/w`` ``(m channels, width)`` and ``pointwise/b`` ``(width,)``.

    Source: https://arxiv.org/abs/1610.02357.

    Raises:
        LayerError: as ``nn.depthwise_conv``.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.separable_conv(4).init(jax.random.key(0), jnp.zeros((8, 8, 3)))
    >>> params["depthwise"]["w"].shape, params["pointwise"]["w"].shape
    ((3, 3, 1, 3), (3, 4))
    """
    how = {"stride": stride, "dilation": dilation, "padding": padding}
    return chain(
        depthwise=depthwise_conv(window, multiplier=multiplier, bias=False, init=init, **how),
        pointwise=dense(width, bias=bias, init=init),
    )


def divided(name: str, width: Any, groups: Any) -> None:
    """Refuse a width that groups do not divide."""
    positive(f"{name}: width", width)
    positive(f"{name}: groups", groups)
    if width % groups:
        raise LayerError(f"{name}: width is {width}, needs a multiple of {groups} groups")


def _convolved(my: Scope, x: Any, width: int, over: Window, groups: int, bias: bool, init: Any) -> Any:
    pads = pad_widths(my, x, over)
    x, w = weighed(my, x, width, over, groups, init)
    how = partial(convolve, strides=over.strides, dilation=over.dilation, pads=pads, groups=groups)
    y = shared(my, how, x, w)
    return y + my.param("b", (width,), inits.zeros) if bias else y


def weighed(my: Scope, x: Any, width: int, over: Window, groups: int, init: Any) -> tuple[Any, Any]:
    """Give the input and the caller's own kernel ``w``, in one dtype."""
    channels = x.shape[-1]
    if channels % groups:
        raise LayerError(f"{my._where()}: has {channels} channels, needs a multiple of {groups} groups")
    w = my.param("w", (*over.size, channels // groups, width), init or inits.lecun_normal())
    dtype = jnp.promote_types(x.dtype, w.dtype)
    return x.astype(dtype), w.astype(dtype)
