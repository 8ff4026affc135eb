"""Optimizers, schedules and updates by parameter path, for ``optax``.

Everything here is an ``optax.GradientTransformation``, or a schedule ``step -> value``, and composes with
what optax has; any optax transformation serves as an optimizer. Every number may be traced, so that a whole
training run can be mapped over its hyper-parameters. A learning rate is a number or a schedule.
"""

from jdl.optim.adamw import AdamState, adam, adamw
from jdl.optim.clip import centralize, clip_by_norm, clip_by_value, scale_by_path
from jdl.optim.core import Number, Schedule, Skipping, chain
from jdl.optim.descent import (
    adabelief,
    adafactor,
    adagrad,
    lamb,
    lion,
    nadam,
    prodigy,
    radam,
    rmsprop,
)
from jdl.optim.muon import muon
from jdl.optim.schedules import (
    constant,
    cosine,
    cosine_restarts,
    coslog,
    exponential,
    flat_cosine,
    inverse_sqrt,
    linear,
    one_cycle,
    piecewise,
    polynomial,
    warmup_cosine,
    warmup_stable_decay,
)
from jdl.optim.sgd import SgdState, gradient_descent, sgd
from jdl.optim.soap import soap
from jdl.optim.wrap import evaluation_params, lbfgs, lookahead, sam, schedule_free
