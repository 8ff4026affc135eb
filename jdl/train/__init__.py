"""Training as a pure function, and the fronts that compile and drive it."""

from jdl.train.check import check_data
from jdl.train.checkpoint import CheckpointError
from jdl.train.failure import TrainingError
from jdl.train.fit import fit
from jdl.train.loop import loop
from jdl.train.objective import objective
from jdl.train.predict import predict
from jdl.train.recipe import Recipe, RecipeError, Run, TrainState
from jdl.train.run import compiled, run
from jdl.train.step import start, step

__all__ = [
    "CheckpointError",
    "Recipe",
    "RecipeError",
    "Run",
    "TrainState",
    "TrainingError",
    "check_data",
    "compiled",
    "fit",
    "loop",
    "objective",
    "predict",
    "run",
    "start",
    "step",
]
