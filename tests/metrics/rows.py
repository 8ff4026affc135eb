"""Rows of every kind for the tests of metrics, drawn once."""

import numpy as np

RNG = np.random.default_rng(0)
ROWS = 60
WEIGHT = RNG.gamma(1.0, size=ROWS).astype(np.float32)
LOGIT = RNG.normal(size=ROWS).astype(np.float32)
BINARY = (LOGIT + RNG.normal(size=ROWS) > 0).astype(np.int32)
LOGITS = RNG.normal(size=(ROWS, 4)).astype(np.float32)
CLASSES = RNG.integers(0, 4, ROWS)
LABELS = RNG.integers(0, 2, (ROWS, 4))
NUMBERS = (LOGITS[:, :2] + 0.5 * RNG.normal(size=(ROWS, 2)) + 3.0).astype(np.float32)
