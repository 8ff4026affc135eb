"""Attention, and the blocks of transformers."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jdl import nn
from tests.outside.torch_modules.layout import below, renamed, run
from tests.outside.torch_modules.norm import scale_and_bias


def attention_params(module, weights):
    """Give queries', keys' and values' weights, which torch stores as one, apart."""
    w = dict(zip("qkv", jnp.split(weights["in_proj_weight"], 3), strict=True))
    params = {name: {"w": part.T} for name, part in w.items()} | {"out": {"w": weights["out_proj.weight"].T}}
    if "in_proj_bias" in weights:
        b = dict(zip("qkv", jnp.split(weights["in_proj_bias"], 3), strict=True))
        b |= {"out": weights["out_proj.bias"]}
        params = {name: {**part, "b": b[name]} for name, part in params.items()}
    return params


def flipped(x: Any, batch_first: bool) -> Any:
    """Give torch's sequences with the batch first, and back."""
    return x if x.ndim == 2 or batch_first else jnp.swapaxes(x, 0, 1)


def seen(x: Any, barred: Any, padding: Any) -> Any:
    """Give where the queries of every example may look: torch says where not, and which keys are padding."""
    if barred is None and padding is None:
        return None
    mask = jnp.ones(x.shape[:-1], bool)[..., None] if padding is None else ~padding[..., None, :]
    return mask if barred is None else mask & ~barred


def attention(module, weights, query, key, value, key_padding_mask, attn_mask):
    net = nn.attention(module.num_heads, bias=module.in_proj_bias is not None)
    mask = seen(query, attn_mask, key_padding_mask)
    return run(net, attention_params(module, weights), query, key, value, axes=2, mask=mask), None


def feed_forward(module):
    exact = partial(jax.nn.gelu, approximate=False)
    activation = {"relu": nn.relu, "gelu": exact}[module.activation.__name__]
    bias = module.linear1.bias is not None
    return nn.feed_forward(module.linear1.out_features, activation=activation, bias=bias)


def block_params(module, weights):
    """Give the weights of an encoder's or a decoder's block."""
    linear = lambda part: {"w": weights[f"{part}.weight"].T, **renamed(weights, b=f"{part}.bias")}
    n = module.linear1.in_features
    norms = (name for name in ("norm1", "norm2", "norm3") if hasattr(module, name))
    params = {name: scale_and_bias(below(weights, name), n) for name in norms}
    params["attention"] = attention_params(module.self_attn, below(weights, "self_attn"))
    if hasattr(module, "multihead_attn"):
        params["cross"] = attention_params(module.multihead_attn, below(weights, "multihead_attn"))
    return {**params, "feed_forward": {"up": linear("linear1"), "down": linear("linear2")}}


def encoder_block(module):
    norm, bias = nn.layer_norm(eps=module.norm1.eps), module.linear1.bias is not None
    return nn.encoder_block(
        module.self_attn.num_heads,
        feed_forward(module),
        norm=norm,
        post_norm=not module.norm_first,
        bias=bias,
    )


def encoder_layer(module, weights, src, src_mask=None, src_key_padding_mask=None):
    net, params = encoder_block(module), block_params(module, weights)
    return on_sequences(net, params, module.self_attn.batch_first, src, src_mask, src_key_padding_mask)


def encoder(module, weights, src, mask=None, src_key_padding_mask=None):
    names = [f"layer{i}" for i in range(len(module.layers))]
    net = nn.chain(**dict.fromkeys(names, encoder_block(module.layers[0])))
    params = {
        name: block_params(part, below(weights, f"layers.{i}"))
        for i, (name, part) in enumerate(zip(names, module.layers, strict=True))
    }
    first = module.layers[0].self_attn.batch_first
    return on_sequences(net, params, first, src, mask, src_key_padding_mask)


def on_sequences(net, params, batch_first, x, barred, padding):
    x = flipped(x, batch_first)
    return flipped(run(net, params, x, axes=2, mask=seen(x, barred, padding)), batch_first)


def decoder_block(module):
    """Compose the block: ``nn.encoder_decoder_block`` is causal, where torch needs a mask to be."""
    heads, bias = module.self_attn.num_heads, module.linear1.bias is not None
    norm, attend = nn.layer_norm(eps=module.norm1.eps), nn.attention(heads, bias=bias)

    @nn.layer(
        norm1=norm, attention=attend, norm2=norm, cross=attend, norm3=norm, feed_forward=feed_forward(module)
    )
    def block(my, x, context, *, mask=None, context_mask=None):
        branches = (
            (my.norm1, lambda x: my.attention(x, mask=mask)),
            (my.norm2, lambda x: my.cross(x, context, mask=context_mask)),
            (my.norm3, my.feed_forward),
        )
        for norm, branch in branches:
            x = x + branch(norm(x)) if module.norm_first else norm(x + branch(x))
        return x

    return block


def decoder_layer(
    module, weights, tgt, memory, tgt_mask=None, memory_mask=None,
    tgt_key_padding_mask=None, memory_key_padding_mask=None,
):  # fmt: skip
    first = module.self_attn.batch_first
    x, context = flipped(tgt, first), flipped(memory, first)
    masks = {
        "mask": seen(x, tgt_mask, tgt_key_padding_mask),
        "context_mask": seen(x, memory_mask, memory_key_padding_mask),
    }
    y = run(decoder_block(module), block_params(module, weights), x, context, axes=2, **masks)
    return flipped(y, first)


def transformer(
    module,
    weights,
    src,
    tgt,
    src_mask=None,
    tgt_mask=None,
    src_key_padding_mask=None,
    tgt_key_padding_mask=None,
):
    def normed(part, weights, x):
        params = scale_and_bias(below(weights, "norm"), x.shape[-1:])
        return nn.layer_norm(eps=part.norm.eps)(params, x)

    inside, outside = below(weights, "encoder"), below(weights, "decoder")
    memory = encoder(module.encoder, inside, src, src_mask, src_key_padding_mask)
    memory = normed(module.encoder, inside, memory)
    for i, part in enumerate(module.decoder.layers):
        block = below(outside, f"layers.{i}")
        tgt = decoder_layer(part, block, tgt, memory, tgt_mask, None, tgt_key_padding_mask)
    return normed(module.decoder, outside, tgt)


TWINS = {
    "nn.MultiheadAttention": attention,
    "nn.Transformer": transformer,
    "nn.TransformerDecoderLayer": decoder_layer,
    "nn.TransformerEncoder": encoder,
    "nn.TransformerEncoderLayer": encoder_layer,
}
