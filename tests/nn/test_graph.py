"""Layers over graphs against dense matrices in plain numpy; padding, order of edges and nodes, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.test_util import check_grads

from jdl import nn

RNG = np.random.default_rng(0)
COUNT, N, WIDTH, HEADS, PADDED = 5, 3, 2, 2, 9
CONV, WIDE, ATTENTION = nn.graph_conv(WIDTH), nn.graph_conv(4), nn.graph_attention(WIDTH, HEADS)
X = RNG.normal(size=(COUNT, N))
PARAMS = {
    CONV: {"w": (N, WIDTH), "b": (WIDTH,)},
    WIDE: {"w": (N, 4), "b": (4,)},
    ATTENTION: {"w": (N, 4), "b": (4,), "source": (HEADS, WIDTH), "target": (HEADS, WIDTH)},
}
PARAMS = {
    net: {name: RNG.normal(size=shape) for name, shape in shapes.items()} for net, shapes in PARAMS.items()
}


def adjacency(edges, weights):
    a = np.eye(COUNT)
    for (source, target), weight in zip(edges.T, weights, strict=True):
        a[target, source] += weight
    return a


def conv_by_matrix(params, edges, weights):
    a = adjacency(edges, weights)
    root = np.diag(a.sum(1) ** -0.5)
    return root @ a @ root @ X @ params["w"] + params["b"]


def attention_by_matrix(params, edges, weights):
    a, h = adjacency(edges, weights), (X @ params["w"]).reshape(COUNT, HEADS, WIDTH)
    outputs = []
    for head in range(HEADS):
        of = h[:, head]
        scores = (of @ params["source"][head])[None, :] + (of @ params["target"][head])[:, None]
        shares = a * np.exp(np.where(scores > 0, scores, 0.2 * scores))  # an edge listed twice counts twice
        outputs.append(shares / shares.sum(1, keepdims=True) @ of)
    return np.concatenate(outputs, 1) + params["b"]


def run(x, edges, weights, mask):
    with jax.enable_x64(True):
        return in_double(x, edges, weights, mask)


@jax.jit
def in_double(x, edges, weights, mask):
    conv = [net(PARAMS[net], x, edges=edges, weights=weights, mask=mask) for net in (CONV, WIDE)]
    return *conv, ATTENTION(PARAMS[ATTENTION], x, edges=edges, mask=mask)


def padded(edges, weights, filler):
    missing = PADDED - edges.shape[1]
    edges = np.concatenate([edges, np.full((2, missing), filler)], 1)
    return edges, np.append(weights, np.full(missing, np.nan)), np.arange(PADDED) < PADDED - missing


@given(
    st.lists(st.tuples(*[st.integers(0, COUNT - 1)] * 2, st.floats(0.1, 3.0)), max_size=PADDED),
    st.sampled_from([0, -1, COUNT, 10**6]),
)
def test_they_equal_dense_matrices_whatever_the_padding_holds(listed, filler):
    edges = np.array([edge[:2] for edge in listed], int).reshape(-1, 2).T
    weights = np.array([edge[2] for edge in listed])
    conv, wide, attention = run(X, *padded(edges, weights, filler))
    np.testing.assert_allclose(conv, conv_by_matrix(PARAMS[CONV], edges, weights), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(wide, conv_by_matrix(PARAMS[WIDE], edges, weights), rtol=1e-9, atol=1e-12)
    expected = attention_by_matrix(PARAMS[ATTENTION], edges, np.ones(len(listed)))
    np.testing.assert_allclose(attention, expected, rtol=1e-9, atol=1e-12)


EDGES = np.array([[0, 1, 1, 3, 4, 4], [1, 0, 2, 3, 0, 0]])
WEIGHTS = np.array([1.0, 2.0, 0.5, 1.5, 1.0, 3.0])


def test_gradients_are_right_in_a_batch_of_graphs():
    with jax.enable_x64(True):
        edges, weights, mask = (np.stack([each] * 2) for each in padded(EDGES, np.ones(6), -1))
        edges[1, :, :6] = edges[1, ::-1, :6]
        weights[:, :6] = WEIGHTS
        xs = jnp.asarray(np.stack([X, -X]))

        @jax.jit
        def outputs(params, xs, weights):
            weights = jnp.where(mask, jnp.pad(weights, ((0, 0), (0, 3))), jnp.nan)
            conv, _ = nn.batched(CONV)(params[0], {}, xs, edges=edges, weights=weights, mask=mask)
            return conv, nn.batched(ATTENTION)(params[1], {}, xs, edges=edges, mask=mask)[0]

        params = jax.tree.map(jnp.asarray, [PARAMS[CONV], PARAMS[ATTENTION]])
        check_grads(outputs, (params, xs, jnp.asarray(weights[:, :6])), order=1, modes=["rev"], eps=1e-6)
        alone = [run(X, *padded(EDGES, WEIGHTS, -1)), run(-X, *padded(EDGES[::-1], WEIGHTS, -1))]
        for found, at in zip(outputs(params, xs, weights[:, :6]), (0, 2), strict=True):
            np.testing.assert_allclose(found, [each[at] for each in alone], rtol=1e-9, atol=1e-12)


def test_the_order_of_edges_and_the_names_of_nodes_mean_nothing():
    order, names = RNG.permutation(6), RNG.permutation(COUNT)
    before = run(X, *padded(EDGES, WEIGHTS, 0))
    shuffled = run(X, *padded(EDGES[:, order], WEIGHTS[order], 0))
    renamed = run(X[np.argsort(names)], *padded(names[EDGES], WEIGHTS, 0))
    for a, b, c in zip(before, shuffled, renamed, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(c, np.asarray(a)[np.argsort(names)], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("bad", [(0, COUNT), (COUNT, 0), (-1, 0), (0, -1)])
def test_an_edge_of_no_node_gives_nan_everywhere(bad):
    edges, weights, mask = padded(np.append(EDGES, np.array([bad]).T, 1), np.append(WEIGHTS, 1.0), 0)
    assert all(np.isnan(y).all() for y in run(X, edges, weights, mask))


def test_in_half_precision_sums_stay_wide():
    x = X.astype(jnp.bfloat16)
    edges = np.zeros((2, 1000), int)  # a sum in bfloat16 would stop at 256
    params = {"w": jnp.ones((N, WIDTH), jnp.bfloat16), "b": jnp.zeros(WIDTH, jnp.bfloat16)}
    y = jax.jit(CONV)(params, x, edges=edges)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(y[0]), np.float32(x[0]).sum(), rtol=2e-2)


REFUSED = [
    (X[0], {"edges": EDGES}, r"^graph_conv: has shape \(3,\), needs \(count, n\)"),
    (X, {"edges": EDGES.T}, r"^graph_conv: the edges are int\d+ \(6, 2\), needs integers \(2, e\)"),
    (X, {"edges": 1.0 * EDGES}, r"^graph_conv: the edges are float\d+ \(2, 6\), needs integers"),
    (
        X,
        {"edges": EDGES, "weights": WEIGHTS[1:]},
        r"^graph_conv: the weights have shape \(5,\), needs \(6,\)",
    ),
    (X, {"edges": EDGES, "mask": WEIGHTS}, r"^graph_conv: the mask is float\d+ \(6,\), needs bool \(6,\)"),
]


@pytest.mark.parametrize(("x", "keywords", "message"), REFUSED)
def test_what_is_no_graph_is_refused(x, keywords, message):
    with pytest.raises(nn.LayerError, match=message):
        CONV.specs(x, **keywords)


def test_sizes_are_positive():
    for make in (lambda: nn.graph_conv(0), lambda: nn.graph_attention(2, 0)):
        with pytest.raises(nn.LayerError, match="is 0, needs a positive integer"):
            make()
