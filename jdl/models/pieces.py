"""The places of a row's numbers among bins of equal counts of training rows."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl.features import Prepare
from jdl.models.row import Row


def with_pieces(prepare: Prepare, bins: int) -> Prepare:
    r"""Add ``pieces`` ``(p, bins)`` to what ``prepare`` makes of a row: each number's place among ``bins``.

    .. math:: e_{jt} = \mathrm{clip}((x_j - q_{j,t-1}) / (q_{jt} - q_{j,t-1}), 0, 1)

    with :math:`q_{jt}` the quantile of level :math:`t / \mathrm{bins}` of column j in the training rows. A
    bin without width, between equal quantiles, is 0.

    Source: Gorishniy, Rubachev and Babenko 2022, https://arxiv.org/abs/2203.05556, equation 1.

    >>> standing = Prepare(lambda key, rows, target, weight: (), lambda stats, row, fold=None, key=None: row)
    >>> rows = {"numbers": jnp.arange(5.0)[:, None]}
    >>> pieces = with_pieces(standing, 2)
    >>> pieces.apply(pieces.fit(None, rows, None, None), {"numbers": jnp.array([3.0])})["pieces"].tolist()
    [[1.0, 0.5]]
    """

    def fit(key: Any, rows: Row, target: Any, weight: Any) -> dict[str, Any]:
        stats = prepare.fit(key, rows, target, weight)
        made = jax.vmap(lambda row: prepare.apply(stats, row)["numbers"])(rows)
        mass = jnp.ones(len(made)) if weight is None else weight
        return {"rows": stats, "edges": jax.vmap(lambda column: _edges(column, mass, bins), 1)(made)}

    def apply(stats: dict[str, Any], row: Row, fold: Any = None, key: Any = None) -> Row:
        made = prepare.apply(stats["rows"], row, fold, key)
        low, high = stats["edges"][:, :-1], stats["edges"][:, 1:]
        width = high - low
        place = (made["numbers"][:, None] - low) / jnp.where(width > 0, width, 1.0)
        return made | {"pieces": jnp.where(width > 0, jnp.clip(place, 0.0, 1.0), 0.0)}

    return Prepare(fit, apply, folds=prepare.folds, each_step=prepare.each_step)


def _edges(column: Any, weight: Any, bins: int) -> Any:
    """Give the ``bins + 1`` quantiles of the values of positive weight, by linear interpolation."""
    kept = weight > 0
    ordered = jnp.sort(jnp.where(kept, column, jnp.inf))
    place = jnp.linspace(0.0, 1.0, bins + 1) * jnp.maximum(jnp.sum(kept) - 1, 0)
    below = jnp.floor(place).astype(int)
    low = ordered[below]
    high = ordered[jnp.minimum(below + 1, len(column) - 1)]
    return low + jnp.where(place > below, (place - below) * (high - low), 0.0)
