"""Layers over the nodes of a graph, which is given by the list of its edges."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.linear import positive
from jdl.nn.product import rows_by_matrix, shared
from jdl.nn.scope import Scope


@constructor
def graph_conv(width: int, *, bias: bool = True, init: Any = None) -> Layer:
    r"""Graph convolution: each node sums its neighbours and itself, all scaled by their degrees.

    .. math:: y_i = b + \sum_{j \to i} \frac{a_{ji}}{\sqrt{d_i d_j}}\, x_j W, \quad
        d_i = \sum_{j \to i} a_{ji}

    with every node a neighbour of itself, :math:`a_{ii} = 1`. Input ``(count, n)``, output
    ``(count, width)``. Keyword inputs: ``edges``, integers ``(2, e)``, the nodes that edges come from above
    those they lead to (list an undirected edge both ways; several between two nodes add up); ``weights``
    ``(e,)``, the :math:`a`, ones unless given; ``mask`` ``(e,)``, False where an edge is padding. An edge
    from or to a node that is not there gives NaN at every node. Degrees and sums are float32 or wider.
    Parameters ``w`` ``(n, width)``, drawn by ``init`` (default ``init.lecun_normal()``), and ``b``
    ``(width,)``, zeros.

    Source: Kipf and Welling 2017, https://arxiv.org/abs/1609.02907.

    Raises:
        LayerError: the input is not ``(count, n)``; edges that are not integers ``(2, e)``; weights or a mask
            of another shape; a width that is not a positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params = {"w": jnp.ones((1, 1)), "b": jnp.zeros(1)}
    >>> edges = jnp.array([[0, 1], [1, 0]])
    >>> y = jax.jit(nn.graph_conv(1))(params, jnp.array([[1.0], [3.0], [5.0]]), edges=edges)
    >>> y.round(4).tolist()
    [[2.0], [2.0], [5.0]]
    """
    positive("graph_conv: width", width)

    @layer
    def graph_conv(my: Scope, x: Any, *, edges: Any, weights: Any = None, mask: Any = None) -> Any:
        graph = _graph(my, x, edges, weights, mask)
        count, n = x.shape
        w = my.param("w", (n, width), init or inits.lecun_normal())
        degree = _sum(graph.weights, graph.target, count)
        scale = jnp.where(degree > 0, jax.lax.rsqrt(jnp.where(degree > 0, degree, 1)), 0)
        factor = scale[graph.source] * graph.weights * scale[graph.target]

        def spread(y: Any) -> Any:
            return _sum(factor[:, None] * y[graph.source], graph.target, count).astype(y.dtype)

        # What is sent along the edges is the smaller of the two.
        y = (
            shared(my, rows_by_matrix, spread(x), w)
            if n < width
            else spread(shared(my, rows_by_matrix, x, w))
        )
        y = y + my.param("b", (width,), inits.zeros) if bias else y
        return jnp.where(graph.whole, y, jnp.nan)

    return graph_conv


@constructor
def graph_attention(width: int, heads: int = 1, *, bias: bool = True, init: Any = None) -> Layer:
    r"""Graph attention: each node averages its neighbours and itself, with weights of a softmax over them.

    .. math:: y_i = b + \sum_{j \to i} \alpha_{ji} h_j, \quad h = x W, \quad
        \alpha_{ji} = \mathrm{softmax}_j\, \phi(a^\top h_j + a'^\top h_i)

    for every head, with :math:`\phi` a leaky rectifier of slope 0.2 below zero. Input ``(count, n)``, output
    ``(count, heads * width)``, the heads one after the other. Keyword inputs ``edges`` and ``mask`` as for
    ``graph_conv``. The softmax is computed in float32 or wider. Parameters ``w`` ``(n, heads * width)``,
    ``source`` and ``target`` ``(heads, width)``, drawn by ``init`` (default ``init.lecun_normal()``), and
    ``b`` ``(heads * width,)``, zeros.

    Source: Veličković et al. 2018, https://arxiv.org/abs/1710.10903.

    Raises:
        LayerError: as for ``graph_conv``; a number of heads that is not a positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> x, edges = jnp.zeros((3, 2)), jnp.array([[0, 1], [1, 0]])
    >>> params, _ = jax.eval_shape(lambda: nn.graph_attention(4, 2).init(jax.random.key(0), x, edges=edges))
    >>> jax.tree.map(jnp.shape, params)
    {'b': (8,), 'source': (2, 4), 'target': (2, 4), 'w': (2, 8)}
    """
    positive("graph_attention: width", width)
    positive("graph_attention: heads", heads)
    init = init or inits.lecun_normal()

    @layer
    def graph_attention(my: Scope, x: Any, *, edges: Any, mask: Any = None) -> Any:
        graph = _graph(my, x, edges, None, mask)
        w = my.param("w", (x.shape[-1], heads * width), init)
        h = shared(my, rows_by_matrix, x, w).reshape(-1, heads, width)
        sent, met = (
            jnp.sum(h * my.param(name, (heads, width), init), -1, dtype=graph.weights.dtype)
            for name in ("source", "target")
        )
        scores = jax.nn.leaky_relu(sent[graph.source] + met[graph.target], 0.2)
        sums = _sum(_softmax(scores, graph, len(x))[..., None] * h[graph.source], graph.target, len(x))
        y = sums.reshape(len(x), -1).astype(h.dtype)
        y = y + my.param("b", (heads * width,), inits.zeros) if bias else y
        return jnp.where(graph.whole, y, jnp.nan)

    return graph_attention


class Graph(NamedTuple):
    """Edges, of which the last lead from every node to itself; those of padding weigh nothing."""

    source: Any
    target: Any
    weights: Any
    whole: Any  # whether every edge leads from a node to a node


def _graph(my: Scope, x: Any, edges: Any, weights: Any, mask: Any) -> Graph:
    if jnp.ndim(x) != 2:
        raise LayerError(f"{my._where()}: has shape {jnp.shape(x)}, needs (count, n)")
    shape, dtype = jnp.shape(edges), jnp.result_type(edges)
    if len(shape) != 2 or shape[0] != 2 or not jnp.issubdtype(dtype, jnp.integer):
        raise LayerError(f"{my._where()}: the edges are {dtype} {shape}, needs integers (2, e)")
    if weights is not None and jnp.shape(weights) != shape[1:]:
        raise LayerError(f"{my._where()}: the weights have shape {jnp.shape(weights)}, needs {shape[1:]}")
    there = jnp.ones(shape[1], bool) if mask is None else mask
    if jnp.result_type(there) != jnp.bool_ or jnp.shape(there) != shape[1:]:
        found = f"{jnp.result_type(there)} {jnp.shape(there)}"
        raise LayerError(f"{my._where()}: the mask is {found}, needs bool {shape[1:]}: True for an edge")
    count, wide = len(x), jnp.promote_types(x.dtype, jnp.float32)
    edges = jnp.asarray(edges)
    source, target = jnp.concatenate([edges, jnp.broadcast_to(jnp.arange(count), (2, count))], 1)
    given = jnp.where(there, 1 if weights is None else weights, 0).astype(wide)
    whole = jnp.all((edges >= 0) & (edges < count) | ~there)
    return Graph(source, target, jnp.concatenate([given, jnp.ones(count, wide)]), whole)


def _sum(values: Any, nodes: Any, count: int) -> Any:
    return jax.ops.segment_sum(values, nodes, count)


def _softmax(scores: Any, graph: Graph, count: int) -> Any:
    """Give each edge its share among those that lead to the same node."""
    there = (graph.weights > 0)[:, None]
    scores = jnp.where(there, scores, -jnp.inf)
    most = jax.ops.segment_max(jax.lax.stop_gradient(scores), graph.target, count)
    shares = jnp.where(there, jnp.exp(scores - most[graph.target]), 0)
    return shares / _sum(shares, graph.target, count)[graph.target]
