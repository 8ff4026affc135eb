"""Losses: ours, of one example, by ``vmap`` over torch's elements or rows, and then its reduction."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jdl import losses
from tests.outside.torch_modules.layout import below
from tests.outside.torch_modules.linear import dense


def elements(loss: Callable[..., Any], *arrays: Any, **options: Any) -> Any:
    """Give the loss of every element."""
    flat = [jnp.broadcast_to(array, arrays[0].shape).reshape(-1) for array in arrays]
    one = lambda *values: loss(*values, **options)
    return jax.vmap(one)(*flat).reshape(arrays[0].shape)


def rows(loss: Callable[..., Any], *arrays: Any, **options: Any) -> Any:
    """Give the loss of every row of a matrix, or of the only one."""
    one = lambda *values: loss(*values, **options)
    return one(*arrays) if arrays[0].ndim == 1 else jax.vmap(one)(*arrays)


def reduced(module: Any, each: Any, count: Any = None) -> Any:
    """Do what the module's ``reduction`` says; a mean divides by ``count``. As our losses, in float32."""
    count = each.size if count is None else count
    if module.reduction != "none":
        each = jnp.sum(each) / (1 if module.reduction == "sum" else count)
    return each.astype(jnp.float32)


def of_elements(name: str, **options: str) -> Callable[..., Any]:
    """Adapt a loss of each element: ``losses.name(x, y, ours=module.theirs)``."""

    def adapter(module, weights, x, target):
        given = {ours: getattr(module, theirs) for ours, theirs in options.items()}
        return reduced(module, elements(getattr(losses, name), x, target, **given))

    return adapter


def labelled(sign: Any) -> Any:
    """Give torch's labels 1 and -1 as ours, 1 and 0."""
    return (sign + 1) / 2


def smooth_l1(module, weights, x, target):
    return reduced(module, elements(losses.huber, x, target, delta=module.beta) / module.beta)


def binary(module, weights, x, target):
    weight = weights.get("weight", 1.0)
    return reduced(module, weight * elements(losses.binary_cross_entropy, x, target))


def binary_of_probabilities(module, weights, x, target):
    return binary(module, weights, jnp.log(x) - jnp.log1p(-x), target)


def soft_margin(module, weights, x, target):
    return reduced(module, elements(losses.binary_cross_entropy, x, labelled(target)))


def multi_label_soft_margin(module, weights, x, target):
    each = weights.get("weight", 1.0) * elements(losses.binary_cross_entropy, x, target)
    return reduced(module, jnp.mean(each, -1))


def multi_label_margin(module, weights, x, target):
    listed = jnp.cumprod(target >= 0, -1)  # a row lists its labels up to the first -1
    apply = jnp.sum(jax.nn.one_hot(target, x.shape[-1]) * listed[..., None], -2) > 0
    return reduced(module, rows(losses.multi_label_margin, x, apply))


def multi_margin(module, weights, x, target):
    each = rows(losses.multi_margin, x, target, margin=module.margin, power=module.p)
    weight = weights["weight"][target] if "weight" in weights else 1.0
    return reduced(module, weight * each)


def margin_ranking(module, weights, first, second, target):
    each = elements(losses.margin_ranking, first, second, labelled(target), margin=module.margin)
    return reduced(module, each)


def cosine_embedding(module, weights, first, second, target):
    each = rows(losses.cosine_embedding, first, second, labelled(target), margin=module.margin)
    return reduced(module, each)


def gaussian(module, weights, mean, target, variance):
    spread = jnp.log(jnp.broadcast_to(variance, mean.shape))
    each = elements(lambda mean, spread, y: losses.gaussian_nll((mean, spread), y), mean, spread, target)
    return reduced(module, each - 0.5 * math.log(2 * math.pi))


def poisson(module, weights, x, target):
    log_mean = x if module.log_input else jnp.log(x + module.eps)
    return reduced(module, elements(losses.poisson, log_mean, target))


