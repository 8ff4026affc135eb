"""Dropout."""

from math import prod
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.scope import Scope

LANES = 65536  # values of 16 random bits


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
    if isinstance(rate, int | float) and not 0 <= rate < 1:
        raise LayerError(f"dropout: rate is {rate}, needs a number in [0, 1): the share of elements to drop")

    @layer
    def dropout(my: Scope, x: Any) -> Any:
        key = my.key()
        if key is None:
            return x
        # 16 random bits an element: half the work of 32, which is most of dropout's time on a CPU.
        share = jnp.asarray(rate, jnp.float32)
        share = jnp.where((share >= 0) & (share < 1), share, jnp.nan)
        dropped = jnp.minimum(jnp.round(share * LANES), LANES - 1)
        scale = (LANES / (LANES - dropped)).astype(jnp.result_type(x, 0.0))
        return jnp.where(_lanes(key, x.shape).astype(jnp.float32) < dropped, 0, x * scale)

    return dropout


def _lanes(key: Any, shape: tuple[int, ...]) -> Any:
    """Draw a 16-bit integer for each element, two from each 32-bit word."""
    size = prod(shape)
    words = jax.random.bits(key, ((size + 1) // 2,), jnp.uint32)
    return jax.lax.bitcast_convert_type(words, jnp.uint16).reshape(-1)[:size].reshape(shape)
