"""One prepared row as the networks take it."""

from typing import Any

import jax.numpy as jnp

Row = dict[str, Any]


def flat(row: Row) -> Any:
    """Give what a row holds to be used as it is ``(f,)``; a preparation without such parts makes none."""
    return row["flat"] if "flat" in row else jnp.zeros(0, jnp.float32)


def vector(row: Row, levels: Any) -> Any:
    """Lay a row out as one vector: its numbers, its categories' ``levels`` and what is used as it is."""
    return jnp.concatenate([row["numbers"], levels, flat(row)])
