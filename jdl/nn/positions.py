"""Where a position is: tables added to the input, rotations of queries and keys, biases by distance."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jdl.nn import init as inits
from jdl.nn.carry import kept, sequence
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.linear import positive
from jdl.nn.scope import Scope


@constructor
def sinusoidal_positions(*, base: Any = 10_000.0) -> Layer:
    r"""Add waves of the position :math:`t`, one sine and one cosine of each of ``n / 2`` frequencies.

    .. math:: y_{t,2i} = x_{t,2i} + \sin(t / b^{2i/n}), \quad y_{t,2i+1} = x_{t,2i+1} + \cos(t / b^{2i/n})

    Input and output ``(length, n)``; :math:`b` is ``base``, which may be traced. While decoding with a cache
    positions continue from those before: the cache holds how many they were, ``index``.

    Source: Vaswani et al. 2017, section 3.5, https://arxiv.org/abs/1706.03762.

    Raises:
        LayerError: the input is not ``(length, n)``.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.sinusoidal_positions()({}, jnp.zeros((2, 4))).round(2).tolist()
    [[0.0, 1.0, 0.0, 1.0], [0.84, 0.54, 0.01, 1.0]]
    """

    @layer
    def sinusoidal_positions(my: Scope, x: Any) -> Any:
        length, n = sequence(my, x)
        start = continued(my, length)
        dtype = jnp.promote_types(x.dtype, jnp.float32)
        column = jnp.arange(n)
        frequency = base ** (-(column - column % 2).astype(dtype) / n)
        angle = _positions(start, length).astype(dtype)[:, None] * frequency
        return (x + jnp.where(column % 2, jnp.cos(angle), jnp.sin(angle))).astype(jnp.result_type(x, 0.0))

    return sinusoidal_positions


@constructor
def learned_positions(max_length: int, *, init: Any = None) -> Layer:
    r"""Add a learned vector for each position: :math:`y_t = x_t + W_t`.

    Input and output ``(length, n)``, ``length`` at most ``max_length``; parameter ``w`` ``(max_length, n)``,
    drawn by ``init`` (default ``init.normal(0.02)``). While decoding with a cache positions continue from
    those before: the cache holds how many they were, ``index``; a position beyond the table gives NaN.

    Source: Gehring et al. 2017, https://arxiv.org/abs/1705.03122.

    Raises:
        LayerError: the input is not ``(length, n)``, or longer; a maximum that is not a positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.learned_positions(8).init(jax.random.key(0), jnp.zeros((5, 4)))
    >>> params["w"].shape, nn.learned_positions(8)(params, jnp.zeros((5, 4))).shape
    ((8, 4), (5, 4))
    """
    positive("learned_positions: max_length", max_length)

    @layer
    def learned_positions(my: Scope, x: Any) -> Any:
        length, n = sequence(my, x)
        if length > max_length:
            raise LayerError(f"{my._where()}: has length {length}, needs at most {max_length}")
        w = my.param("w", (max_length, n), init or inits.normal(0.02))
        start = continued(my, length)
        if start is None:
            return x + w[:length]
        return x + w.at[_positions(start, length)].get(mode="fill", fill_value=jnp.nan)

    return learned_positions


def rotary(x: Any, positions: Any, *, base: Any = 10_000.0) -> Any:
    r"""Rotate pairs of elements by angles that grow with the position :math:`t`.

    .. math:: (y_i, y_{i+d/2}) = R(t\, b^{-2i/d})\, (x_i, x_{i+d/2})

    so that the product of a rotated query and a rotated key depends on their distance alone. ``x``
    ``(length, …, d)``, ``positions`` ``(length,)``; ``base`` :math:`b` may be traced. Element :math:`i` is
    paired with :math:`i + d/2` ("half-split", as in GPT-NeoX and Llama), not with its neighbour as in the
    paper: with random weights that is a renaming, weights trained with the other order need theirs permuted.
    For a part of the elements, rotate that part. Angles are computed in float32 or wider.

    Source: Su et al. 2021, https://arxiv.org/abs/2104.09864.

    Raises:
        LayerError: ``x`` is not ``(length, …, d)`` with ``d`` even.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.rotary(jnp.ones((2, 2)), jnp.array([0, 1])).round(2).tolist()
    [[1.0, 1.0], [-0.3, 1.38]]
    """
    if jnp.ndim(x) < 2 or x.shape[-1] % 2:
        raise LayerError(f"rotary: has shape {jnp.shape(x)}, needs (length, …, d), d even")
    d, dtype = x.shape[-1], jnp.promote_types(x.dtype, jnp.float32)
    frequency = base ** (-jnp.arange(0, d, 2, dtype) / d)
    angle = jnp.asarray(positions, dtype).reshape(-1, *[1] * (x.ndim - 1)) * frequency
    sin, cos = jnp.sin(angle), jnp.cos(angle)
    first, second = jnp.split(x.astype(dtype), 2, -1)
    turned = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], -1)
    return turned.astype(x.dtype)


def alibi_slopes(heads: int) -> np.ndarray:
    r"""Give how steeply each head's scores fall with distance: :math:`2^{-8i/h}` for :math:`i = 1 … h`.

    For a number of heads that is no power of two: those of the power below, then every second one of the
    power above, as in the reference implementation, https://github.com/ofirpress/attention_with_linear_biases.
    """
    power = 1 << (heads.bit_length() - 1)
    slopes = lambda count: 2.0 ** (-8.0 * np.arange(1, count + 1) / count)
    return np.concatenate([slopes(power), slopes(2 * power)[::2][: heads - power]])


def continued(my: Scope, count: int) -> Any:
    """Give the number of positions decoded before these ``count``, or None in a pass without a cache."""
    start = kept(my, "index", (), jnp.int32)
    if start is not None:
        my.store(index=start + count)
    return start


def _positions(start: Any, length: int) -> Any:
    return jnp.arange(length) + (0 if start is None else start)
