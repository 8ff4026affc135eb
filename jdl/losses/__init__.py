"""Losses: pure functions of one example, ``loss(outputs, target, **options) -> scalar``.

Batches are the business of ``jax.vmap``, and example weights that of the training run. Every loss is computed
and returned in float32, whatever the dtype of its inputs; every option may be traced.
"""

from jdl.losses.classification import binary_cross_entropy, binary_focal, cross_entropy, focal
from jdl.losses.contrast import cosine, cosine_embedding, info_nce, margin_ranking, triplet
from jdl.losses.distribution import gamma, gaussian_nll, kl_divergence, poisson, tweedie
from jdl.losses.margin import hinge, multi_label_margin, multi_margin, squared_hinge
from jdl.losses.ordered import coral, ordinal
from jdl.losses.regression import absolute_error, huber, log_cosh, non_crossing, pinball, squared_error
from jdl.losses.segmentation import dice, jaccard, tversky
from jdl.losses.sequence import ctc
from jdl.losses.survival import cox
