"""Pooling over windows of an image."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn.constructor import constructor
from jdl.nn.conv import Padding, Pair, checked_padding, pad_widths, pair
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.scope import Scope


@constructor
def max_pool(window: int | Pair, *, stride: int | Pair | None = None, padding: Padding = "VALID") -> Layer:
    """Take the largest element of each window; ``stride`` is the window unless given.

    Input ``(height, width, channels)``, output ``(height', width', channels)``. Padding never wins. Rows and
    columns that fill no window are left out. The gradient goes to one of equal largest elements when windows
    overlap or are padded, and is shared among them when not.

    Raises:
        LayerError: the input is not ``(height, width, channels)`` or smaller than the window; padding as wide
            as the window, of which some output would be the maximum of nothing.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.max_pool(2)({}, jnp.arange(16.0).reshape(4, 4, 1))[..., 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    size, strides, how = _settings(window, stride, padding)
    if not isinstance(how, str) and any(max(p) >= k for p, k in zip(how, size, strict=True)):
        raise LayerError(f"max_pool: padding {how} must be smaller than the window {size}")

    @layer
    def max_pool(my: Scope, x: Any) -> Any:
        pads = pad_widths(my, x, how, size, strides, (1, 1))
        if strides == size and not any(sum(pads, ())):
            return _tiles(x, size).max((1, 3))
        lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
        return jax.lax.reduce_window(x, lowest, jax.lax.max, (*size, 1), (*strides, 1), (*pads, (0, 0)))

    return max_pool


@constructor
def average_pool(
    window: int | Pair, *, stride: int | Pair | None = None, padding: Padding = "VALID"
) -> Layer:
    """Take the mean of each window; ``stride`` is the window unless given. Padding counts as zeros.

    Input ``(height, width, channels)``, output ``(height', width', channels)``. Rows and columns that fill no
    window are left out. Sums are in float32.

    Raises:
        LayerError: the input is not ``(height, width, channels)`` or smaller than the window.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.average_pool(2)({}, jnp.arange(16.0).reshape(4, 4, 1))[..., 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    size, strides, how = _settings(window, stride, padding)

    @layer
    def average_pool(my: Scope, x: Any) -> Any:
        pads = pad_widths(my, x, how, size, strides, (1, 1))
        if strides == size and not any(sum(pads, ())):
            return _tiles(x, size).mean((1, 3))
        y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        total = jax.lax.reduce_window(y, 0.0, jax.lax.add, (*size, 1), (*strides, 1), (*pads, (0, 0)))
        return (total / (size[0] * size[1])).astype(jnp.result_type(x, 0.0))

    return average_pool


def _settings(
    window: int | Pair, stride: int | Pair | None, padding: Padding
) -> tuple[Pair, Pair, str | tuple[Pair, Pair]]:
    size = pair("window", window)
    return size, size if stride is None else pair("stride", stride), checked_padding(padding)


def _tiles(x: Any, size: Pair) -> Any:
    """Cut an image into windows that do not overlap: a reshape, far cheaper than a window reduction."""
    rows, columns = x.shape[0] // size[0], x.shape[1] // size[1]
    whole = x[: rows * size[0], : columns * size[1]]
    return whole.reshape(rows, size[0], columns, size[1], x.shape[2])
