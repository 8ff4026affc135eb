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
    w = my.param("w", (last_axis(my, x), width), init or inits.lecun_normal())
    y = product(my, x, w)
    return y + my.param("b", (width,), inits.zeros) if bias else y


def product(my: Scope, x: Any, w: Any) -> Any:
    """Multiply the last axis by the matrix ``w``, as one product for a whole batch."""
    return x @ w if x.ndim == 1 else shared(my, rows_by_matrix, x, w)


def last_axis(my: Scope, x: Any) -> int:
    """Give the length of the last axis, or refuse a scalar."""
    if jnp.ndim(x) == 0:
        raise LayerError(f"{my._where()}: has shape (), needs (…, n): a vector, not a scalar")
    return x.shape[-1]


@constructor
def low_rank_dense(width: int, rank: int, *, bias: bool = True, init: Any = None) -> Layer:
    r"""Affine map of the last axis by a matrix of low rank: :math:`y = x U V + b`.

    Input ``(…, n)``, output ``(…, width)``; parameters ``u`` ``(n, rank)`` and ``v`` ``(rank, width)``, each
    drawn by ``init`` (default ``init.lecun_normal()``), and ``b`` ``(width,)``, zeros. Cheaper than ``dense``
    where ``rank`` is below ``n * width / (n + width)``.

    Source: Sainath et al. 2013, https://doi.org/10.1109/ICASSP.2013.6638949.

    Raises:
        LayerError: the input is a scalar; a width or rank that is not a positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.low_rank_dense(4, 2).init(jax.random.key(0), jnp.zeros(3))
    >>> jax.tree.map(jnp.shape, params)
    {'b': (4,), 'u': (3, 2), 'v': (2, 4)}
    """
    positive("low_rank_dense: width", width)
    positive("low_rank_dense: rank", rank)
    init = init or inits.lecun_normal()

    @layer
    def low_rank_dense(my: Scope, x: Any) -> Any:
        n = last_axis(my, x)
        u, v = my.param("u", (n, rank), init), my.param("v", (rank, width), init)
        y = product(my, product(my, x, u), v)
        return y + my.param("b", (width,), inits.zeros) if bias else y

    return low_rank_dense


@constructor
def bilinear(width: int, *, bias: bool = True, init: Any = None) -> Layer:
    r"""Map two inputs by a matrix for each output: :math:`y_o = x^\top W_o\, z + b_o`.

    Inputs ``(…, n)`` and ``(…, m)`` of equal leading axes, output ``(…, width)``; parameters ``w``
    ``(n, m, width)``, drawn by ``init`` (default ``init.lecun_normal()``), and ``b`` ``(width,)``, zeros.

    Raises:
        LayerError: an input is a scalar, or their leading axes differ; a width that is no positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.bilinear(1).init(jax.random.key(0), jnp.zeros(2), jnp.zeros(3))
    >>> nn.bilinear(1)(params | {"w": jnp.ones((2, 3, 1))}, jnp.ones(2), jnp.ones(3)).tolist()
    [6.0]
    """
    positive("bilinear: width", width)
    init = init or inits.lecun_normal()

    @layer
    def bilinear(my: Scope, x: Any, z: Any) -> Any:
        n, m = last_axis(my, x), last_axis(my, z)
        if x.shape[:-1] != z.shape[:-1]:
            raise LayerError(f"{my._where()}: has shapes {x.shape} and {z.shape}, needs equal leading axes")
        w = my.param("w", (n, m, width), init)
        pairs = (x[..., :, None] * z[..., None, :]).reshape(*x.shape[:-1], n * m)  # so it is one product
        y = product(my, pairs, w.reshape(n * m, width))
        return y + my.param("b", (width,), inits.zeros) if bias else y

    return bilinear


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

    @layer
    def embed(my: Scope, x: Any) -> Any:
        return _looked_up(my, x, (count, width), init)

    return embed


def _looked_up(my: Scope, x: Any, table: tuple[int, int], init: Any) -> Any:
    if not jnp.issubdtype(jnp.result_type(x), jnp.integer):
        raise LayerError(f"{my._where()}: has dtype {jnp.result_type(x)}, needs an integer")
    w = my.param("w", table, init or inits.normal(table[1] ** -0.5))
    return w.at[x].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)


BAGS = ("sum", "mean", "max")


@constructor
def embedding_bag(count: int, width: int, mode: str = "mean", *, init: Any = None) -> Layer:
    r"""Look up a learned vector for each integer of a bag, and give their mean, sum or maximum.

    Input ``(length,)`` of integers in ``[0, count)``, output ``(width,)``; parameter ``w`` ``(count, width)``
    as for ``embed``, NaN for an integer outside the range likewise. Keyword inputs, both ``(length,)``:
    ``mask``, True where the bag holds an element and not padding, and, for the sum, ``factors`` that
    multiply the vectors. An empty bag gives zeros. The gradient of ``w`` is a scatter-add of the rows looked
    up, never a product with one-hot vectors.

    Raises:
        LayerError: the input is not ``(length,)`` of integers; another mode; factors with another mode than
            the sum.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params = {"w": jnp.array([[1.0], [2.0], [6.0]])}
    >>> nn.embedding_bag(3, 1)(params, jnp.array([0, 2, 1]), mask=jnp.array([True, True, False])).tolist()
    [3.5]
    """
    positive("embedding_bag: count", count)
    positive("embedding_bag: width", width)
    if mode not in BAGS:
        raise LayerError(f"embedding_bag: mode is {mode!r}, needs one of {BAGS}")

    @layer
    def embedding_bag(my: Scope, x: Any, *, mask: Any = None, factors: Any = None) -> Any:
        if jnp.ndim(x) != 1:
            raise LayerError(f"{my._where()}: has shape {jnp.shape(x)}, needs (length,)")
        if factors is not None and mode != "sum":
            raise LayerError(f"{my._where()}: factors are for the sum, found the {mode}")
        rows = _looked_up(my, x, (count, width), init)
        if factors is not None:
            rows = rows * jnp.asarray(factors, rows.dtype)[:, None]
        there = (jnp.ones(len(x), bool) if mask is None else mask)[:, None]
        return _bag(mode, rows, there)

    return embedding_bag


def _bag(mode: str, rows: Any, there: Any) -> Any:
    if mode == "max":
        most = jnp.max(rows, 0, where=there, initial=-jnp.inf)
        return jnp.where(jnp.any(there), most, 0)
    total = jnp.sum(rows, 0, where=there)
    return total if mode == "sum" else total / jnp.maximum(jnp.sum(there), 1).astype(total.dtype)


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
