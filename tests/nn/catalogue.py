"""One table of every layer constructor of ``jdl.nn``, each with a tiny input; ``test_catalogue.py`` reads it.

Adding a layer is one line: ``case("conv", nn.conv(4), (6, 6, 2))``, the constructor's name, a layer, and the
shape of one example (or the example itself, where it is not made of floats).
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jdl import nn
from jdl.nn import activations


class Case(NamedTuple):
    """A layer and one example for it.

    ``noisy`` layers draw from their key in a stochastic pass; ``order`` is that up to which the derivatives
    are those of the values: less than 2 where a gradient is stopped on purpose.
    """

    constructor: str
    net: nn.Layer
    inputs: tuple
    keywords: dict[str, Any]
    noisy: bool
    order: int


def case(
    constructor: str, net: nn.Layer, *inputs: Any, noisy: bool = False, order: int = 2, **keywords: Any
) -> Case:
    """Write one line of the table; a tuple is the shape of floats, ``keywords`` are keyword inputs."""
    return Case(constructor, net, inputs, keywords, noisy, order)


IDS = np.array([0, 3, 3, 1])
SEEN = np.array([True, True, False, True])
EDGES = np.array([[0, 1, 2], [1, 2, 0]])
ACTIVATIONS = [getattr(nn, name) for name in activations.__all__]
TINY = nn.feed_forward(8)

CATALOGUE = [
    # linear maps and tables
    case("dense", nn.dense(3), (4,)),
    case("low_rank_dense", nn.low_rank_dense(3, 2), (2, 4)),
    case("bilinear", nn.bilinear(2), (3,), (4,)),
    case("embed", nn.embed(5, 3), IDS),
    case("embedding_bag", nn.embedding_bag(5, 3), IDS, mask=SEEN),
    case("embedding_bag", nn.embedding_bag(5, 3, "sum"), IDS, factors=np.float32([1, 2, 3, 4])),
    case("ntk_dense", nn.ntk_dense(3), (2, 4)),
    case("scale", nn.scale(), (2, 4)),
    case("periodic_densenet", nn.periodic_densenet(3, frequencies=2), (4,)),
    case("periodic", nn.periodic(3, frequencies=2, highest=1.0), (4,)),
    case("linear_embedding", nn.linear_embedding(3, activation=nn.tanh), (4,)),
    case("piecewise_linear", nn.piecewise_linear(3, activation=nn.tanh), (4, 2), (4,)),
    case("piecewise_linear", nn.piecewise_linear(3, line=False), (4, 2)),
    case("feature_tokens", nn.feature_tokens(3, (4, 4, 4, 4)), (2,), IDS, (3,)),
    case("cross", nn.cross(), (3,), (3,)),
    case("cross", nn.cross(rank=2), (3,)),
    # members of an ensemble
    case("batch_ensemble", nn.batch_ensemble(3, 2), (4,)),
    case("batch_ensemble", nn.batch_ensemble(3, 2, r=nn.init.normal(), s=nn.init.ones), (2, 4)),
    case("linear_ensemble", nn.linear_ensemble(3), (2, 4)),
    # convolutions
    case("conv", nn.conv(4, (3, 2), stride=(2, 1)), (5, 4, 2)),
    case("conv", nn.conv(4, (3,), dilation=2, padding=1), (6, 2)),
    case("conv", nn.conv(4, (2, 3, 2), groups=2), (3, 3, 2, 2)),
    case("depthwise_conv", nn.depthwise_conv(multiplier=2), (4, 3, 2)),
    case("separable_conv", nn.separable_conv(3), (4, 3, 2)),
    case("conv_transpose", nn.conv_transpose(3, stride=2), (3, 3, 2)),
    case("conv_transpose", nn.conv_transpose(2, (3,), dilation=2, groups=2), (4, 2)),
    # pooling
    case("max_pool", nn.max_pool(2), (4, 4, 2)),
    case("max_pool", nn.max_pool(3, stride=2, padding=1), (5, 5, 2)),
    case("average_pool", nn.average_pool(2), (4, 4, 2)),
    case("average_pool", nn.average_pool((3,), stride=2, padding=1), (5, 2)),
    case("lp_pool", nn.lp_pool(3, 2), (4, 4, 2)),
    case("adaptive_average_pool", nn.adaptive_average_pool((3, 2)), (5, 4, 2)),
    case("adaptive_max_pool", nn.adaptive_max_pool((3, 2)), (5, 4, 2)),
    # normalisation
    case("batch_norm", nn.batch_norm(), (3, 4)),
    case("layer_norm", nn.layer_norm(), (3, 4)),
    case("rms_norm", nn.rms_norm(), (3, 4)),
    case("group_norm", nn.group_norm(2), (3, 4)),
    case("instance_norm", nn.instance_norm(), (3, 4)),
    case("local_response_norm", nn.local_response_norm(3), (2, 4)),
    case("weight_norm", nn.weight_norm(nn.dense(3)), (4,)),
    case("spectral_norm", nn.spectral_norm(nn.dense(3), iterations=50), (4,), order=1),
    # noise
    case("dropout", nn.dropout(0.5), (3, 4), noisy=True),
    case("fading_dropout", nn.fading_dropout(0.5, 9), (3, 4), noisy=True),
    case("spatial_dropout", nn.spatial_dropout(0.5), (3, 4), noisy=True),
    case("alpha_dropout", nn.alpha_dropout(0.5), (3, 4), noisy=True),
    case("spatial_alpha_dropout", nn.spatial_alpha_dropout(0.5), (3, 4), noisy=True),
    case("stochastic_depth", nn.stochastic_depth(0.5), (3, 4), noisy=True),
    case("rrelu", nn.rrelu(), (3, 4), noisy=True),
    # activations that learn
    case("prelu", nn.prelu(), (3, 4)),
    case("learned_swish", nn.learned_swish(shared=True), (3, 4)),
    case("parametric", nn.parametric(nn.silu), (3, 4)),
    # attention and positions
    case("attention", nn.attention(2, causal=True, rotary=100.0), (4, 4)),
    case("attention", nn.attention(2, dropout=0.5), (4, 4), (3, 5), noisy=True),
    case("attention", nn.attention(4, kv_heads=2, alibi=True), (4, 4), mask=SEEN),
    case("attention", nn.attention(2, causal=True, window=2), (5, 4)),
    case("sinusoidal_positions", nn.sinusoidal_positions(), (4, 4)),
    case("learned_positions", nn.learned_positions(5), (4, 4)),
    # blocks of transformers
    case("feed_forward", nn.feed_forward(8, activation=nn.swiglu), (3, 4)),
    case("encoder_block", nn.encoder_block(2, TINY, dropout=0.1), (4, 4), noisy=True, mask=SEEN),
    case("decoder_block", nn.decoder_block(2, TINY, post_norm=True), (4, 4)),
    case("encoder_decoder_block", nn.encoder_decoder_block(2, TINY), (3, 4), (4, 4), context_mask=SEEN),
    case("mixture_of_experts", nn.mixture_of_experts(TINY, 3), (4, 4)),
    case("mixture_of_experts", nn.mixture_of_experts(nn.dense(3), 3, k=1, capacity=1.0), (4, 4)),
    # sequences
    case("rnn", nn.rnn(3, nn.sigmoid), (4, 2), length=np.array(3)),
    case("lstm", nn.lstm(3), (4, 2), length=np.array(3)),
    case("gru", nn.gru(3), (4, 2), (3,)),
    case("linear_recurrence", nn.linear_recurrence(3), (4, 2), length=np.array(3)),
    case("bidirectional", nn.bidirectional(nn.gru(2)), (4, 2), length=np.array(3)),
    case("with_carry", nn.with_carry(nn.lstm(3)), (4, 2)),
    # graphs
    case("graph_conv", nn.graph_conv(3), (4, 2), edges=EDGES, weights=np.float32([1, 2, 3])),
    case("graph_attention", nn.graph_attention(2, heads=2), (4, 2), edges=EDGES),
    # images
    case("squeeze_excite", nn.squeeze_excite(2), (2, 3, 4)),
    case("patch_embed", nn.patch_embed(3, 2), (4, 4, 2)),
    case("resize", nn.resize((5, 2), "cubic"), (3, 4, 2)),
    case("pixel_shuffle", nn.pixel_shuffle(2), (2, 3, 4)),
    case("pixel_unshuffle", nn.pixel_unshuffle(2), (4, 2, 1)),
    case("pad", nn.pad(1, mode="reflect"), (3, 4, 2)),
    case("resnet_block", nn.resnet_block(4, 2), (4, 4, 2)),
    case("bottleneck_block", nn.bottleneck_block(4, ratio=2), (3, 3, 4)),
    case("convnext_block", nn.convnext_block(window=3, ratio=2, rate=0.5, scale=1.0), (3, 3, 4), noisy=True),
    case("inverted_residual", nn.inverted_residual(2, expand=2, excite=nn.squeeze_excite(2)), (3, 3, 2)),
    # combinators
    case("chain", nn.chain(nn.dense(4), nn.relu, head=nn.dense(2)), (3,)),
    case("function", nn.function(jnp.tanh), (3,)),
    case("residual", nn.residual(nn.dense(3)), (3,)),
    case("parallel", nn.parallel(*ACTIVATIONS), (2, 4)),
    case("concat", nn.concat(nn.dense(2), jnp.square), (3,)),
    case("stack", nn.stack(nn.dense(3), jnp.square), (3,)),
    case("intermediates", nn.intermediates(nn.chain(nn.dense(4), nn.tanh), "tanh"), (3,)),
    case("with_losses", nn.with_losses(nn.mixture_of_experts(nn.dense(3), 2)), (4, 3)),
    case("without_key", nn.without_key(nn.chain(nn.dropout(0.5), nn.batch_norm())), (3,)),
    case("ensemble", nn.ensemble(nn.dense(3), 2), (3,)),
    case("map", nn.map(nn.dense(3)), (2, 3)),
    case("remat", nn.remat(nn.dense(3), "dots"), (3,)),
    case("repeat", nn.repeat(2, nn.chain(nn.dense(3), nn.dropout(0.5))), (3,), noisy=True),
    case("freeze", nn.freeze(nn.dense(3), "b"), (3,)),
    case("lora", nn.lora(nn.dense(3), 2), (3,)),
]

# What the table cannot hold, and why.
ELSEWHERE = {
    "cast": "computes in one dtype, whatever it is given; every layer of the table also runs inside it",
    "from_flax": "a Flax module is not printed as a call that builds it; see tests/nn/test_flax.py",
}
