"""Metrics: weighted statistics that are updated batch by batch, merged in any order, and computed at the end.

A metric is a value holding four pure functions, for use under ``jit``, ``vmap``, ``scan``, across machines:

>>> metric = accuracy()
>>> stat = metric.update(metric.init(), jnp.array([-2.0, 3.0]), jnp.array([0, 0]), jnp.array([1.0, 1.0]))
>>> print(metric.compute(stat))
0.5

Outputs are a network's raw outputs. For classes they are logits, ``(batch, k)``, or ``(batch,)`` or
``(batch, 1)`` for the logit of class 1 of two; targets are the classes, ``(batch,)``. For numbers both are
``(batch,)``, ``(batch, 1)`` or ``(batch, m)``. Weights are ``(batch,)``: a row of weight 0 has no influence,
even where it holds NaN. In a row that counts, a NaN output, a class that does not exist or a negative weight
makes the result NaN; so does a statistic of no rows at all. Sums are kept in pairs of float32, exact to about
1e-7 over 1e8 rows.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl import losses

Average = Literal["binary", "micro", "macro", "weighted"]
_Scores = tuple[jax.Array, jax.Array]
_Rows = tuple[jax.Array, jax.Array, jax.Array]


class Metric(NamedTuple):
    """A metric: ``init() -> stat``, ``update(stat, outputs, target, weight) -> stat``, merging, computing.

    ``merge(a, b) -> stat`` is associative and commutative up to rounding, ``init()`` its neutral element;
    ``compute(stat) -> scalar``; ``greater`` tells whether a greater value is better.
    """

    name: str
    init: Callable[[], Any]
    update: Callable[[Any, ArrayLike, ArrayLike, ArrayLike], Any]
    merge: Callable[[Any, Any], Any]
    compute: Callable[[Any], jax.Array]
    greater: bool


def evaluate(
    metric: Metric, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None
) -> jax.Array:
    """Compute a metric of one batch; without ``weight`` every row weighs 1.

    >>> print(evaluate(mse(), jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    2.0
    """
    if weight is None:
        weight = jnp.ones(jnp.shape(target)[:1])
    return metric.compute(metric.update(metric.init(), outputs, target, weight))


def accuracy(*, threshold: ArrayLike = 0.5) -> Metric:
    """Fraction of rows whose class is predicted: the greatest logit, or a probability above ``threshold``.

    ``threshold`` applies to class 1 of two. Equal to ``sklearn.metrics.accuracy_score``.

    >>> print(evaluate(accuracy(), jnp.array([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]), jnp.array([0, 0])))
    0.5
    """

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> _Scores:
        logits, classes, weight = _class_rows(outputs, target, weight)
        return _predicted(logits, threshold) == classes, weight

    return _mean_metric("accuracy", score, greater=True)


def log_loss() -> Metric:
    """Mean cross-entropy in nats, from logits; equal to ``sklearn.metrics.log_loss`` of the probabilities.

    >>> print(f"{evaluate(log_loss(), jnp.array([0.0, 0.0]), jnp.array([0, 1])):.4f}")
    0.6931
    """

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> _Scores:
        logits, classes, weight = _class_rows(outputs, target, weight)
        loss = losses.binary_cross_entropy if logits.ndim == 1 else losses.cross_entropy
        return jax.vmap(loss)(logits, classes), weight

    return _mean_metric("log_loss", score, greater=False)


def mse() -> Metric:
    """Mean squared error, averaged over outputs; equal to ``sklearn.metrics.mean_squared_error``.

    >>> print(evaluate(mse(), jnp.array([[1.0], [2.0]]), jnp.array([1.0, 4.0])))
    2.0
    """

    def score(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> _Scores:
        predicted, actual, weight = _number_rows(outputs, target, weight)
        return jnp.mean(jnp.square(predicted - actual), axis=1), weight

    return _mean_metric("mse", score, greater=False)


def precision(average: Average = "binary", *, classes: int = 2, threshold: ArrayLike = 0.5) -> Metric:
    """Fraction of the rows predicted to be of a class that are: ``hits / predicted``, 0 where none is.

    Args:
        average: ``binary``: class 1 of two. ``micro``: of counts summed over classes. ``macro``: the mean
            over the classes that occur, as targets or as predictions. ``weighted``: the mean weighted by each
            class's share of the targets.
        classes: Number of classes.
        threshold: Probability above which class 1 of two is predicted.

    Raises:
        ValueError: An unknown average, or ``binary`` with more than two classes.

    Equal to ``sklearn.metrics.precision_score``.

    >>> print(evaluate(precision(), jnp.array([3.0, 1.0, -1.0]), jnp.array([1, 0, 1])))
    0.5
    """
    return _count_metric("precision", average, classes, threshold, lambda hit, said, is_: _ratio(hit, said))


def recall(average: Average = "binary", *, classes: int = 2, threshold: ArrayLike = 0.5) -> Metric:
    """Fraction of the rows of a class that are predicted to be: ``hits / actual``, 0 where there is none.

    Arguments and errors as for ``precision``. Equal to ``sklearn.metrics.recall_score``.

    >>> print(evaluate(recall(), jnp.array([3.0, 1.0, -1.0]), jnp.array([1, 0, 1])))
    0.5
    """
    return _count_metric("recall", average, classes, threshold, lambda hit, said, is_: _ratio(hit, is_))


def f1(average: Average = "binary", *, classes: int = 2, threshold: ArrayLike = 0.5) -> Metric:
    """Harmonic mean of precision and recall: ``2 hits / (predicted + actual)``, 0 where both are 0.

    Arguments and errors as for ``precision``. Equal to ``sklearn.metrics.f1_score``.

    >>> print(evaluate(f1(), jnp.array([3.0, 1.0, -1.0]), jnp.array([1, 0, 1])))
    0.5
    """
    return _count_metric(
        "f1", average, classes, threshold, lambda hit, said, is_: _ratio(2 * hit, said + is_)
    )


def roc_auc(*, bins: int = 8192) -> Metric:
    """Area under the ROC curve of two classes, from a histogram of logits; see also ``exact_roc_auc``.

    The probability that a row of class 1 scores above one of class 0, a tie counting one half; NaN where one
    class has no rows. Logits in one bin tie. A bin is 0.4 % of its logit wide (even below 0.001): well within
    1e-3 of the exact area, unless the logits differ by less than a few such widths.

    Args:
        bins: Number of bins; a statistic holds four float32 each.

    >>> print(evaluate(roc_auc(), jnp.array([-1.0, 0.0, 0.0, 2.0]), jnp.array([0, 0, 1, 1])))
    0.875
    """

    def update(stat: _Sum, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> _Sum:
        logits, classes, weight = _two_class_rows(outputs, target, weight)
        # Even steps of asinh: even near 0, a constant fraction of the logit beyond, from 1e-3 up to 1e4.
        place = jnp.clip(0.5 + 0.5 * jnp.arcsinh(logits / 1e-3) / jnp.arcsinh(1e7), 0.0, 1.0)
        index = jnp.minimum((place * bins).astype(jnp.int32), bins - 1)
        return _add(stat, _rounded(jnp.zeros((2, bins), jnp.float32).at[classes, index].add(weight)))

    def compute(stat: _Sum) -> jax.Array:
        negative, positive = _value(stat)
        below = jnp.cumsum(negative) - 0.5 * negative
        return jnp.sum((positive / jnp.sum(positive)) * (below / jnp.sum(negative)))

    return Metric("roc_auc", lambda: _zero((2, bins)), update, _add, compute, greater=True)


def exact_roc_auc(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None) -> jax.Array:
    """Area under the ROC curve of two classes, from all rows at once, by sorting.

    The probability that a row of class 1 scores above one of class 0, a tie counting one half; NaN where one
    class has no rows. Equal to ``sklearn.metrics.roc_auc_score``.

    >>> print(exact_roc_auc(jnp.array([-1.0, 0.0, 0.0, 2.0]), jnp.array([0, 0, 1, 1])))
    0.875
    """
    if weight is None:
        weight = jnp.ones(jnp.shape(target)[:1])
    logits, classes, weight = _two_class_rows(outputs, target, weight)
    order = jnp.argsort(logits)
    score, positive = logits[order], jnp.where(classes == 1, weight, 0.0)[order]
    negative = weight[order] - positive
    # Over a run of ties, the negatives below it are known at its first row, those up to its end at its last.
    changes, edge = score[1:] != score[:-1], jnp.ones(1, bool)
    upto = jnp.cumsum(negative)
    below = jax.lax.cummax(jnp.where(jnp.concatenate([edge, changes]), upto - negative, 0.0))
    upto = jax.lax.cummin(jnp.where(jnp.concatenate([changes, edge]), upto, jnp.inf), reverse=True)
    return jnp.sum(positive / jnp.sum(positive) * (0.5 * (below + upto) / jnp.sum(negative)))


class _Moments(NamedTuple):
    weight: "_Sum"
    mean: "_Sum"
    spread: "_Sum"
    residual: "_Sum"


def r2(outputs: int = 1) -> Metric:
    r"""Share of the variance explained, averaged over outputs.

    .. math:: 1 - \sum_i w_i (y_i - o_i)^2 / \sum_i w_i (y_i - \bar y)^2

    A constant target gives 1 where it is predicted exactly, else 0. The variance comes from merged moments:
    a large mean does not cancel it. Equal to ``sklearn.metrics.r2_score``.

    Args:
        outputs: Number of outputs, ``m``.

    Reference: Chan, Golub and LeVeque, 1979, https://doi.org/10.1080/00031305.1983.10483115.

    >>> print(evaluate(r2(), jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 2.0, 5.0])))
    0.53846157
    """

    def update(stat: _Moments, predicted: ArrayLike, target: ArrayLike, weight: ArrayLike) -> _Moments:
        predicted, target, weight = _number_rows(predicted, target, weight)
        if target.shape[1] != outputs:
            raise ValueError(f"r2: a row has {target.shape[1]} outputs, the metric is r2(outputs={outputs})")
        return merge(stat, _moments(predicted, target, weight))

    def merge(a: _Moments, b: _Moments) -> _Moments:
        weight = _add(a.weight, b.weight)
        share = _value(b.weight) / _nonzero(_value(weight))
        shift = _add(b.mean, jax.tree.map(jnp.negative, a.mean))
        mean = _add(a.mean, jax.tree.map(lambda x: x * share, shift))
        between = jnp.square(_value(shift)) * _value(a.weight) * share
        spread = _add(_add(a.spread, b.spread), _rounded(between))
        return _Moments(weight, mean, spread, _add(a.residual, b.residual))

    def compute(stat: _Moments) -> jax.Array:
        spread, residual = _value(stat.spread), _value(stat.residual)
        constant = jnp.where(residual == 0, 1.0, 0.0)
        score = jnp.where(spread <= 0, constant, 1.0 - residual / jnp.where(spread <= 0, 1.0, spread))
        return jnp.where(_value(stat.weight) == 0, jnp.nan, jnp.mean(score))

    def init() -> _Moments:
        return _Moments(_zero(()), _zero((outputs,)), _zero((outputs,)), _zero((outputs,)))

    return Metric("r2", init, update, merge, compute, greater=True)


def _moments(predicted: jax.Array, target: jax.Array, weight: jax.Array) -> _Moments:
    """Take the moments of one batch, about a centre within the data: a constant target spreads exactly 0."""
    total, rows = _total(weight), weight[:, None]
    whole = _nonzero(_value(total))
    low = jnp.min(target, axis=0, where=rows > 0, initial=jnp.inf)
    high = jnp.max(target, axis=0, where=rows > 0, initial=-jnp.inf)
    centre = jnp.where(low <= high, jnp.clip(jnp.sum(rows * target, axis=0) / whole, low, high), 0.0)
    offset = _value(_total(rows * (target - centre))) / whole
    excess = _rounded(-_value(total) * jnp.square(offset))
    spread = _add(_total(rows * jnp.square(target - centre)), excess)
    residual = _total(rows * jnp.square(predicted - target))
    return _Moments(total, _Sum(*_two_sum(centre, offset)), spread, residual)


def _mean_metric(name: str, score: Callable[..., _Scores], *, greater: bool) -> Metric:
    """Average a score over rows; the statistic is the sums of score and of weight."""

    def update(stat: _Sum, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> _Sum:
        value, weight = score(outputs, target, weight)
        return _add(stat, _total(jnp.stack([value * weight, weight], axis=1)))

    def compute(stat: _Sum) -> jax.Array:
        value, weight = _value(stat)
        return value / weight

    return Metric(name, lambda: _zero((2,)), update, _add, compute, greater)


def _count_metric(
    name: str,
    average: Average,
    classes: int,
    threshold: ArrayLike,
    score: Callable[[jax.Array, jax.Array, jax.Array], jax.Array],
) -> Metric:
    """Score the counts of each class; the statistic is hits, predictions and targets by class."""
    if average not in get_args(Average):
        raise ValueError(f"{name}: average is {average!r}, needs one of {', '.join(get_args(Average))}")
    if average == "binary" and classes != 2:
        raise ValueError(f'{name}: average="binary" has two classes, found classes={classes}: use "macro"')

    def update(stat: _Sum, outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> _Sum:
        logits, actual, weight = _class_rows(outputs, target, weight)
        found = 2 if logits.ndim == 1 else logits.shape[1]
        if found != classes:
            raise ValueError(f"{name}: outputs of {found} classes, the metric has classes={classes}")
        said = _predicted(logits, threshold)[:, None] == jnp.arange(classes)
        is_ = actual[:, None] == jnp.arange(classes)
        return _add(stat, _total(weight[:, None, None] * jnp.stack([said & is_, said, is_], axis=1)))

    def compute(stat: _Sum) -> jax.Array:
        hit, said, is_ = _value(stat)
        by_class = score(hit, said, is_)
        if average == "binary":
            value = by_class[1]
        elif average == "micro":
            value = score(hit.sum(), said.sum(), is_.sum())
        elif average == "macro":
            value = jnp.mean(by_class, where=said + is_ != 0)
        else:
            value = jnp.sum(by_class * is_) / jnp.sum(is_)
        # XLA may turn NaN * 0 into 0, so that a bad row shows only in the class it was given.
        return jnp.where(jnp.sum(is_) > 0, value, jnp.nan)

    full_name = name if average == "binary" else f"{name}_{average}"
    return Metric(full_name, lambda: _zero((3, classes)), update, _add, compute, greater=True)


def _ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    return jnp.where(whole == 0, 0.0, part / _nonzero(whole))


def _nonzero(value: jax.Array) -> jax.Array:
    return jnp.where(value == 0, 1.0, value)


def _predicted(logits: jax.Array, threshold: ArrayLike) -> jax.Array:
    return logits > jax.scipy.special.logit(threshold) if logits.ndim == 1 else jnp.argmax(logits, axis=1)


def _class_rows(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> _Rows:
    """Give logits, ``(batch,)`` for two classes, classes and weights; dead rows are all zeros."""
    logits, target, weight = _rows(outputs, target, weight)
    if logits.ndim == 2 and logits.shape[1] <= 2:
        logits = logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]
    if logits.ndim > 2 or target.size != target.shape[0]:
        raise ValueError(
            f"outputs have shape {jnp.shape(outputs)}, the target {target.shape}; for classes they need"
            " (batch,), (batch, 1) or (batch, classes), and (batch,)"
        )
    target = target.reshape(-1)
    classes = target.astype(jnp.int32)
    bad = (classes != target) | (classes < 0) | (classes >= (2 if logits.ndim == 1 else logits.shape[1]))
    bad |= jnp.isnan(logits).any(axis=tuple(range(1, logits.ndim)))
    live = weight != 0
    weight = jnp.where(live & bad, jnp.nan, weight)
    return jnp.where(live & ~bad, logits.T, 0.0).T, jnp.where(live & ~bad, classes, 0), weight


def _two_class_rows(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> _Rows:
    logits, classes, weight = _class_rows(outputs, target, weight)
    if logits.ndim != 1:
        raise ValueError(f"roc_auc: outputs have shape {jnp.shape(outputs)}, needs the logits of two classes")
    return logits, classes, weight


def _number_rows(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> _Rows:
    """Give outputs and targets, ``(batch, m)``, and weights; dead rows are all zeros."""
    predicted, actual, weight = _rows(outputs, target, weight)
    predicted, actual = (x[:, None] if x.ndim == 1 else x for x in (predicted, actual))
    if predicted.shape != actual.shape or predicted.ndim != 2:
        raise ValueError(
            f"outputs have shape {jnp.shape(outputs)}, the target {jnp.shape(target)}; for numbers they need"
            " the same shape, (batch,) or (batch, m)"
        )
    live = (weight != 0)[:, None]
    return jnp.where(live, predicted, 0.0), jnp.where(live, actual.astype(jnp.float32), 0.0), weight


def _rows(outputs: ArrayLike, target: ArrayLike, weight: ArrayLike) -> _Rows:
    outputs, target = jnp.asarray(outputs, jnp.float32), jnp.asarray(target)
    weight = jnp.asarray(weight, jnp.float32)
    batch = outputs.shape[:1]
    if outputs.ndim == 0 or target.shape[:1] != batch or weight.shape != batch:
        raise ValueError(
            f"outputs have shape {outputs.shape}, the target {target.shape} and the weights {weight.shape};"
            " they need the same number of rows, and one weight a row"
        )
    return outputs, target, jnp.where(weight < 0, jnp.nan, weight)


class _Sum(NamedTuple):
    """A sum in two float32: the rounded sum, and what rounding lost."""

    high: jax.Array
    low: jax.Array


def _zero(shape: tuple[int, ...]) -> _Sum:
    return _rounded(jnp.zeros(shape, jnp.float32))


def _value(a: _Sum) -> jax.Array:
    return a.high + a.low


def _rounded(a: jax.Array) -> _Sum:
    return _Sum(a, jnp.zeros_like(a))


def _two_sum(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Give the rounded sum and its exact rounding error (Knuth, TAOCP 2, section 4.2.2)."""
    high = a + b
    part = high - a
    return high, (a - (high - part)) + (b - part)


def _add(a: _Sum, b: _Sum) -> _Sum:
    high, low = _two_sum(a.high, b.high)
    return _Sum(*_two_sum(high, low + (a.low + b.low)))


def _total(terms: jax.Array) -> _Sum:
    """Sum over the leading axis."""
    zero = jnp.float32(0.0)
    return _Sum(*jax.lax.reduce(_rounded(terms), _rounded(zero), lambda a, b: _add(a, b), (0,)))
