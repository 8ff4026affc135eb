"""Logits and targets of five classes."""

import jax.numpy as jnp
import numpy as np

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(7, 5)).astype(np.float32)
CLASSES = RNG.integers(0, 5, 7)
SOFT = RNG.dirichlet(np.ones(5), 7).astype(np.float32)
MASK = SOFT > 0.2
CLASS_WEIGHT = np.array([0.5, 1.0, 2.0, 3.0, 0.0], np.float32)
A, B, C = jnp.array([0.3, -1.2, 0.8]), jnp.array([1.0, 0.4, -0.9]), jnp.array([-0.5, 0.2, 1.1])
