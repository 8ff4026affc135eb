"""Metrics of hits, predictions and targets by class: precision and recall, and what is made of them."""

from collections.abc import Callable
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.metrics.classification import check_classes
from jdl.metrics.metric import Metric, Scores, mean_metric
from jdl.metrics.rows import class_rows, label_rows, predicted
from jdl.metrics.sums import Sum, add, nonzero, ratio, total, value, zero

Average = Literal["binary", "micro", "macro", "weighted", "samples"]
_Score = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def precision(
    average: Average | None = "binary",
    *,
    classes: int = 2,
    labels: int | None = None,
    threshold: ArrayLike = 0.5,
) -> Metric:
    """Fraction of the rows predicted to be of a class that are: ``hits / predicted``, 0 where none is.

    Args:
        average: ``binary``: class 1 of two. ``micro``: of counts summed over classes. ``macro``: the mean
            over the classes that occur, as targets or as predictions, or over all labels. ``weighted``: the
            mean weighted by each class's share of the targets. ``samples``: with ``labels``, the mean over
            rows. None: no average, one value for each class.
        classes: Number of classes.
        labels: Number of labels, where a row may have several: outputs and targets are ``(batch, labels)``,
            and a label's logit is taken on its own.
        threshold: Probability above which class 1 of two, or a label, is predicted.

    Raises:
        ValueError: An unknown average, or one that does not fit the number of classes or labels.

    Equal to ``sklearn.metrics.precision_score``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(precision(), jnp.array([3.0, 1.0, -1.0]), jnp.array([1, 0, 1])))
    0.5
    """
    score = lambda hit, said, is_: ratio(hit, said)
    return _count_metric("precision", score, average, classes, labels, threshold)


def recall(
    average: Average | None = "binary",
    *,
    classes: int = 2,
    labels: int | None = None,
    threshold: ArrayLike = 0.5,
) -> Metric:
    """Fraction of the rows of a class that are predicted to be: ``hits / actual``, 0 where there is none.

    Arguments and errors as for ``precision``. Equal to ``sklearn.metrics.recall_score``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(recall(), jnp.array([3.0, 1.0, -1.0]), jnp.array([1, 0, 1])))
    0.5
    """
    score = lambda hit, said, is_: ratio(hit, is_)
    return _count_metric("recall", score, average, classes, labels, threshold)


def f1(
    average: Average | None = "binary",
    *,
    classes: int = 2,
    labels: int | None = None,
    threshold: ArrayLike = 0.5,
) -> Metric:
    """Harmonic mean of precision and recall: ``2 hits / (predicted + actual)``, 0 where both are 0.

    Arguments and errors as for ``precision``. Equal to ``sklearn.metrics.f1_score``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(f1(), jnp.array([3.0, 1.0, -1.0]), jnp.array([1, 0, 1])))
    0.5
    """
    score = lambda hit, said, is_: ratio(2 * hit, said + is_)
    return _count_metric("f1", score, average, classes, labels, threshold)


def f_beta(
    beta: ArrayLike,
    average: Average | None = "binary",
    *,
    classes: int = 2,
    labels: int | None = None,
    threshold: ArrayLike = 0.5,
) -> Metric:
    r"""Mean of precision and recall in which recall counts :math:`\beta` times as much.

    .. math:: \frac{(1 + \beta^2) \cdot \mathrm{hits}}{\mathrm{predicted} + \beta^2 \cdot \mathrm{actual}}

    Other arguments and errors as for ``precision``. Equal to ``sklearn.metrics.fbeta_score``.

    Reference: van Rijsbergen, 1979, Information Retrieval, chapter 7.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(f_beta(2.0), jnp.array([3.0, -1.0, -1.0]), jnp.array([1, 0, 1])).round(4))
    0.5556
    """
    square = jnp.square(jnp.asarray(beta, jnp.float32))
    score = lambda hit, said, is_: ratio((1 + square) * hit, said + square * is_)
    return _count_metric("f_beta", score, average, classes, labels, threshold)


def jaccard(
    average: Average | None = "binary",
    *,
    classes: int = 2,
    labels: int | None = None,
    threshold: ArrayLike = 0.5,
) -> Metric:
    """Intersection over union: ``hits / (predicted + actual - hits)``, 0 where both are 0.

    Arguments and errors as for ``precision``. Equal to ``sklearn.metrics.jaccard_score``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(jaccard(), jnp.array([3.0, 1.0, 1.0]), jnp.array([1, 0, 1])).round(4))
    0.6667
    """
    score = lambda hit, said, is_: ratio(hit, said + is_ - hit)
    return _count_metric("jaccard", score, average, classes, labels, threshold)


def balanced_accuracy(*, classes: int = 2, threshold: ArrayLike = 0.5, adjusted: bool = False) -> Metric:
    """Mean of the recall of every class that has rows.

    Args:
        classes: Number of classes.
        threshold: Probability above which class 1 of two is predicted.
        adjusted: Scale it so that chance gives 0 and perfection 1.

    Equal to ``sklearn.metrics.balanced_accuracy_score``.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(balanced_accuracy(), jnp.array([3.0, -1.0, -1.0]), jnp.array([1, 0, 1])))
    0.75
    """

    def compute(hit: jax.Array, said: jax.Array, is_: jax.Array) -> jax.Array:
        mean = jnp.mean(ratio(hit, is_), where=is_ != 0)
        chance = 1.0 / jnp.sum(is_ != 0)
        return (mean - chance) / (1.0 - chance) if adjusted else mean

    return _from_counts("balanced_accuracy", compute, classes, threshold)


