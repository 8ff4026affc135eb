"""Many training runs as one program: folds × configurations × seeds, and what comes of them for free."""

from jdl.sweeps import calibrate, conformal, thresholds
from jdl.sweeps.around import around
from jdl.sweeps.calibrate import calibrated
from jdl.sweeps.compare import Comparison, compare
from jdl.sweeps.crossfit import Rule, cross_fitted
from jdl.sweeps.curves import plot
from jdl.sweeps.distributions import choice, integer, log_uniform, traced, uniform, when
from jdl.sweeps.ensemble import Ensemble
from jdl.sweeps.halving import halving
from jdl.sweeps.importance import importance
from jdl.sweeps.intervals import intervals, prediction_sets
from jdl.sweeps.leakage import LeakageError, assert_no_leakage
from jdl.sweeps.nested import Nested, nested
from jdl.sweeps.runs import Facts, Runs
from jdl.sweeps.search import search
from jdl.sweeps.space import grid, random, sobol
from jdl.sweeps.splits import Fold, splits
from jdl.sweeps.sweep import sweep
from jdl.sweeps.thresholds import decisions

__all__ = [
    "Comparison",
    "Ensemble",
    "Facts",
    "Fold",
    "LeakageError",
    "Nested",
    "Rule",
    "Runs",
    "around",
    "assert_no_leakage",
    "calibrate",
    "calibrated",
    "choice",
    "compare",
    "conformal",
    "cross_fitted",
    "decisions",
    "grid",
    "halving",
    "importance",
    "integer",
    "intervals",
    "log_uniform",
    "nested",
    "plot",
    "prediction_sets",
    "random",
    "search",
    "sobol",
    "splits",
    "sweep",
    "thresholds",
    "traced",
    "uniform",
    "when",
]