def of_classes(logits, target, weight, smoothing, ignored):
    """Give the cross-entropy at every position, and what it counts in torch's mean."""
    k, kept, count = logits.shape[-1], True, jnp.ones(logits.shape[:-1])
    soft = target.shape == logits.shape
    if not soft:
        kept = target != (-100 if ignored is None else ignored)
        target = jnp.where(kept, target, 0)
        count = count if weight is None else weight[target]
    if weight is None or (not soft and not smoothing):
        options = {"label_smoothing": smoothing, "class_weight": weight}
    else:  # torch weighs every class's term, our option the example's loss: so weigh the target
        target = target if soft else jax.nn.one_hot(target, k)
        options, target = {}, weight * ((1 - smoothing) * target + smoothing / k)
    one = lambda logits, target: losses.cross_entropy(logits, target, **options)
    each = jax.vmap(one)(logits.reshape(-1, k), target.reshape(count.size, *target.shape[count.ndim :]))
    return jnp.where(kept, each.reshape(count.shape), 0.0), jnp.where(kept, count, 0.0)


def cross_entropy(module, weights, x, target):
    axis = 0 if x.ndim == 1 else 1
    target = jnp.moveaxis(target, axis, -1) if target.shape == x.shape else target
    options = weights.get("weight"), module.label_smoothing, module.ignore_index
    each, count = of_classes(jnp.moveaxis(x, axis, -1), target, *options)
    return reduced(module, each, jnp.sum(count))


def nll(module, weights, x, target):
    """Take back what makes logits log-probabilities: torch counts on them to be, ours does it once more."""
    logits = jnp.moveaxis(x, 1, -1)
    each, count = of_classes(logits, target, weights.get("weight"), 0.0, module.ignore_index)
    return reduced(module, each - count * jax.nn.logsumexp(logits, -1), jnp.sum(count))


def linear_cross_entropy(module, weights, x, target):
    logits = dense(module.linear, below(weights, "linear"), x)
    shape = (*x.shape[:-1], module.num_classes, *module.out_features)
    return cross_entropy(module, weights, logits.reshape(shape), target)


def ctc(module, weights, log_probs, targets, input_lengths, target_lengths):
    lengths, sizes = (jnp.atleast_1d(jnp.asarray(given)) for given in (input_lengths, target_lengths))
    logits = log_probs if log_probs.ndim == 3 else log_probs[:, None]
    if targets.ndim == 1:  # one after the other
        start = jnp.cumsum(sizes) - sizes
        targets = jnp.take(targets, start[:, None] + jnp.arange(targets.size), mode="clip")
    targets = jnp.where(jnp.arange(targets.shape[1]) < sizes[:, None], targets, -1)
    one = lambda logits, target, length: losses.ctc(logits, target, length=length, blank=module.blank)
    each = jax.vmap(one, (1, 0, 0))(logits, targets, lengths)
    each = each / sizes if module.reduction == "mean" else each
    return reduced(module, each.reshape(log_probs.shape[1:-1]))


TWINS = {
    "nn.BCELoss": binary_of_probabilities,
    "nn.BCEWithLogitsLoss": binary,
    "nn.CTCLoss": ctc,
    "nn.CosineEmbeddingLoss": cosine_embedding,
    "nn.CrossEntropyLoss": cross_entropy,
    "nn.GaussianNLLLoss": gaussian,
    "nn.HuberLoss": of_elements("huber", delta="delta"),
    "nn.L1Loss": of_elements("absolute_error"),
    "nn.LinearCrossEntropyLoss": linear_cross_entropy,
    "nn.MSELoss": of_elements("squared_error"),
    "nn.MarginRankingLoss": margin_ranking,
    "nn.MultiLabelMarginLoss": multi_label_margin,
    "nn.MultiLabelSoftMarginLoss": multi_label_soft_margin,
    "nn.MultiMarginLoss": multi_margin,
    "nn.NLLLoss": nll,
    "nn.PoissonNLLLoss": poisson,
    "nn.SmoothL1Loss": smooth_l1,
    "nn.SoftMarginLoss": soft_margin,
}
