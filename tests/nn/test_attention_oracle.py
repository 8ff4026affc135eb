"""Attention against torch, in float64: values, and gradients by the inputs and every parameter."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from jdl import nn
from tests.nn.test_layers_oracle import agree, normal

RNG = np.random.default_rng(1)
BATCH, LENGTH, WIDTH, HEADS = 2, 5, 12, 6


def test_attention_equals_torchs_module_with_keys_and_values_of_other_widths():
    module = torch.nn.MultiheadAttention(WIDTH, HEADS, kdim=5, vdim=7, batch_first=True, dtype=torch.float64)
    barred = RNG.random((LENGTH, 4)) < 0.3
    padded = np.array([[0, 0, 0, 1], [0, 1, 0, 0]], bool)
    barred[:, 0] = False  # torch gives NaN where a query may look nowhere
    weights = [normal(n, WIDTH) for n in (WIDTH, 5, 7, WIDTH)] + [normal(WIDTH) for _ in range(4)]

    def ours(x, context, values, q, k, v, out, q_b, k_b, v_b, out_b):
        pairs = {"q": (q, q_b), "k": (k, k_b), "v": (v, v_b), "out": (out, out_b)}
        params = {name: {"w": w, "b": b} for name, (w, b) in pairs.items()}
        mask = ~barred & ~padded[:, None]
        return nn.batched(nn.attention(HEADS))(params, {}, x, context, values, mask=mask)[0]

    def theirs(x, context, values, q, k, v, out, *biases):
        copied = {
            "q_proj_weight": q.T, "k_proj_weight": k.T, "v_proj_weight": v.T, "out_proj.weight": out.T,
            "in_proj_bias": torch.cat(biases[:3]), "out_proj.bias": biases[3],
        }  # fmt: skip
        masks = {"attn_mask": torch.tensor(barred), "key_padding_mask": torch.tensor(padded)}
        return torch.func.functional_call(module, copied, (x, context, values), masks)[0]

    agree(ours, theirs, normal(BATCH, LENGTH, WIDTH), normal(BATCH, 4, 5), normal(BATCH, 4, 7), *weights)


def test_grouped_queries_equal_torch():
    mask = RNG.random((BATCH, HEADS, LENGTH, LENGTH)) < 0.6
    mask[..., 0] = True

    def theirs(q, k, v):
        q, k, v = (rows.transpose(1, 2) for rows in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, torch.tensor(mask), enable_gqa=True)
        return y.transpose(1, 2)

    args = [normal(BATCH, LENGTH, heads, 4) for heads in (HEADS, 2, 2)]
    agree(lambda q, k, v: nn.dot_product_attention(q, k, v, mask), theirs, *args)


def turned(x, base):
    """Rotate ``(batch, length, heads, d)`` as complex numbers, whose imaginary parts are the second half."""
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[1])[:, None] / base ** (torch.arange(half, dtype=torch.float64) / half)
    y = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angle), angle)[:, None]
    return torch.cat([y.real, y.imag], -1)


# Those of the paper for four heads, then the first two of its eight's that lie between them.
SLOPES = [2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8, 2.0**-1, 2.0**-3]


def scores_added(length, causal, window, alibi):
    """Give what is added to the scores, by the definitions, one pair at a time."""
    added = np.zeros((HEADS, length, length))
    for h in range(HEADS):
        for i in range(length):
            for j in range(length):
                hidden = (causal and j > i) or (window is not None and abs(i - j) >= window)
                added[h, i, j] = -np.inf if hidden else -alibi * SLOPES[h] * abs(i - j)
    return torch.tensor(added)


@pytest.mark.parametrize(
    ("length", "kv_heads", "causal", "window", "rotary", "alibi"),
    [
        (5, 3, True, None, 100.0, False),
        (5, 1, False, None, None, True),
        (5, 2, True, 3, None, True),
        (11, 6, True, 3, 10.0, False),  # in blocks
        (11, 3, False, 3, None, True),
    ],
)
def test_attention_that_knows_positions_equals_torch(length, kv_heads, causal, window, rotary, alibi):
    d = WIDTH // HEADS
    net = nn.attention(
        HEADS, kv_heads=kv_heads, causal=causal, window=window, rotary=rotary, alibi=alibi, bias=False
    )

    def ours(x, *weights):
        params = {name: {"w": w} for name, w in zip(("q", "k", "v", "out"), weights, strict=True)}
        return nn.batched(net)(params, {}, x)[0]

    def theirs(x, q, k, v, out):
        q, k, v = ((x @ w).unflatten(-1, (-1, d)) for w in (q, k, v))
        if rotary is not None:
            q, k = turned(q, rotary), turned(k, rotary)
        q, k, v = (rows.transpose(1, 2) for rows in (q, k, v))
        added = scores_added(length, causal, window, alibi)
        y = F.scaled_dot_product_attention(q, k, v, added, enable_gqa=True)
        return y.transpose(1, 2).flatten(2) @ out

    widths = (WIDTH, kv_heads * d, kv_heads * d, WIDTH)
    agree(ours, theirs, normal(BATCH, length, WIDTH), *(normal(WIDTH, width) for width in widths))