def matthews(*, classes: int = 2, threshold: ArrayLike = 0.5) -> Metric:
    """Correlation of predicted and actual classes, from -1 to 1; 0 where either is always the same.

    Arguments as for ``balanced_accuracy``. Equal to ``sklearn.metrics.matthews_corrcoef``.

    Reference: Gorodkin, 2004, https://doi.org/10.1016/j.compbiolchem.2004.09.006.

    >>> from jdl.metrics import evaluate
    >>> print(evaluate(matthews(), jnp.array([3.0, -1.0, -1.0]), jnp.array([1, 0, 1])))
    0.5
    """

    def compute(hit: jax.Array, said: jax.Array, is_: jax.Array) -> jax.Array:
        hit, said, is_ = (part / jnp.sum(is_) for part in (hit, said, is_))
        both = jnp.sum(hit) - jnp.sum(said * is_)
        return ratio(both, jnp.sqrt((1.0 - jnp.sum(said * said)) * (1.0 - jnp.sum(is_ * is_))))

    return _from_counts("matthews", compute, classes, threshold)


def _from_counts(
    name: str, compute: _Score, classes: int, threshold: ArrayLike, labels: int | None = None
) -> Metric:
    """Compute a metric of hits, predictions and targets by class, or by label."""

    def by_class(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> tuple[jax.Array, ...]:
        logits, actual, weight = class_rows(outputs, target, weight)
        check_classes(name, logits, classes)
        said = predicted(logits, threshold)[:, None] == jnp.arange(classes)
        return said, actual[:, None] == jnp.arange(classes), weight

    def by_label(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> tuple[jax.Array, ...]:
        logits, is_, weight = _label_rows(name, labels, outputs, target, weight)
        return logits > jax.scipy.special.logit(threshold), is_, weight

    def update(stat: Sum, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Sum:
        said, is_, weight = (by_class if labels is None else by_label)(outputs, target, weight)
        columns = jnp.concatenate([said & is_, said, is_, jnp.ones_like(said[:, :1])], axis=1)
        return add(stat, total(weight[:, None] * columns))

    def finish(stat: Sum) -> jax.Array:
        sums = value(stat)
        # XLA may turn NaN * 0 into 0, so that a bad row may show only in the weight of all.
        return jnp.where(sums[-1] > 0, compute(*sums[:-1].reshape(3, -1)), jnp.nan)

    count = classes if labels is None else labels
    return Metric(name, lambda: zero((3 * count + 1,)), update, add, finish, greater=True)


def _count_metric(
    name: str,
    score: _Score,
    average: Average | None,
    classes: int,
    labels: int | None,
    threshold: ArrayLike,
) -> Metric:
    """Score the counts of each class or label, and average."""
    _check_average(name, average, classes, labels)
    full_name = name if average == "binary" else f"{name}_{average or 'by_class'}"
    if average == "samples":
        return _by_row(full_name, score, labels, threshold)

    def compute(hit: jax.Array, said: jax.Array, is_: jax.Array) -> jax.Array:
        by_class = score(hit, said, is_)
        if average is None:
            return by_class
        if average == "binary":
            return by_class[1]
        if average == "micro":
            return score(hit.sum(), said.sum(), is_.sum())
        if average == "macro":
            return jnp.mean(by_class, where=(said + is_ != 0) if labels is None else None)
        return jnp.sum(by_class * is_) / nonzero(jnp.sum(is_))

    return _from_counts(full_name, compute, classes, threshold, labels)


def _by_row(name: str, score: _Score, labels: int | None, threshold: ArrayLike) -> Metric:
    def scores(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> Scores:
        logits, is_, weight = _label_rows(name, labels, outputs, target, weight)
        said = logits > jax.scipy.special.logit(threshold)
        counts = (jnp.sum(part, axis=1).astype(jnp.float32) for part in (said & is_, said, is_))
        return score(*counts), weight

    return mean_metric(name, scores, greater=True)


def _label_rows(name: str, labels: int | None, *batch: ArrayLike) -> tuple[jax.Array, jax.Array, jax.Array]:
    logits, is_, weight = label_rows(*batch)
    if logits.shape[1] != labels:
        raise ValueError(f"{name}: outputs of {logits.shape[1]} labels, the metric has labels={labels}")
    return logits, is_, weight


def _check_average(name: str, average: Average | None, classes: int, labels: int | None) -> None:
    if average is not None and average not in get_args(Average):
        names = ", ".join(get_args(Average))
        raise ValueError(f"{name}: average is {average!r}, needs one of {names}, or None")
    if average == "binary" and (classes != 2 or labels is not None):
        found = f"classes={classes}" if labels is None else f"labels={labels}"
        raise ValueError(f'{name}: average="binary" has two classes, found {found}: use "macro"')
    if average == "samples" and labels is None:
        raise ValueError(f'{name}: average="samples" is over rows with several labels, needs labels=')
