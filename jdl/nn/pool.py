"""Pooling over windows, and over everything."""

from collections.abc import Callable
from functools import reduce
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.lax import slice_in_dim

from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.scope import Scope
from jdl.nn.spec import wide
from jdl.nn.window import Each, Padding, Pair, Window, checked, pad_widths, tiles


@constructor
def max_pool(
    window: Each, *, stride: Each | None = None, dilation: Each = 1, padding: Padding = "VALID"
) -> Layer:
    """Take the largest element of each window; ``stride`` is the window unless given.

    The length of ``window`` is the number of spatial axes; a number means two. Input
    ``(height, width, channels)``, output ``(height', width', channels)``. Padding never wins. Rows and
    columns that fill no window are left out. The gradient goes to the first of equal largest elements when
    windows overlap or are padded, and is shared among them when not. NaN is larger than any number.

    Raises:
        LayerError: the input has another number of axes, or is smaller than the window; padding as wide as
            the window, of which some output would be the maximum of nothing.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.max_pool(2)({}, jnp.arange(16.0).reshape(4, 4, 1))[..., 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    over = checked(window, window if stride is None else stride, dilation, padding)
    how, size = over.padding, over.size
    if not isinstance(how, str) and any(max(p) >= k for p, k in zip(how, size, strict=True)):
        raise LayerError(f"max_pool: padding {how} must be smaller than the window {size}")

    @layer
    def max_pool(my: Scope, x: Any) -> Any:
        pads = pad_widths(my, x, over)
        if _never_overlap(over, pads):
            return tiles(x, size).max(_within(over))
        if not np.all(_seen(x.shape[:-1], over, pads)):
            raise LayerError(
                f"{my._where()}: padding {pads} and dilation {over.dilation} leave a window empty"
            )
        lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
        return _reduced(x, over, pads, lowest, first_largest)

    return max_pool


def first_largest(x: Any, y: Any) -> Any:
    """Give the larger of two, the first of equals; NaN is larger than any number."""
    return jnp.where((y > x) | (y != y), y, x)


@constructor
def average_pool(
    window: Each, *, stride: Each | None = None, padding: Padding = "VALID", count_padding: bool = True
) -> Layer:
    """Take the mean of each window; ``stride`` is the window unless given.

    The length of ``window`` is the number of spatial axes; a number means two. Input
    ``(height, width, channels)``, output ``(height', width', channels)``. Padding counts as zeros, or with
    ``count_padding=False`` not at all. Rows and columns that fill no window are left out. Sums are in
    float32.

    Raises:
        LayerError: the input has another number of axes, or is smaller than the window.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.average_pool(2)({}, jnp.arange(16.0).reshape(4, 4, 1))[..., 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    over = checked(window, window if stride is None else stride, 1, padding)

    @layer
    def average_pool(my: Scope, x: Any) -> Any:
        pads = pad_widths(my, x, over)
        seen = prod(over.size) if count_padding else np.maximum(_seen(x.shape[:-1], over, pads), 1)
        return (_sums(x, over, pads) / seen).astype(jnp.result_type(x, 0.0))

    return average_pool


@constructor
def lp_pool(norm: Any, window: Each, *, stride: Each | None = None, padding: Padding = "VALID") -> Layer:
    r"""Take the *p*-norm of each window, :math:`(\sum |x|^p)^{1/p}`; ``stride`` is the window unless given.

    The length of ``window`` is the number of spatial axes; a number means two. Input
    ``(height, width, channels)``, output ``(height', width', channels)``. The norm *p*, above zero, may be
    traced. Where a window is all zeros the gradient is zero. Sums are in float32. PyTorch's ``LPPool2d``
    takes no absolute values: it differs for an odd norm of negative numbers.

    Raises:
        LayerError: the input has another number of axes, or is smaller than the window; a norm that is not
            above zero, where it is a Python number.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.lp_pool(2, (2,))({}, jnp.array([[3.0], [4.0], [0.0], [0.0]])).tolist()
    [[5.0], [0.0]]
    """
    over = checked(window, window if stride is None else stride, 1, padding)
    if isinstance(norm, int | float) and not norm > 0:
        raise LayerError(f"lp_pool: norm is {norm}, needs a number above zero")

    @layer
    def lp_pool(my: Scope, x: Any) -> Any:
        pads = pad_widths(my, x, over)
        total = _sums(_power(jnp.abs(wide(x)), norm), over, pads)
        return _power(total, 1 / norm).astype(jnp.result_type(x, 0.0))

    return lp_pool


def _power(x: Any, exponent: Any) -> Any:
    """Raise to a power, with the gradient zero at zero, where that of a root is infinite."""
    return jnp.where(x > 0, jnp.where(x > 0, x, 1.0) ** exponent, 0.0 * x)


def global_average_pool(x: Any) -> Any:
    """Take the mean over all axes but the last: ``(height, width, channels)`` to ``(channels,)``.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.global_average_pool(jnp.arange(6.0).reshape(3, 1, 2)).tolist()
    [2.0, 3.0]
    """
    return jnp.mean(x, tuple(range(jnp.ndim(x) - 1)))


def global_max_pool(x: Any) -> Any:
    """Take the largest element over all axes but the last: ``(height, width, channels)`` to ``(channels,)``.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.global_max_pool(jnp.arange(6.0).reshape(3, 1, 2)).tolist()
    [4.0, 5.0]
    """
    return jnp.max(x, tuple(range(jnp.ndim(x) - 1)))


def _never_overlap(over: Window, pads: tuple[Pair, ...]) -> bool:
    return over.strides == over.size and over.size == over.reach and not any(sum(pads, ()))


def _within(over: Window) -> tuple[int, ...]:
    """Give the axes within the windows of ``tiles``."""
    return tuple(range(1, 2 * len(over.size), 2))


def _sums(x: Any, over: Window, pads: tuple[Pair, ...]) -> Any:
    if _never_overlap(over, pads):
        return tiles(wide(x), over.size).sum(_within(over))
    return _reduced(wide(x), over, pads, 0.0, jnp.add)


def _reduced(
    x: Any, over: Window, pads: tuple[Pair, ...], padding: Any, combine: Callable[[Any, Any], Any]
) -> Any:
    """Reduce the windows along one axis after the other, the last first, by combining shifted slices.

    XLA fuses the slices to one pass. Its own window reduction is 2 to 8 times slower on a CPU, forward and
    backward: the gradient of a maximum runs through a scatter.
    """
    for axis in reversed(range(len(pads))):
        ends = [pads[axis] if i == axis else (0, 0) for i in range(x.ndim)]
        x = jnp.pad(x, ends, constant_values=padding)
        k, stride, d = over.size[axis], over.strides[axis], over.dilation[axis]
        last = (x.shape[axis] - over.reach[axis]) // stride * stride
        x = reduce(combine, [slice_in_dim(x, i * d, i * d + last + 1, stride, axis) for i in range(k)])
    return x


def _seen(lengths: tuple[int, ...], over: Window, pads: tuple[Pair, ...]) -> np.ndarray:
    """Count the elements in each window that are not padding; the last axis is one long."""
    counts = np.ones((), np.float32)
    for n, k, s, d, span, (low, high) in zip(lengths, *over[:3], over.reach, pads, strict=True):
        places = np.arange(-low, n + high - span + 1, s)[:, None] + d * np.arange(k)
        counts = np.multiply.outer(counts, ((places >= 0) & (places < n)).sum(1))
    return counts[..., None].astype(np.float32)
