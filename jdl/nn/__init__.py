"""Networks as values: layers, combinators, and what is done to parameter trees."""

from jdl.nn import init
from jdl.nn.activations import *  # noqa: F403
from jdl.nn.adapt import freeze, lora, lora_merge
from jdl.nn.adaptive_pool import adaptive_average_pool, adaptive_max_pool
from jdl.nn.attention import attention, dot_product_attention
from jdl.nn.combine import cast, concat, intermediates, parallel, residual, stack, with_losses, without_key
from jdl.nn.constructor import constructor
from jdl.nn.conv import conv, depthwise_conv, separable_conv
from jdl.nn.conv_transpose import conv_transpose
from jdl.nn.dropout import (
    alpha_dropout,
    dropout,
    fading_dropout,
    spatial_alpha_dropout,
    spatial_dropout,
    stochastic_depth,
)
from jdl.nn.flax import from_flax
from jdl.nn.graph import graph_attention, graph_conv
from jdl.nn.group_norm import group_norm, instance_norm, local_response_norm
from jdl.nn.layer import Layer, LayerError, batched, chain, function, layer
from jdl.nn.linear import bilinear, dense, embed, embedding_bag, flatten, low_rank_dense
from jdl.nn.linear_recurrence import linear_recurrence
from jdl.nn.members import batch_ensemble, linear_ensemble
from jdl.nn.mixture import mixture_of_experts
from jdl.nn.norm import batch_norm, layer_norm, rms_norm
from jdl.nn.parametric import learned_swish, parametric, prelu, rrelu
from jdl.nn.periodic import periodic, periodic_densenet
from jdl.nn.pool import average_pool, global_average_pool, global_max_pool, lp_pool, max_pool
from jdl.nn.positions import learned_positions, rotary, sinusoidal_positions
from jdl.nn.recurrent import bidirectional, gru, last, lstm, rnn, with_carry
from jdl.nn.reparam import spectral_norm, weight_norm
from jdl.nn.resize import pad, pixel_shuffle, pixel_unshuffle, resize
from jdl.nn.scaled import ntk_dense, scale
from jdl.nn.summary import flops, summary
from jdl.nn.tabular import cross, feature_tokens, linear_embedding, piecewise_linear
from jdl.nn.transform import ensemble, map, remat, repeat  # noqa: A004
from jdl.nn.transformer import decoder_block, encoder_block, encoder_decoder_block, feed_forward
from jdl.nn.trees import count, ema, join, split
from jdl.nn.vision import (
    bottleneck_block,
    convnext_block,
    inverted_residual,
    patch_embed,
    resnet_block,
    squeeze_excite,
)
