"""Transformer blocks against torch's layers, in float64: values, and gradients by inputs and parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jdl import nn, tree
from jdl.nn.trees import nest
from tests.nn.test_layers_oracle import agree, normal

BATCH, LENGTH, CONTEXT, WIDTH, HEADS, HIDDEN = 2, 4, 3, 6, 2, 5
SIZES = {"d_model": WIDTH, "nhead": HEADS, "dim_feedforward": HIDDEN, "dropout": 0.0}
PADDED = np.array([[0, 0, 0, 1], [0, 0, 1, 1]], bool)
CONTEXT_PADDED = np.array([[0, 1, 0], [0, 0, 1]], bool)
LATER = np.triu(np.ones((LENGTH, LENGTH), bool), 1)


def drawn(net, *inputs):
    """Paths and arrays of parameters, none of which is zero or one."""
    params, _ = jax.eval_shape(net.init, jax.random.key(0), *inputs)
    return {path: normal(*leaf.shape) for path, leaf in tree.items(params)}


def torchs(weights, norms, attentions):
    """Name our parameters as torch does, and lay them out so."""
    names = {"feed_forward/up": "linear1", "feed_forward/down": "linear2"}
    named = {}
    for ours, theirs in attentions.items():
        named[f"{theirs}.in_proj_weight"] = torch.cat([weights[f"{ours}/{part}/w"].T for part in "qkv"])
        named[f"{theirs}.in_proj_bias"] = torch.cat([weights[f"{ours}/{part}/b"] for part in "qkv"])
        names[f"{ours}/out"] = f"{theirs}.out_proj"
    for ours, theirs in names.items():
        named[f"{theirs}.weight"], named[f"{theirs}.bias"] = weights[f"{ours}/w"].T, weights[f"{ours}/b"]
    for name in norms:
        named[f"{name}.weight"], named[f"{name}.bias"] = weights[f"{name}/scale"], weights[f"{name}/bias"]
    return named


@pytest.mark.parametrize("post_norm", [False, True])
def test_an_encoder_block_equals_torchs(post_norm):
    net = nn.encoder_block(HEADS, nn.feed_forward(HIDDEN, activation=nn.relu), post_norm=post_norm)
    module = torch.nn.TransformerEncoderLayer(
        **SIZES, norm_first=not post_norm, batch_first=True, dtype=torch.float64
    )
    barred = ~np.eye(LENGTH, k=1, dtype=bool) & LATER  # the next position, but none after it
    weights = drawn(net, jnp.zeros((LENGTH, WIDTH)))

    def ours(x, *leaves):
        params = nest(dict(zip(weights, leaves, strict=True)))
        return nn.batched(net)(params, {}, x, mask=~barred & ~PADDED[:, None])[0]

    def theirs(x, *leaves):
        copied = torchs(
            dict(zip(weights, leaves, strict=True)), ("norm1", "norm2"), {"attention": "self_attn"}
        )
        masks = {"src_mask": torch.tensor(barred), "src_key_padding_mask": torch.tensor(PADDED)}
        return torch.func.functional_call(module, copied, (x,), masks)

    agree(ours, theirs, normal(BATCH, LENGTH, WIDTH), *weights.values())


@pytest.mark.parametrize("post_norm", [False, True])
def test_an_encoder_decoder_block_equals_torchs(post_norm):
    net = nn.encoder_decoder_block(HEADS, nn.feed_forward(HIDDEN), post_norm=post_norm)
    gelu = lambda x: torch.nn.functional.gelu(x, approximate="tanh")
    module = torch.nn.TransformerDecoderLayer(
        **SIZES, activation=gelu, norm_first=not post_norm, batch_first=True, dtype=torch.float64
    )
    weights = drawn(net, jnp.zeros((LENGTH, WIDTH)), jnp.zeros((CONTEXT, WIDTH)))

    def ours(x, context, *leaves):
        params = nest(dict(zip(weights, leaves, strict=True)))
        masks = {"mask": ~PADDED, "context_mask": ~CONTEXT_PADDED}
        return nn.batched(net)(params, {}, x, context, **masks)[0]

    def theirs(x, context, *leaves):
        parts = {"attention": "self_attn", "cross": "multihead_attn"}
        copied = torchs(dict(zip(weights, leaves, strict=True)), ("norm1", "norm2", "norm3"), parts)
        masks = {
            "tgt_mask": torch.tensor(LATER),
            "tgt_key_padding_mask": torch.tensor(PADDED),
            "memory_key_padding_mask": torch.tensor(CONTEXT_PADDED),
        }
        return torch.func.functional_call(module, copied, (x, context), masks)

    agree(ours, theirs, normal(BATCH, LENGTH, WIDTH), normal(BATCH, CONTEXT, WIDTH), *weights.values())
