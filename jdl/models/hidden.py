"""Numbers hidden in training, so that a network learns to answer without them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jdl import nn
from jdl.models.row import Row
from jdl.nn.layer import Layer, Scope


@nn.constructor
def hidden(gaps: tuple[int, ...], rate: Any = 0.0) -> Layer:
    """Tell which numbers of a row are there, and hide some in training: ``row -> (row, there (p,))``.

    ``gaps`` are the numbers that may be missing; their indicators come first in the row's ``flat``, in this
    order. In a stochastic pass each of them is hidden with probability ``rate`` (a number, or one for
    each, which may be traced): it becomes 0 and its indicator 1, as if it were missing.

    >>> net = hidden((1,))
    >>> row, there = net({}, {"numbers": jnp.array([2.0, 0.0]), "flat": jnp.ones(1)})
    >>> there.tolist()
    [1.0, 0.0]
    """
    at = np.array(gaps, int)

    @nn.layer
    def hidden(my: Scope, row: Row) -> tuple[Row, Any]:
        left = 1.0 - row["flat"][: len(at)]
        if my.stochastic:
            left = left * jax.random.bernoulli(my.key(), 1.0 - jnp.array(rate), left.shape)
        there = jnp.ones_like(row["numbers"]).at[at].set(left)
        flat = row["flat"].at[: len(at)].set(1.0 - left)
        return row | {"numbers": row["numbers"] * there, "flat": flat}, there

    return hidden
