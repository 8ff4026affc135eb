"""Keras's losses by ours: its arguments, reductions and probabilities translated."""

import json
from functools import lru_cache, partial

import jax
import numpy as np

from jdl import losses, metrics

EPSILON = 1e-7  # how near to 0 and 1 Keras lets a probability come
MASKS = ("Dice", "Tversky")


class NotApplicableError(Exception):
    """What a fact is about is not in our losses and metrics."""


def loss_value(name, options, y_true, y_pred, sample_weight=None):
    """Give one value for each row of the last axis, then Keras's reduction."""
    if name in MASKS:
        return _mask_loss(name, options, y_true, y_pred, sample_weight)
    own = {key: x for key, x in options.items() if key != "reduction"}
    mapped, prepare = _mapped_loss(name, json.dumps(own))
    outputs, target = prepare(y_true, y_pred)
    leading = outputs.shape[:-1]
    flat = outputs.reshape(-1, outputs.shape[-1]), target.reshape(-1, *target.shape[len(leading) :])
    values = np.asarray(mapped(*flat)).reshape(leading)
    return _reduced(values, sample_weight, options["reduction"])


@lru_cache
def _mapped_loss(name, options):
    """One program for all facts with the same options."""
    loss, prepare = row_loss(name, json.loads(options))
    return jax.jit(jax.vmap(loss)), prepare


def _reduced(values, weight, how):
    weights = broadcast(weight, values.shape)
    weighted = values * weights
    if how is None:
        return weighted
    if how == "sum":
        return weighted.sum()
    return weighted.sum() / (weights.sum() if how == "mean_with_sample_weight" else values.size)


def broadcast(weight, shape):
    """Weights of the rows: one for all, or given without the last axes, or with an axis of one."""
    weight = np.ones(()) if weight is None else weight
    if weight.ndim > len(shape) and weight.shape[-1] == 1:
        weight = weight[..., 0]
    weight = weight.reshape(*weight.shape, *[1] * (len(shape) - weight.ndim)) if weight.ndim else weight
    return np.broadcast_to(weight, shape)


def _labels(y_true, y_pred):
    return y_pred, np.where(y_true < 0, 0.0, y_true)


def _distributions(y_true, y_pred):
    if not np.allclose(y_pred.sum(-1), 1):
        raise NotApplicableError("predictions that are no distribution")
    return np.log(np.clip(y_pred, EPSILON, 1)), y_true


def _binary(options, y_true, y_pred):
    return (y_pred if options["from_logits"] else _logit(y_pred)), y_true


def _logit(p):
    return jax.scipy.special.logit(np.clip(p, EPSILON, 1 - EPSILON).astype(np.float32))


def _categorical(options, y_true, y_pred):
    if options.get("ignore_class") is not None:
        raise NotApplicableError("a class that is left out")
    if not options["from_logits"]:
        y_pred = np.log(np.clip(y_pred / y_pred.sum(-1, keepdims=True), EPSILON, 1 - EPSILON))
    if y_true.shape != y_pred.shape or options["sparse"]:
        y_true = y_true.reshape(y_pred.shape[:-1]).astype(int)
    return y_pred, y_true


def _smoothed(options, outputs, target):
    share = options.get("label_smoothing", 0.0)
    return outputs, (1 - share) * target + share / target.shape[-1]


def row_loss(name, options):
    """Give our loss of one row, and what makes Keras's arguments ours."""
    plain = lambda y_true, y_pred: (y_pred, y_true)
    smoothing = options.get("label_smoothing", 0.0)
    simple = {
        "MeanSquaredError": (losses.squared_error, plain),
        "MeanAbsoluteError": (losses.absolute_error, plain),
        "MeanAbsolutePercentageError": (_of_row(metrics.mape(), 100.0), plain),
        "MeanSquaredLogarithmicError": (_of_row(metrics.msle()), above_minus_one),
        "LogCosh": (losses.log_cosh, plain),
        "LogCoshError": (losses.log_cosh, plain),
        "CosineSimilarity": (lambda o, y: losses.cosine(o, y) - 1.0, plain),
        "Poisson": (losses.poisson, lambda y_true, y_pred: (np.log(y_pred + EPSILON), y_true)),
        "KLDivergence": (losses.kl_divergence, _distributions),
        "Hinge": (losses.hinge, _labels),
        "SquaredHinge": (losses.squared_hinge, _labels),
    }
    if name in simple:
        return simple[name]
    if name == "Huber":
        return partial(losses.huber, delta=options["delta"]), plain
    if name == "BinaryCrossentropy":
        return partial(losses.binary_cross_entropy, label_smoothing=smoothing), partial(_binary, options)
    if name == "BinaryFocalCrossentropy":
        share = options["alpha"] if options["apply_class_balancing"] else None
        loss = partial(losses.binary_focal, gamma=options["gamma"], positive_share=share)
        return loss, partial(_binary, options)
    options = options | {"sparse": name.startswith("Sparse")}
    if name in ("CategoricalCrossentropy", "SparseCategoricalCrossentropy"):
        loss = partial(losses.cross_entropy, label_smoothing=smoothing)
        return loss, partial(_categorical, options)
    if name == "CategoricalFocalCrossentropy":
        loss = lambda o, y: options["alpha"] * losses.focal(o, y, gamma=options["gamma"])
        return loss, lambda *given: _smoothed(options, *_categorical(options, *given))
    raise KeyError(name)


def _of_row(metric, factor=1.0):
    return lambda o, y: factor * metrics.evaluate(metric, o[None], y[None])


def above_minus_one(y_true, y_pred):
    if min(y_true.min(), y_pred.min()) <= -1:
        raise NotApplicableError("a logarithm of what is not above 0")
    return y_pred, y_true


def nonzero(y_true, y_pred):
    if (y_true == 0).any():
        raise NotApplicableError("an error relative to 0")
    return y_pred, y_true


def _mask_loss(name, options, y_true, y_pred, sample_weight):
    if name == "Dice":
        loss = partial(losses.dice, smooth=EPSILON)
    else:
        # What Keras weighs by alpha is in the target and not predicted.
        ratio = {"false_negative": options["alpha"], "false_positive": options["beta"]}
        loss = partial(losses.tversky, smooth=EPSILON, **ratio)
    p = np.asarray(y_pred, np.float32)
    if p.min() < 0 or p.max() > 1:
        raise NotApplicableError("predictions that are no probabilities")
    logits = np.where(p <= 0, -np.inf, np.where(p >= 1, np.inf, _logit(p)))
    if options["axis"] is None:
        return _reduced(np.asarray(loss(logits, y_true)), sample_weight, options["reduction"])
    return _reduced(np.asarray(jax.vmap(loss)(logits, y_true)), sample_weight, options["reduction"])
