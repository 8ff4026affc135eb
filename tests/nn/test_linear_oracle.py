"""Products and look-ups against torch, in float64: values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from jdl import nn
from tests.nn.test_layers_oracle import agree, normal, run

KEY = jax.random.key(0)


def test_bilinear_equals_torch():
    def ours(x, z, w, b):
        return nn.batched(nn.bilinear(4))({"w": w, "b": b}, {}, x, z)[0]

    theirs = lambda x, z, w, b: F.bilinear(x, z, w.permute(2, 0, 1), b)
    agree(ours, theirs, normal(2, 5, 3), normal(2, 5, 2), normal(3, 2, 4), normal(4))


def test_low_rank_dense_is_dense_of_the_product():
    ours = lambda x, u, v, b: run(nn.low_rank_dense(5, 2), {"u": u, "v": v, "b": b}, x)
    agree(ours, lambda x, u, v, b: x @ (u @ v) + b, normal(2, 4, 3), normal(3, 2), normal(2, 5), normal(5))


IDS = np.array([[0, 3, 3, 1], [2, 2, 2, 4]])
SEEN = np.array([[True, True, True, False], [True, True, False, False]])


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag_equals_torch(mode):
    """Torch's bags end where the next begin; ours are padded and masked."""
    whole = lambda w: run(nn.embedding_bag(5, 3, mode), {"w": w}, IDS)
    agree(whole, lambda w: F.embedding_bag(torch.tensor(IDS), w, mode=mode), normal(5, 3))
    masked = lambda w: run(nn.embedding_bag(5, 3, mode), {"w": w}, IDS, mask=SEEN)
    flat, offsets = torch.tensor(IDS[SEEN]), torch.tensor([0, 3])
    agree(masked, lambda w: F.embedding_bag(flat, w, offsets, mode=mode), normal(5, 3))


def test_factors_multiply_what_is_summed():
    factors = normal(2, 4)

    def ours(w, factors):
        return run(nn.embedding_bag(5, 3, "sum"), {"w": w}, IDS, factors=factors)

    def theirs(w, factors):
        return F.embedding_bag(torch.tensor(IDS), w, per_sample_weights=factors, mode="sum")

    agree(ours, theirs, normal(5, 3), factors)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_an_empty_bag_is_zero_and_has_no_gradient(mode):
    w, nothing = jnp.asarray(normal(5, 3), jnp.float32), jnp.zeros(4, bool)
    bag = lambda w: nn.embedding_bag(5, 3, mode)({"w": w}, IDS[0], mask=nothing)
    assert (bag(w) == 0).all()
    assert (jax.grad(lambda w: bag(w).sum())(w) == 0).all()


def test_the_gradient_of_a_table_makes_no_matrix_of_bag_by_rows():
    count, length = 1000, 50
    loss = lambda w, x: jnp.sum(nn.embedding_bag(count, 2)({"w": w}, x) ** 2)
    text = str(jax.make_jaxpr(jax.grad(loss))(jnp.zeros((count, 2)), jnp.zeros(length, int)))
    assert "scatter-add" in text and "dot_general" not in text
    assert f"[{length},{count}]" not in text and f"[{count},{length}]" not in text


@pytest.mark.parametrize(
    ("net", "inputs", "keywords", "message"),
    [
        (nn.embedding_bag(5, 3), (jnp.zeros((2, 2), int),), {}, r"has shape \(2, 2\), needs \(length,\)"),
        (nn.embedding_bag(5, 3), (jnp.zeros(2),), {}, "has dtype float32, needs an integer"),
        (
            nn.embedding_bag(5, 3),
            (IDS[0],),
            {"factors": jnp.ones(4)},
            "factors are for the sum, found the mean",
        ),
        (nn.bilinear(2), (jnp.zeros((2, 3)), jnp.zeros(3)), {}, r"\(2, 3\) and \(3,\), needs equal leading"),
        (nn.bilinear(2), (jnp.zeros(2), 1.0), {}, r"has shape \(\)"),
        (nn.low_rank_dense(2, 1), (1.0,), {}, r"has shape \(\)"),
    ],
)
def test_bad_input(net, inputs, keywords, message):
    with pytest.raises(nn.LayerError, match=message):
        net.init(KEY, *inputs, **keywords)


def test_bad_settings():
    with pytest.raises(nn.LayerError, match="embedding_bag: mode is 'median', needs one of"):
        nn.embedding_bag(5, 3, "median")
    with pytest.raises(nn.LayerError, match="low_rank_dense: rank is 0"):
        nn.low_rank_dense(2, 0)
