"""Many training runs as one program: folds × configurations × seeds, and what comes of them for free."""

from jdl.sweeps import calibrate, conformal, thresholds
from jdl.sweeps.calibrate import calibrated
from jdl.sweeps.compare import Comparison, compare
from jdl.sweeps.crossfit import Rule, cross_fitted
from jdl.sweeps.curves import plot
from jdl.sweeps.ensemble import Ensemble
from jdl.sweeps.importance import importance
from jdl.sweeps.intervals import intervals, prediction_sets
from jdl.sweeps.runs import Facts, Runs
from jdl.sweeps.space import grid
from jdl.sweeps.splits import Fold, splits
from jdl.sweeps.sweep import sweep
from jdl.sweeps.thresholds import decisions

__all__ = [
    "Comparison",
    "Ensemble",
    "Facts",
    "Fold",
    "Rule",
    "Runs",
    "calibrate",
    "calibrated",
    "compare",
    "conformal",
    "cross_fitted",
    "decisions",
    "grid",
    "importance",
    "intervals",
    "plot",
    "prediction_sets",
    "splits",
    "sweep",
    "thresholds",
]
