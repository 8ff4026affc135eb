"""Multi-head attention."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.linear import affine, positive
from jdl.nn.scope import Scope


@constructor
def attention(heads: int, *, causal: bool = False, bias: bool = True, init: Any = None) -> Layer:
    r"""Multi-head attention: :math:`\mathrm{softmax}(Q K^\top / \sqrt{d})\, V` per head, then a projection.

    Input ``(length, n)``, output the same; ``n`` must be a multiple of ``heads``. A second input
    ``(length', m)`` gives keys and values (cross-attention); else they come from the first.
    Keyword input ``mask``: True where a query may look, of a shape that broadcasts to
    ``(heads, length, length')``; a ``(length',)`` mask marks the keys that are not padding. With ``causal`` a
    query sees its own position and those before; with keys of another length the last query sees the last
    key. A query that may look nowhere gives zeros, to which the last projection adds its bias. The softmax is
    computed in float32.
    Parameters ``q/w``, ``k/w``, ``v/w``, ``out/w`` and, with ``bias``, their ``b``.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.

    Raises:
        LayerError: an input is not ``(length, n)`` with ``n`` a multiple of ``heads``; a mask that is not
            boolean or does not broadcast.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.attention(2, causal=True).init(jax.random.key(0), jnp.zeros((5, 8)))
    >>> nn.attention(2, causal=True)(params, jnp.zeros((5, 8))).shape
    (5, 8)
    """
    positive("attention: heads", heads)
    project = _projection(bias, init)

    @layer(q=project, k=project, v=project, out=project)
    def attention(my: Scope, x: Any, context: Any = None, *, mask: Any = None) -> Any:
        source = x if context is None else context
        if jnp.ndim(x) != 2 or x.shape[-1] % heads:
            raise LayerError(
                f"{my._where()}: has shape {jnp.shape(x)}, needs (length, n), n a multiple of {heads} heads"
            )
        if jnp.ndim(source) != 2:
            raise LayerError(f"{my._where()}: the context has shape {jnp.shape(source)}, needs (length', m)")
        n = x.shape[-1]
        q, k, v = (
            part(rows, width=n).reshape(-1, heads, n // heads)
            for part, rows in ((my.q, x), (my.k, source), (my.v, source))
        )
        mask = _checked(my, mask, (heads, len(q), len(k)))
        if causal:
            seen = jnp.tril(jnp.ones((len(q), len(k)), bool), len(k) - len(q))
            mask = seen if mask is None else jnp.logical_and(seen, mask)
        return my.out(dot_product_attention(q, k, v, mask).reshape(x.shape), width=n)

    return attention


@constructor
def _projection(bias: bool, init: Any) -> Layer:
    @layer
    def projection(my: Scope, x: Any, *, width: int) -> Any:
        return affine(my, x, width, bias, init)

    return projection


def _checked(my: Scope, mask: Any, shape: tuple[int, int, int]) -> Any:
    if mask is None:
        return None
    dtype, found = jnp.result_type(mask), jnp.shape(mask)
    if dtype != jnp.bool_:
        raise LayerError(f"{my._where()}: the mask is {dtype}, needs bool: True where a query may look")
    ends = zip(found[::-1], shape[::-1], strict=False)
    if len(found) > 3 or any(given not in (1, length) for given, length in ends):
        raise LayerError(f"{my._where()}: the mask has shape {found}, needs one that broadcasts to {shape}")
    return mask


def dot_product_attention(q: Any, k: Any, v: Any, mask: Any = None) -> Any:
    r"""Compute :math:`\mathrm{softmax}(q k^\top / \sqrt{d})\, v` for each head, with the softmax in float32.

    ``q`` ``(length, heads, d)``, ``k`` and ``v`` ``(length', heads, d)``; ``mask`` True where a query may
    look, broadcast to ``(heads, length, length')``. A query that may look nowhere gives zeros.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.dot_product_attention(jnp.zeros((1, 1, 2)), jnp.zeros((2, 1, 2)), jnp.eye(2)[:, None]).tolist()
    [[[0.5, 0.5]]]
    """
    wide = jnp.promote_types(jnp.result_type(q, k), jnp.float32)
    scores = jnp.einsum("qhd,khd->hqk", q, k, preferred_element_type=wide) * q.shape[-1] ** -0.5
    if mask is None:
        weights = jax.nn.softmax(scores)
    else:
        # A finite stand-in for minus infinity: a query that may look nowhere has no NaN in its gradient.
        weights = jnp.where(mask, jax.nn.softmax(jnp.where(mask, scores, -1e30)), 0.0)
    return jnp.einsum("hqk,khd->qhd", weights.astype(v.dtype), v)
