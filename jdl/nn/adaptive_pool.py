"""Pooling to a given size."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np

from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, layer
from jdl.nn.pool import first_largest
from jdl.nn.scope import Scope
from jdl.nn.spec import wide
from jdl.nn.window import Each, each, spatial


@constructor
def adaptive_average_pool(size: Each) -> Layer:
    r"""Take means over bins, so that the output has the given size.

    Output *i* of *m* is of the positions :math:`\lfloor i n / m \rfloor` up to
    :math:`\lceil (i + 1) n / m \rceil` of *n* along each axis, as in PyTorch; neighbouring bins may share a
    position. The length of ``size`` is the number of spatial axes; a number means two. Input
    ``(height, width, channels)``, output ``(*size, channels)``. Sums are in float32.

    Raises:
        LayerError: the input has another number of axes; a size that is not made of positive integers.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.adaptive_average_pool((2,))({}, jnp.arange(3.0)[:, None])[:, 0].tolist()
    [0.5, 1.5]
    """
    counts = each("size", size)

    @layer
    def adaptive_average_pool(my: Scope, x: Any) -> Any:
        return _along_axes(my, _mean, wide(x), counts).astype(jnp.result_type(x, 0.0))

    return adaptive_average_pool


@constructor
def adaptive_max_pool(size: Each) -> Layer:
    """Take the largest element of bins, so that the output has the given size.

    The bins are those of ``nn.adaptive_average_pool``. Input ``(height, width, channels)``, output
    ``(*size, channels)``. The gradient goes to the first of equal largest elements, or is shared among them
    along an axis that the size divides.

    Raises:
        LayerError: the input has another number of axes; a size that is not made of positive integers.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.adaptive_max_pool((2,))({}, jnp.arange(3.0)[:, None])[:, 0].tolist()
    [1.0, 2.0]
    """
    counts = each("size", size)

    @layer
    def adaptive_max_pool(my: Scope, x: Any) -> Any:
        return _along_axes(my, _largest, x, counts)

    return adaptive_max_pool


def _along_axes(my: Scope, pooled: Callable[..., Any], x: Any, counts: tuple[int, ...]) -> Any:
    spatial(my, x, len(counts))
    for axis, count in enumerate(counts):
        x = pooled(x, axis, count)
    return x


def _mean(x: Any, axis: int, count: int) -> Any:
    if x.shape[axis] % count == 0:
        return _cut(x, axis, count).mean(axis + 1)
    places, real = _bins(x.shape[axis], count)
    beside = [1 if i != axis else count for i in range(x.ndim)]
    total = sum(
        jnp.where(real[:, i].reshape(beside), jnp.take(x, places[:, i], axis), 0)
        for i in range(places.shape[1])
    )
    return total / real.sum(1, dtype=np.float32).reshape(beside)


def _largest(x: Any, axis: int, count: int) -> Any:
    if x.shape[axis] % count == 0:
        return _cut(x, axis, count).max(axis + 1)
    places, _ = _bins(x.shape[axis], count)
    return reduce(first_largest, [jnp.take(x, column, axis) for column in places.T])


def _cut(x: Any, axis: int, count: int) -> Any:
    return x.reshape(*x.shape[:axis], count, -1, *x.shape[axis + 1 :])


def _bins(n: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the positions in each bin, as many as in the longest, and which of them are not its last repeated.

    One gather for each column is 10 times as fast on a CPU as one for all and a sum over them.
    """
    i = np.arange(count)
    starts, ends = i * n // count, -(-(i + 1) * n // count)
    places = starts[:, None] + np.arange((ends - starts).max())
    return np.minimum(places, ends[:, None] - 1), places < ends[:, None]
