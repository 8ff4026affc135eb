"""Initializers: ``init(key, shape, dtype) -> array``, values that print, compare and pickle as their call."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jdl.nn.constructor import Built, constructor


class Initializer(Built):
    """How a parameter begins: called as ``init(key, shape, dtype)``."""

    __slots__ = ("_draw",)

    def __init__(self, draw: Callable[..., Any], name: str):
        super().__init__(name, __name__)
        self._draw = draw

    def renamed(self, name: str) -> "Initializer":
        return Initializer(self._draw, name)

    def __call__(self, key: Any, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        return self._draw(key, shape, dtype)


zeros = Initializer(lambda key, shape, dtype: jnp.zeros(shape, dtype), "zeros")
ones = Initializer(lambda key, shape, dtype: jnp.ones(shape, dtype), "ones")


@constructor
def constant(value: float) -> Initializer:
    """Fill with ``value``.

    >>> import jax
    >>> from jdl import nn
    >>> nn.init.constant(0.5)(jax.random.key(0), (2,)).tolist()
    [0.5, 0.5]
    """
    return Initializer(lambda key, shape, dtype: jnp.full(shape, value, dtype), "constant")


@constructor
def normal(stddev: float = 1.0) -> Initializer:
    r"""Draw from :math:`\mathcal{N}(0, \text{stddev}^2)`.

    >>> import jax
    >>> from jdl import nn
    >>> nn.init.normal(0.02)(jax.random.key(0), (3, 4)).shape
    (3, 4)
    """
    return Initializer(lambda key, shape, dtype: stddev * jax.random.normal(key, shape, dtype), "normal")


@constructor
def uniform(low: float = -1.0, high: float = 1.0) -> Initializer:
    """Draw uniformly from ``[low, high)``.

    >>> import jax
    >>> from jdl import nn
    >>> nn.init.uniform(2, 3)(jax.random.key(0), (3,)).astype(int).tolist()
    [2, 2, 2]
    """
    draw = lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, low, high)
    return Initializer(draw, "uniform")


@constructor
def variance_scaling(
    scale: float,
    mode: Literal["fan_in", "fan_out", "fan_avg"],
    distribution: Literal["truncated_normal", "normal", "uniform"],
) -> Initializer:
    """Draw with variance ``scale / fan``, for weights laid out ``(window…, inputs, outputs)``.

    ``fan_in`` is the inputs times the window's size, ``fan_out`` the outputs times it, ``fan_avg`` the mean.
    A truncated normal ends at two standard deviations of the normal it is cut from, and is widened to have
    the variance all the same. See ``jax.nn.initializers.variance_scaling``.

    >>> from jdl import nn
    >>> nn.init.variance_scaling(2.0, "fan_out", "uniform")
    variance_scaling(2.0, 'fan_out', 'uniform')
    """
    return Initializer(jax.nn.initializers.variance_scaling(scale, mode, distribution), "variance_scaling")


@constructor
def lecun_normal() -> Initializer:
    """Truncated normal of variance ``1 / fan_in`` (LeCun et al. 1998).

    >>> from jdl import nn
    >>> nn.dense(8, init=nn.init.lecun_normal())
    dense(8, init=lecun_normal())
    """
    return Initializer(jax.nn.initializers.lecun_normal(), "lecun_normal")


@constructor
def he_normal() -> Initializer:
    """Truncated normal of variance ``2 / fan_in`` (He et al. 2015), for ReLU networks.

    >>> from jdl import nn
    >>> nn.dense(8, init=nn.init.he_normal())
    dense(8, init=he_normal())
    """
    return Initializer(jax.nn.initializers.he_normal(), "he_normal")


@constructor
def glorot_uniform() -> Initializer:
    """Uniform of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio 2010).

    >>> from jdl import nn
    >>> nn.dense(8, init=nn.init.glorot_uniform())
    dense(8, init=glorot_uniform())
    """
    return Initializer(jax.nn.initializers.glorot_uniform(), "glorot_uniform")


random_signs = Initializer(
    lambda key, shape, dtype: jax.random.rademacher(key, shape, jnp.int32).astype(dtype), "random_signs"
)


@constructor
def chunked(init: Any, chunks: tuple[int, ...], *, axis: int = -1) -> Initializer:
    """Draw by ``init`` one value for each chunk of ``axis``, and repeat it over the chunk.

    ``chunks`` are the chunks' lengths, in order; they add up to the length of the axis.

    >>> import jax
    >>> from jdl import nn
    >>> drawn = nn.init.chunked(nn.init.normal(), (2, 3))(jax.random.key(0), (4, 5))
    >>> bool((drawn[:, 0] == drawn[:, 1]).all()), bool((drawn[:, 1] == drawn[:, 2]).any())
    (True, False)
    """
    lengths = np.array(chunks, int)

    def draw(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        if lengths.sum() != shape[axis]:
            raise ValueError(
                f"init.chunked: chunks add up to {lengths.sum()}, needs {shape[axis]} of {shape}"
            )
        few = list(shape)
        few[axis] = len(lengths)
        return jnp.repeat(init(key, tuple(few), dtype), lengths, axis, total_repeat_length=shape[axis])

    return Initializer(draw, "chunked")
