"""Metrics: weighted statistics that are updated batch by batch, merged in any order, and computed at the end.

A metric is a value holding four pure functions, for use under ``jit``, ``vmap``, ``scan``, across machines:

>>> import jax.numpy as jnp
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

What cannot be merged exactly from a statistic of fixed size is a function of all rows at once, called
``exact_…``; ``roc_auc`` and ``average_precision`` exist both ways, the mergeable one binned.
"""

from jdl.metrics.classification import (
    accuracy,
    brier,
    calibration_error,
    d2_brier,
    d2_log_loss,
    hamming_loss,
    log_loss,
    perplexity,
    top_k_accuracy,
)
from jdl.metrics.confusion import cohen_kappa, confusion_matrix
from jdl.metrics.counts import (
    Average,
    balanced_accuracy,
    f1,
    f_beta,
    jaccard,
    matthews,
    precision,
    recall,
)
from jdl.metrics.forecast import crps_ensemble, crps_gaussian, crps_quantiles, mase, naive_error, smape
from jdl.metrics.metric import Metric, evaluate, mean_of
from jdl.metrics.ranking import (
    average_precision,
    exact_average_precision,
    exact_roc_auc,
    exact_spearman,
    roc_auc,
)
from jdl.metrics.regression import (
    d2_tweedie,
    exact_d2_pinball,
    exact_median_absolute_error,
    mae,
    mape,
    max_error,
    mse,
    msle,
    pinball,
    rmse,
    rmsle,
    tweedie_deviance,
)
from jdl.metrics.variance import explained_variance, pearson, r2
