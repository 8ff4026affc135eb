"""Networks as values: layers, combinators, and what is done to parameter trees."""

from jdl.nn import init
from jdl.nn.activations import *  # noqa: F403
from jdl.nn.adapt import freeze, lora, lora_merge
from jdl.nn.attention import attention, dot_product_attention
from jdl.nn.combine import cast, intermediates, parallel, residual, with_losses, without_key
from jdl.nn.constructor import constructor
from jdl.nn.conv import conv
from jdl.nn.dropout import dropout
from jdl.nn.flax import from_flax
from jdl.nn.layer import Layer, LayerError, batched, chain, function, layer
from jdl.nn.linear import dense, embed, flatten
from jdl.nn.norm import batch_norm, layer_norm
from jdl.nn.periodic import periodic
from jdl.nn.pool import average_pool, max_pool
from jdl.nn.summary import flops, summary
from jdl.nn.transform import ensemble, map, remat, repeat  # noqa: A004
from jdl.nn.trees import count, ema, join, split
