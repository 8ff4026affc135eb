"""The four networks of the step benchmark, and the data they are trained on."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-4
DROPOUT = 0.25
HEADS = 4
VOCABULARY = 64
CLASSES = 10


class Size(NamedTuple):
    """One network and its data: ``kind`` says which network, ``width`` how wide."""

    name: str
    kind: str
    width: int
    batch: int
    rows: int

    @property
    def steps(self) -> int:
        """Training steps in an epoch."""
        return self.rows // self.batch


SIZES = {
    size.name: size
    for size in (
        Size("mlp32", "mlp", 32, 32, 16384),
        Size("mlp128", "mlp", 128, 256, 16384),
        Size("cnn", "cnn", 32, 64, 1024),
        Size("transformer", "transformer", 128, 32, 256),
    )
}
DEPTH = 4
LENGTH = 64


def make_data(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Draw inputs and integer targets that can be learnt, so that a peer that does not train shows."""
    rng = np.random.default_rng(0)
    if size.kind == "mlp":
        x = rng.normal(size=(size.rows, 30)).astype(np.float32)
        return x, (x[:, :10].sum(-1) > 0).astype(np.int32)
    if size.kind == "cnn":
        y = rng.integers(0, CLASSES, size.rows).astype(np.int32)
        images = rng.normal(size=(CLASSES, 28, 28, 1))[y] + rng.normal(size=(size.rows, 28, 28, 1))
        return images.astype(np.float32), y
    steps = rng.integers(1, 4, (size.rows, LENGTH + 1))
    tokens = (np.cumsum(steps, axis=-1) % VOCABULARY).astype(np.int32)
    return tokens[:, :-1], tokens[:, 1:]


def batches(
    size: Size, x: np.ndarray, y: np.ndarray, epochs: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the shuffled mini-batches of some epochs."""
    for _ in range(epochs):
        order = rng.permutation(size.rows)
        for start in range(0, size.steps * size.batch, size.batch):
            rows = order[start : start + size.batch]
            yield x[rows], y[rows]
