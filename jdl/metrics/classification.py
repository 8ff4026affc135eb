"""Metrics of predicted classes and probabilities: accuracy, log loss, Brier score, calibration."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl import losses
from jdl.metrics.metric import Metric, Scores, mean_metric
from jdl.metrics.rows import class_rows, label_rows, predicted
from jdl.metrics.sums import Sum, add, rounded, total, value, zero


def accuracy(*, threshold: ArrayLike = 0.5) -> Metric:
    """Fraction of rows whose class is predicted: the greatest logit, or a probability above ``threshold``.

    ``threshold`` applies to class 1 of two. Equal to ``sklearn.metrics.accuracy_score``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(accuracy(), jnp.array([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]), jnp.array([0, 0])))
    0.5
    """

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        logits, classes, weight = class_rows(outputs, target, weight)
        return predicted(logits, threshold) == classes, weight

    return mean_metric("accuracy", score, greater=True)


def top_k_accuracy(k: int = 5) -> Metric:
    """Fraction of rows whose class is among the ``k`` greatest logits; the first class of a tie goes first.

    Equal to ``sklearn.metrics.top_k_accuracy_score`` where no two logits of a row tie.

    Raises:
        ValueError: In ``update``, logits of two classes: those ``accuracy`` is for.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(top_k_accuracy(2), jnp.array([[2.0, 1.0, 0.0], [2.0, 1.0, 3.0]]), jnp.array([1, 1])))
    0.5
    """

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        logits, classes, weight = class_rows(outputs, target, weight)
        if logits.ndim == 1:
            raise ValueError(
                f"top_k_accuracy: outputs have shape {jnp.shape(outputs)}, needs more than two classes"
            )
        own = jnp.take_along_axis(logits, classes[:, None], axis=1)
        before = (logits == own) & (jnp.arange(logits.shape[1]) < classes[:, None])
        return jnp.sum((logits > own) | before, axis=1) < k, weight

    return mean_metric(f"top_{k}_accuracy", score, greater=True)


def hamming_loss() -> Metric:
    """Fraction of labels that are predicted wrongly, where a row may have several.

    Outputs and targets are ``(batch, labels)``; a label is predicted where its logit is above 0. Equal to
    ``sklearn.metrics.hamming_loss``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(hamming_loss(), jnp.array([[2.0, -1.0], [1.0, 1.0]]), jnp.array([[1, 0], [0, 1]])))
    0.25
    """

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        logits, labels, weight = label_rows(outputs, target, weight)
        return jnp.mean((logits > 0) != labels, axis=1), weight

    return mean_metric("hamming_loss", score, greater=False)


def _log_loss(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
    logits, classes, weight = class_rows(outputs, target, weight)
    loss = losses.binary_cross_entropy if logits.ndim == 1 else losses.cross_entropy
    return jax.vmap(loss)(logits, classes), weight


def log_loss() -> Metric:
    """Mean cross-entropy in nats, from logits; equal to ``sklearn.metrics.log_loss`` of the probabilities.

    >>> from jdl.metrics import evaluate
    >>> print(f"{evaluate(log_loss(), jnp.array([0.0, 0.0]), jnp.array([0, 1])):.4f}")
    0.6931
    """
    return mean_metric("log_loss", _log_loss, greater=False)


def perplexity() -> Metric:
    """Exponential of the mean cross-entropy: among how many equally likely classes one guesses, so to say.

    Outputs of shape ``(batch, length, classes)`` with targets ``(batch, length)``, such as a language model's
    tokens, count every position.

    >>> from jdl.metrics import evaluate
    >>> print(f"{evaluate(perplexity(), jnp.zeros((2, 5, 4)), jnp.zeros((2, 5), int)):.4f}")
    4.0000
    """

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        outputs, target = jnp.asarray(outputs), jnp.asarray(target)
        if outputs.ndim == 3:
            length = outputs.shape[1]
            outputs, target = outputs.reshape(-1, outputs.shape[2]), target.reshape(-1)
            weight = jnp.repeat(jnp.asarray(weight), length)
        return _log_loss(outputs, target, weight)

    return mean_metric("perplexity", score, greater=False, finish=jnp.exp)


def _brier(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
    logits, classes, weight = class_rows(outputs, target, weight)
    if logits.ndim == 1:
        return jnp.square(jax.nn.sigmoid(logits) - classes), weight
    return jnp.sum(jnp.square(jax.nn.softmax(logits) - _one_hot(classes, logits.shape[1])), axis=1), weight


def brier() -> Metric:
    """Mean squared error of the probabilities: of class 1 of two, or summed over more classes.

    Equal to ``sklearn.metrics.brier_score_loss``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(brier(), jnp.array([0.0, 0.0]), jnp.array([0, 1])))
    0.25
    """
    return mean_metric("brier", _brier, greater=False)


def d2_log_loss(*, classes: int = 2) -> Metric:
    r"""Share of the log loss explained: one less its ratio to that of predicting the classes' shares.

    NaN where only one class has rows. Equal to ``sklearn.metrics.d2_log_loss_score`` elsewhere.

    Args:
        classes: Number of classes.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(d2_log_loss(), jnp.array([0.0, 0.0]), jnp.array([0, 1])))
    0.0
    """
    surprise = lambda share: -jnp.sum(jax.scipy.special.xlogy(share, share))
    return _explained("d2_log_loss", classes, _log_loss, surprise)


def d2_brier(*, classes: int = 2) -> Metric:
    r"""Share of the Brier score explained: one less its ratio to that of predicting the classes' shares.

    NaN where only one class has rows. Equal to ``sklearn.metrics.d2_brier_score`` elsewhere.

    Args:
        classes: Number of classes.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(d2_brier(), jnp.array([0.0, 0.0]), jnp.array([0, 1])))
    0.0
    """
    half = 0.5 if classes == 2 else 1.0  # of two classes only one is counted
    return _explained("d2_brier", classes, _brier, lambda share: half * (1.0 - jnp.sum(share * share)))


def _explained(
    name: str, classes: int, score: Callable[..., Scores], of_shares: Callable[[jax.Array], jax.Array]
) -> Metric:
    """Compare a mean score with what it would be for the classes' shares."""

    def update(stat: Sum, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Sum:
        logits, actual, weight = class_rows(outputs, target, weight)
        check_classes(name, logits, classes)
        scores, _ = score(logits, actual, weight)
        columns = jnp.append(scores[:, None], _one_hot(actual, classes), axis=1)
        return add(stat, total(weight[:, None] * columns))

    def compute(stat: Sum) -> jax.Array:
        summed, by_class = value(stat)[0], value(stat)[1:]
        whole = jnp.sum(by_class)
        least = of_shares(by_class / whole)
        return jnp.where(least > 0, 1.0 - summed / whole / jnp.where(least > 0, least, 1.0), jnp.nan)

    return Metric(name, lambda: zero((classes + 1,)), update, add, compute, greater=True)


def calibration_error(*, bins: int = 15) -> Metric:
    r"""Expected calibration error: how far the probability of the predicted class is from being its accuracy.

    .. math:: \sum_b \frac{W_b}{W} \left| \mathrm{accuracy}_b - \mathrm{confidence}_b \right|

    over bins of equal width of the greatest probability of a row.

    Args:
        bins: Number of bins from 0 to 1.

    Reference: Guo et al., 2017, https://arxiv.org/abs/1706.04599.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(calibration_error(), jnp.array([0.0, 0.0, 0.0, 0.0]), jnp.array([0, 0, 0, 1])))
    0.25
    """

    def update(stat: Sum, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Sum:
        logits, classes, weight = class_rows(outputs, target, weight)
        if logits.ndim == 1:
            logits = jnp.stack([jnp.zeros_like(logits), logits], axis=1)
        confidence = jnp.max(jax.nn.softmax(logits), axis=1)
        right = (jnp.argmax(logits, axis=1) == classes).astype(jnp.float32)
        index = jnp.clip(jnp.ceil(confidence * bins).astype(jnp.int32) - 1, 0, bins - 1)
        values = jnp.stack([right - confidence, jnp.ones_like(right)], axis=1) * weight[:, None]
        return add(stat, rounded(jnp.zeros((bins, 2), jnp.float32).at[index].add(values)))

    def compute(stat: Sum) -> jax.Array:
        gap, mass = value(stat).T
        return jnp.sum(jnp.abs(gap)) / jnp.sum(mass)

    return Metric("calibration_error", lambda: zero((bins, 2)), update, add, compute, greater=False)


def check_classes(name: str, logits: jax.Array, classes: int) -> None:
    """Raise where the logits are not those of the metric's number of classes."""
    found = 2 if logits.ndim == 1 else logits.shape[1]
    if found != classes:
        raise ValueError(f"{name}: outputs of {found} classes, the metric has classes={classes}")


def _one_hot(classes: jax.Array, count: int) -> jax.Array:
    return (classes[:, None] == jnp.arange(count)).astype(jnp.float32)
