"""The preparation of a table's rows: numbers standardised, levels known only from training rows."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jdl.features.prepare import Prepare
from jdl.features.stats import moments

if TYPE_CHECKING:  # readers of tables are not needed to prepare them
    from jdl.data.schema import Schema

Row = dict[str, jax.Array]

LARGEST = 1e6
"""Standardised numbers are cut here, so that no row can overflow the network."""


def table(schema: "Schema") -> Prepare:
    """Make the preparation of the rows of ``schema.encode``.

    ``apply`` takes ``{"numbers": (p,), "categories": (q,)}`` to ``{"numbers": (p + m,) float32,
    "categories": (q,) int32}``:

    * A number becomes ``(x - mean) / std``, by the weighted moments of the training rows, cut at
      ``±LARGEST``. A missing one becomes 0, and so does every value of a column that is constant in them.
    * Then come indicators (1 where missing) of the m columns in which the schema saw missing values.
    * A category keeps its code where some training row holds it, and is 0 (unseen) otherwise.

    ``fit`` takes rows stacked on a leading axis, and ``weight`` (n,) or None for ones; rows of weight zero
    have no part in it, whatever they hold.

    >>> from jdl.data import Number, Schema, Target
    >>> prepare = table(Schema(Target("y", "regression"), (Number("age", missing=1),)))
    >>> rows = {"numbers": jnp.array([[1.0], [3.0], [jnp.nan]]), "categories": jnp.zeros((3, 0), int)}
    >>> stats = prepare.fit(None, rows, None, None)
    >>> jax.vmap(lambda row: prepare.apply(stats, row)["numbers"])(rows).tolist()
    [[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    gaps = np.array([i for i, number in enumerate(schema.numbers) if number.missing], int)
    starts = np.cumsum((0, *schema.cardinalities))

    def fit(key: Any, rows: Row, target: Any, weight: jax.Array | None) -> dict[str, jax.Array]:
        del key, target  # nothing is drawn, nothing is learned from the target
        numbers, codes = rows["numbers"], rows["categories"] + starts[:-1]
        if weight is None:
            weight = jnp.ones(len(numbers), numbers.dtype)
        mean, std = jax.vmap(moments, in_axes=(1, None))(numbers, weight)
        slots = jnp.where(weight[:, None] > 0, codes, starts[-1])
        seen = jnp.zeros(starts[-1] + 1, bool).at[slots].set(True)[:-1]
        return {"mean": mean, "std": std, "seen": seen}

    def apply(stats: dict[str, jax.Array], row: Row, fold: Any = None, key: Any = None) -> Row:
        del fold, key  # one treatment for every row, and nothing is drawn
        numbers, codes = row["numbers"], row["categories"]
        there = jnp.isfinite(numbers)
        known = there & (stats["std"] > 0)
        scaled = (jnp.where(known, numbers, stats["mean"]) - stats["mean"]) / jnp.where(
            stats["std"] > 0, stats["std"], 1.0
        )
        scaled = jnp.clip(scaled, -LARGEST, LARGEST)
        indicators = (~there)[gaps].astype(scaled.dtype)
        seen = stats["seen"][codes + starts[:-1]]
        return {"numbers": jnp.concatenate([scaled, indicators]), "categories": jnp.where(seen, codes, 0)}

    return Prepare(fit, apply)
