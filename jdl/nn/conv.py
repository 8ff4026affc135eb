"""Convolutions."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.product import rows_by_matrix, shared
from jdl.nn.scope import Scope

Pair = tuple[int, int]
Padding = str | int | tuple[Pair, Pair]


@constructor
def conv(
    width: int,
    window: int | Pair = 3,
    *,
    stride: int | Pair = 1,
    dilation: int | Pair = 1,
    padding: Padding = "SAME",
    bias: bool = True,
    init: Any = None,
) -> Layer:
    r"""2-D convolution (cross-correlation) with stride *s* and dilation *d*.

    .. math:: y_{ijo} = b_o + \sum_{uvc} W_{uvco}\, x_{i s + u d, j s + v d, c}

    Input ``(height, width, channels)``, output ``(height', width', width)``; ``padding`` (with zeros) is
    ``"SAME"``, ``"VALID"``, a number for every side, or ``((top, bottom), (left, right))``. Parameters
    ``w`` ``(kh, kw, channels, width)``, drawn by ``init`` (default ``init.lecun_normal()``), and ``b``
    ``(width,)``, zeros.

    Raises:
        LayerError: the input is not ``(height, width, channels)`` or smaller than the window; a window,
            stride, dilation or padding that means nothing.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.conv(4).init(jax.random.key(0), jnp.zeros((8, 8, 1)))
    >>> nn.conv(4)(params, jnp.zeros((8, 8, 1))).shape
    (8, 8, 4)
    """
    size, strides, steps = pair("window", window), pair("stride", stride), pair("dilation", dilation)
    how = checked_padding(padding)
    init = init or inits.lecun_normal()

    @layer
    def conv(my: Scope, x: Any) -> Any:
        pads = pad_widths(my, x, how, size, strides, steps)
        w = my.param("w", (*size, x.shape[-1], width), init)
        dtype = jnp.promote_types(x.dtype, w.dtype)
        x, w = x.astype(dtype), w.astype(dtype)
        if size == (1, 1) and not any(sum(pads, ())):
            y = shared(my, rows_by_matrix, x[:: strides[0], :: strides[1]], w[0, 0])
        else:
            convolve = _on_cpu if jax.default_backend() == "cpu" else by_xla
            y = convolve(x[None], w, strides, steps, pads)[0]
        return y + my.param("b", (width,), inits.zeros) if bias else y

    return conv


NHWC = ("NHWC", "HWIO", "NHWC")


def by_xla(xs: Any, w: Any, strides: Pair, dilation: Pair, pads: Any, layout: Any = NHWC) -> Any:
    """Convolve images ``(b, h, w, c)`` with ``(kh, kw, c, o)``."""
    return jax.lax.conv_general_dilated(xs, w, strides, pads, rhs_dilation=dilation, dimension_numbers=layout)


def _on_cpu(xs: Any, w: Any, strides: Pair, dilation: Pair, pads: Any) -> Any:
    if xs.shape[-1] > 1 and xs.shape[-1] % 2:  # XLA is up to twice as fast for an even number of channels
        xs, w = jnp.pad(xs, ((0, 0),) * 3 + ((0, 1),)), jnp.pad(w, ((0, 0),) * 2 + ((0, 1), (0, 0)))
    return by_plain_layouts(xs, w, strides, dilation, pads)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4))
def by_plain_layouts(xs: Any, w: Any, strides: Pair, dilation: Pair, pads: Any) -> Any:
    """Convolve like ``by_xla``; the reverse mode's convolutions have the layouts that XLA:CPU is fast in.

    A tangent's layouts are chosen so that its transpose, which the reverse mode runs, is a convolution
    of NHWC images with an HWIO kernel. With the layouts that JAX chooses, XLA's gradient by the kernel is 10
    to 45 times slower inside a loop body, where a training run spends its time.
    """
    return by_xla(xs, w, strides, dilation, pads)


@by_plain_layouts.defjvp
def _tangent(strides: Pair, dilation: Pair, pads: Any, primals: tuple, tangents: tuple) -> tuple:
    (xs, w), (dx, dw), how = primals, tangents, (strides, dilation, pads)
    along_x = by_xla(dx, w.transpose(0, 1, 3, 2), *how, ("NHWC", "HWOI", "NHWC"))
    along_w = by_xla(xs.transpose(3, 1, 2, 0), dw.transpose(2, 0, 1, 3), *how, ("CHWN", "IHWO", "HWNC"))
    return by_xla(xs, w, *how), along_x + along_w.transpose(2, 0, 1, 3)


def pair(name: str, value: int | Pair) -> Pair:
    """Read a number for both axes, or one for each."""
    both = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(both) != 2 or not all(isinstance(each, int) and each > 0 for each in both):
        raise LayerError(f"{name} is {value!r}, needs a positive integer or two: (rows, columns)")
    return both


def checked_padding(padding: Any) -> str | tuple[Pair, Pair]:
    """Give a padding as ``"SAME"``, ``"VALID"`` or ``((top, bottom), (left, right))``."""
    if padding in ("SAME", "VALID"):
        return padding
    widths = ((padding, padding),) * 2 if isinstance(padding, int) else padding
    nested = isinstance(widths, Sequence) and all(isinstance(side, Sequence) for side in widths)
    if nested and [len(side) for side in widths] == [2, 2]:
        (top, bottom), (left, right) = widths
        if all(isinstance(each, int) and each >= 0 for each in (top, bottom, left, right)):
            return (top, bottom), (left, right)
    raise LayerError(
        f"padding is {padding!r}, needs 'SAME', 'VALID', a number, or ((top, bottom), (left, right))"
    )


def pad_widths(
    my: Scope, x: Any, padding: str | tuple[Pair, Pair], size: Pair, strides: Pair, dilation: Pair
) -> tuple[Pair, Pair]:
    """Check an image and give its padding as ``((top, bottom), (left, right))``."""
    if jnp.ndim(x) != 3:
        raise LayerError(
            f"{my._where()}: has shape {jnp.shape(x)}, needs (height, width, channels); "
            "one example, without a batch axis (nn.batched maps a batch)"
        )
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    if isinstance(padding, str):
        rows, columns = jax.lax.padtype_to_pads(x.shape[:2], reach, strides, padding)
        pads = rows, columns
    else:
        pads = padding
    padded = tuple(n + low + high for n, (low, high) in zip(x.shape[:2], pads, strict=True))
    if padded[0] < reach[0] or padded[1] < reach[1]:
        raise LayerError(
            f"{my._where()}: has height and width {padded}, padding included; "
            f"the window needs at least {tuple(reach)}"
        )
    return pads
