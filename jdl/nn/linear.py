"""Dense layers and embeddings."""

from typing import Any

import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.product import rows_by_matrix, shared
from jdl.nn.scope import Scope


@constructor
def dense(width: int, *, bias: bool = True, init: Any = None) -> Layer:
    r"""Affine map of the last axis: :math:`y = x W + b`.

    Input ``(…, n)``, output ``(…, width)``; parameters ``w`` ``(n, width)``, drawn by ``init`` (default
    ``init.lecun_normal()``), and ``b`` ``(width,)``, zeros.

    Raises:
        LayerError: the input is a scalar; a width that is not a positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.dense(2).init(jax.random.key(0), jnp.zeros(3))
    >>> nn.dense(2)(params, jnp.zeros(3)).tolist()
    [0.0, 0.0]
    """
    positive("dense: width", width)

    @layer
    def dense(my: Scope, x: Any) -> Any:
        return affine(my, x, width, bias, init)

    return dense


def affine(my: Scope, x: Any, width: int, bias: bool, init: Any) -> Any:
    """Compute ``x w + b`` with the caller's own ``w`` and ``b``."""
    if jnp.ndim(x) == 0:
        raise LayerError(f"{my._where()}: has shape (), needs (…, n): a vector, not a scalar")
    w = my.param("w", (x.shape[-1], width), init or inits.lecun_normal())
    y = x @ w if x.ndim == 1 else shared(my, rows_by_matrix, x, w)
    return y + my.param("b", (width,), inits.zeros) if bias else y


@constructor
def embed(count: int, width: int, *, init: Any = None) -> Layer:
    r"""Look up a learned vector for each integer: :math:`y = W_x`.

    Input: integers of any shape ``s`` in ``[0, count)``; output ``(*s, width)``; parameter ``w``
    ``(count, width)``, drawn by ``init`` (default: normal of variance ``1 / width``). An integer outside the
    range gives NaN, which stops training with an error, rather than another row's vector.

    Raises:
        LayerError: the input is not an integer; a count or width that is not a positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.embed(10, 4).init(jax.random.key(0), jnp.zeros(3, int))
    >>> nn.embed(10, 4)(params, jnp.arange(3)).shape
    (3, 4)
    """
    positive("embed: count", count)
    positive("embed: width", width)
    init = init or inits.normal(width**-0.5)

    @layer
    def embed(my: Scope, x: Any) -> Any:
        if not jnp.issubdtype(jnp.result_type(x), jnp.integer):
            raise LayerError(f"{my._where()}: has dtype {jnp.result_type(x)}, needs an integer")
        w = my.param("w", (count, width), init)
        return w.at[x].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)

    return embed


def flatten(x: Any) -> Any:
    """Lay all axes of one example out as one.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.flatten(jnp.zeros((4, 4, 2))).shape
    (32,)
    """
    return jnp.reshape(x, -1)


def positive(what: str, value: Any) -> None:
    """Refuse what is not a positive integer."""
    if not isinstance(value, int) or value < 1:
        raise LayerError(f"{what} is {value!r}, needs a positive integer")
