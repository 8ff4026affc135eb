"""Many training runs as one program: folds × configurations × seeds, and what comes of them for free."""

from jdl.sweeps.halving import halving
from jdl.sweeps.nested import Nested, nested
from jdl.sweeps.runs import Facts, Runs
from jdl.sweeps.space import grid
from jdl.sweeps.splits import Fold, splits
from jdl.sweeps.sweep import sweep

__all__ = ["Facts", "Fold", "Nested", "Runs", "grid", "halving", "nested", "splits", "sweep"]
