"""Multi-head attention."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.dropout import dropout as drop_out
from jdl.nn.dropout import never
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.linear import affine, positive
from jdl.nn.positions import alibi_slopes, continued
from jdl.nn.positions import rotary as rotate
from jdl.nn.scope import Scope


@constructor
def attention(
    heads: int,
    *,
    kv_heads: int | None = None,
    causal: bool = False,
    window: int | None = None,
    rotary: Any = None,
    alibi: bool = False,
    dropout: Any = 0.0,
    bias: bool = True,
    init: Any = None,
) -> Layer:
    r"""Multi-head attention: :math:`\mathrm{softmax}(Q K^\top / \sqrt{d})\, V` per head, then a projection.

    Input ``(length, n)``, output the same; ``n`` must be a multiple of ``heads``, and :math:`d` is
    ``n / heads``. A second input ``(length', m)`` gives keys and values (cross-attention), a third
    ``(length', m')`` the values where they come from elsewhere than the keys; else all come from the first.
    Keyword input ``mask``: True where a query may look, of a shape that broadcasts to
    ``(heads, length, length')``; a ``(length',)`` mask marks the keys that are not padding. A query that may
    look nowhere gives zeros, to which the last projection adds its bias. The softmax is in float32.

    ``kv_heads``, of which ``heads`` is a multiple, have keys and values, each shared by neighbouring heads
    (grouped-query; 1 is multi-query). With ``causal`` a query sees its own position and those before; with
    keys of another length the last query sees the last key. With ``window`` it sees the positions less than
    that far away. ``rotary``, the base of ``nn.rotary`` (often 10000.0; may be traced), turns queries and
    keys by their position; ``alibi`` takes from the scores the distance times each head's slope. ``dropout``
    is the rate, which may be traced, at which a stochastic pass drops weights after the softmax.

    Parameters ``q/w`` ``(n, n)``, ``k/w`` ``(m, kv_heads * d)``, ``v/w`` ``(m', kv_heads * d)``, ``out/w``
    ``(n, n)`` and, with ``bias``, their ``b``.

    A decoding cache keeps ``keys`` and ``values`` ``(length, kv_heads, d)`` and ``index``, how many of them
    it holds; a ``mask`` then speaks of all the positions that the cache can hold. A position beyond gives
    NaN, and overwrites nothing.

    Sources: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Ainslie et al. 2023 (grouped-query),
    https://arxiv.org/abs/2305.13245; Su et al. 2021 (rotary), https://arxiv.org/abs/2104.09864; Press, Smith
    and Lewis 2022 (ALiBi), https://arxiv.org/abs/2108.12409; Beltagy, Peters and Cohan 2020 (window),
    https://arxiv.org/abs/2004.05150.

    Raises:
        LayerError: an input is not ``(length, n)`` with ``n`` a multiple of ``heads``; a mask that is not
            boolean or does not broadcast; ``rotary`` and ``alibi`` together; ``window``, ``rotary`` or
            ``alibi`` over a second input, whose positions are others; a cache without ``causal``.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.attention(4, kv_heads=2, causal=True, rotary=10_000.0)
    >>> params, _ = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((5, 8)))
    >>> params["k"]["w"].shape, jax.eval_shape(net, params, jnp.zeros((5, 8))).shape
    ((8, 4), (5, 8))
    """
    kv_heads = heads if kv_heads is None else kv_heads
    _check_settings(heads, kv_heads, window, rotary, alibi)
    project, drops = projection(bias, init), dropping(dropout)
    slopes = alibi_slopes(heads) if alibi else None
    placed = alibi or window is not None or rotary is not None

    @layer(q=project, k=project, v=project, out=project, **drops)
    def attention(my: Scope, x: Any, context: Any = None, values: Any = None, *, mask: Any = None) -> Any:
        _check_inputs(my, heads, placed, x, context, values)
        keys = x if context is None else context
        values = keys if values is None else values
        n, d = x.shape[-1], x.shape[-1] // heads
        q = my.q(x, width=n).reshape(-1, heads, d)
        k = my.k(keys, width=kv_heads * d).reshape(-1, kv_heads, d)
        v = my.v(values, width=kv_heads * d).reshape(-1, kv_heads, d)
        start = _start(my, causal, context, len(q))
        positions = jnp.arange(len(q)) + (len(k) - len(q) if start is None else start)
        if rotary is not None:
            q, k = rotate(q, positions, base=rotary), rotate(k, positions, base=rotary)
        if start is not None:
            k, v = _remembered(my, positions, keys=k, values=v)
        _check_mask(my, mask, (heads, len(q), len(k)))
        drop = my.drop if drops else None
        attend = _in_blocks if start is None and _local(window, mask, len(q)) else _everywhere
        y = attend(q, k, v, positions, mask, Relation(causal, window, slopes), drop)
        y = my.out(y.reshape(x.shape), width=n)
        return y if start is None else jnp.where((positions < len(k))[:, None], y, jnp.nan)

    return attention


@constructor
def projection(bias: bool, init: Any) -> Layer:
    """Make an affine map of the last axis to a ``width`` that is known when it is called."""

    @layer
    def projection(my: Scope, x: Any, *, width: int) -> Any:
        return affine(my, x, width, bias, init)

    return projection


def dropping(rate: Any) -> dict[str, Layer]:
    """Give a part ``drop``, or none where nothing is ever dropped."""
    return {} if never(rate) else {"drop": drop_out(rate)}


def _check_settings(heads: int, kv_heads: int, window: Any, rotary: Any, alibi: bool) -> None:
    positive("attention: heads", heads)
    positive("attention: kv_heads", kv_heads)
    if heads % kv_heads:
        raise LayerError(f"attention: heads is {heads}, needs a multiple of {kv_heads} kv_heads")
    if window is not None:
        positive("attention: window", window)
    if rotary is not None and alibi:
        raise LayerError("attention: rotary and alibi are two ways to tell positions; choose one")


def _check_inputs(my: Scope, heads: int, placed: bool, x: Any, context: Any, values: Any) -> None:
    if jnp.ndim(x) != 2 or x.shape[-1] % heads:
        raise LayerError(
            f"{my._where()}: has shape {jnp.shape(x)}, needs (length, n), n a multiple of {heads} heads"
        )
    if context is None:
        if values is not None:
            raise LayerError(f"{my._where()}: values without a context; needs keys of the same length")
        return
    if jnp.ndim(context) != 2:
        raise LayerError(f"{my._where()}: the context has shape {jnp.shape(context)}, needs (length', m)")
    if values is not None and (jnp.ndim(values) != 2 or len(values) != len(context)):
        raise LayerError(
            f"{my._where()}: the values have shape {jnp.shape(values)}, needs ({len(context)}, m')"
        )
    if placed:
        raise LayerError(
            f"{my._where()}: window, rotary and alibi compare positions of one sequence; found a context"
        )


def _check_mask(my: Scope, mask: Any, shape: tuple[int, int, int]) -> None:
    if mask is None:
        return
    dtype, found = jnp.result_type(mask), jnp.shape(mask)
    if dtype != jnp.bool_:
        raise LayerError(f"{my._where()}: the mask is {dtype}, needs bool: True where a query may look")
    ends = zip(found[::-1], shape[::-1], strict=False)
    if len(found) > 3 or any(given not in (1, length) for given, length in ends):
        raise LayerError(f"{my._where()}: the mask has shape {found}, needs one that broadcasts to {shape}")


def _start(my: Scope, causal: bool, context: Any, count: int) -> Any:
    """Give the number of positions in the cache, or None in a pass without one."""
    if context is not None and not causal:
        return None  # keys and values come whole in every pass
    start = continued(my, count)
    if start is not None and (context is not None or not causal):
        found = "causal attention over a context" if causal else "attention that is not causal"
        raise LayerError(f"{my._where()}: {found} cannot be decoded with a cache")
    return start


def _remembered(my: Scope, positions: Any, **new: Any) -> list[Any]:
    """Put new rows into the cache at their positions, and give all it holds."""
    whole = {}
    for name, rows in new.items():
        kept = my.cache(name, rows.shape, inits.zeros, rows.dtype)
        whole[name] = kept.at[positions].set(rows.astype(kept.dtype), mode="drop")
    my.store(**whole)
    return list(whole.values())


class Relation(NamedTuple):
    """Which positions see each other, and how their scores change with distance."""

    causal: bool
    window: Any
    slopes: Any

    def mask(self, distance: Any) -> Any:
        """Give where the query sees the key, ``distance`` positions before it; None for everywhere."""
        near = None if self.window is None else jnp.abs(distance) < self.window
        return _both(near, distance >= 0 if self.causal else None)

    def bias(self, distance: Any) -> Any:
        """Give what is added to the scores ``(…, heads, length, length')``, or None."""
        if self.slopes is None:
            return None
        return jnp.asarray(-self.slopes)[:, None, None] * jnp.abs(distance)[..., None, :, :]


def _both(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return jnp.logical_and(one, other)


def _everywhere(q: Any, k: Any, v: Any, positions: Any, mask: Any, relation: Relation, drop: Any) -> Any:
    distance = positions[:, None] - jnp.arange(len(k))
    mask = _both(mask, relation.mask(distance))
    return dot_product_attention(q, k, v, mask, bias=relation.bias(distance), drop=drop)


def _local(window: int | None, mask: Any, length: int) -> bool:
    """Whether blocks of a window's length save work, and the mask, if any, is the same for all queries."""
    same = max(jnp.shape(mask)[:-1], default=1) == 1 if mask is not None else True
    return window is not None and length > 3 * window and same


def _in_blocks(q: Any, k: Any, v: Any, positions: Any, mask: Any, relation: Relation, drop: Any) -> Any:
    """Let each block of ``window`` queries look at its own keys and the neighbouring blocks' alone."""
    length, window = len(q), relation.window

    def blocks(rows: Any, fill: Any = 0) -> Any:
        rows = jnp.pad(rows, [(0, -length % window), *[(0, 0)] * (rows.ndim - 1)], constant_values=fill)
        return rows.reshape(-1, window, *rows.shape[1:])

    def nearby(rows: Any, fill: Any = 0) -> Any:
        own = blocks(rows, fill)
        edge = jnp.full_like(own[:1], fill)
        after = [] if relation.causal else [jnp.concatenate([own[1:], edge])]
        return jnp.concatenate([jnp.concatenate([edge, own[:-1]]), own, *after], 1)

    there = nearby(positions, -1)
    distance = blocks(positions)[:, :, None] - there[:, None]
    seen = _both(relation.mask(distance), (there >= 0)[:, None])
    if mask is not None:
        seen = _both(seen, nearby(jnp.broadcast_to(jnp.reshape(mask, -1), length), False)[:, None])
    y = dot_product_attention(
        blocks(q), nearby(k), nearby(v), seen[:, None], bias=relation.bias(distance), drop=drop
    )
    return y.reshape(-1, *q.shape[1:])[:length]


def dot_product_attention(
    q: Any, k: Any, v: Any, mask: Any = None, *, bias: Any = None, drop: Any = None
) -> Any:
    r"""Compute :math:`\mathrm{softmax}(q k^\top / \sqrt{d} + b)\, v` for each head, the softmax in float32.

    ``q`` ``(…, length, heads, d)``, ``k`` and ``v`` ``(…, length', kv_heads, d)``, each of which is shared by
    ``heads / kv_heads`` neighbouring heads; ``mask``, True where a query may look, and ``bias`` broadcast to
    ``(…, heads, length, length')``. A query that may look nowhere gives zeros. ``drop`` is a function that
    drops weights, such as a part ``nn.dropout(rate)``.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.dot_product_attention(jnp.zeros((1, 1, 2)), jnp.zeros((2, 1, 2)), jnp.eye(2)[:, None]).tolist()
    [[[0.5, 0.5]]]
    """
    wide = jnp.promote_types(jnp.result_type(q, k), jnp.float32)
    *batch, length, heads, d = q.shape
    # The queries of all heads that share a key are one axis of the products, so that no sum runs over two.
    shared = (*batch, k.shape[-2], heads // k.shape[-2] * length)
    q = jnp.swapaxes(q, -2, -3).reshape(*shared, d)
    scores = jnp.einsum("...hqd,...khd->...hqk", q, k, preferred_element_type=wide) * d**-0.5
    scores = scores.reshape(*batch, heads, length, k.shape[-3])
    if bias is not None:
        scores = scores + bias.astype(wide)
    if mask is not None:
        # A finite stand-in for minus infinity: a query that may look nowhere has no NaN in its gradient.
        scores = jnp.where(mask, scores, -1e30)
    weights = jnp.exp(scores - jax.lax.stop_gradient(jnp.max(scores, -1, keepdims=True)))
    if mask is not None:
        weights = jnp.where(mask, weights, 0.0)
    total = jnp.sum(weights, -1, keepdims=True)
    if mask is not None:
        total = jnp.where(total > 0, total, 1.0)
    if drop is not None:
        weights = drop(weights)
    weights = weights.reshape(*shared, k.shape[-3]).astype(v.dtype)
    y = jnp.einsum("...hqk,...khd->...hqd", weights, v, preferred_element_type=wide)
    # Divided by the total after the product, which is smaller than the weights.
    y = y.reshape(*batch, heads, length, v.shape[-1]) / total
    return jnp.swapaxes(y, -2, -3).astype(v.dtype)
