"""Many training runs as one program: folds × configurations × seeds, and what comes of them for free."""

from jdl.sweeps.distributions import choice, integer, log_uniform, traced, uniform, when
from jdl.sweeps.halving import halving
from jdl.sweeps.leakage import LeakageError, assert_no_leakage
from jdl.sweeps.nested import Nested, nested
from jdl.sweeps.runs import Facts, Runs
from jdl.sweeps.search import search
from jdl.sweeps.space import grid, random, sobol
from jdl.sweeps.splits import Fold, splits
from jdl.sweeps.sweep import sweep

__all__ = [
    "Facts",
    "Fold",
    "LeakageError",
    "Nested",
    "Runs",
    "assert_no_leakage",
    "choice",
    "grid",
    "halving",
    "integer",
    "log_uniform",
    "nested",
    "random",
    "search",
    "sobol",
    "splits",
    "sweep",
    "traced",
    "uniform",
    "when",
]
