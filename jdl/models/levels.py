"""A table's categories as numbers."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jdl import nn
from jdl.nn.layer import Layer, Scope


@nn.constructor
def levels(cardinalities: tuple[int, ...], *, most: int = 64, width: int = 16) -> Layer:
    """Lay the codes of categories ``(q,)`` out as one vector.

    A category of at most ``most`` codes is one-hot, slot 0 included; the others are embedded, each in
    ``width`` numbers. Categories come in their order, the one-hot ones first.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import models
    >>> net = models.levels((3, 2))
    >>> net({}, jnp.array([2, 0])).tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0]
    """
    sizes, few, many = _parted(cardinalities, most)
    # One comparison a slot, of all columns at once: slot k holds level ``level[k]`` of column ``column[k]``.
    column = np.repeat(few, sizes[few])
    level = np.concatenate([np.arange(size) for size in sizes[few]] or [np.zeros(0, int)])

    def one_hot(codes: Any) -> Any:
        return (codes[column] == level).astype(jnp.float32)

    if not many.size:
        return nn.function(one_hot)
    starts = np.cumsum(sizes[many]) - sizes[many]

    @nn.layer(table=nn.embed(int(sizes[many].sum()), width))
    def levels(my: Scope, codes: Any) -> Any:
        return jnp.concatenate([one_hot(codes), my.table(codes[many] + starts).reshape(-1)])

    return levels


def level_chunks(cardinalities: tuple[int, ...], *, most: int = 64, width: int = 16) -> tuple[int, ...]:
    """Give how many numbers of ``levels(cardinalities, …)`` belong to each category, in its order.

    >>> level_chunks((3, 100, 2))
    (3, 2, 16)
    """
    sizes, few, many = _parted(cardinalities, most)
    return (*sizes[few].tolist(), *[width] * len(many))


def _parted(cardinalities: tuple[int, ...], most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sizes = np.array(cardinalities, int)
    return sizes, np.flatnonzero(sizes <= most), np.flatnonzero(sizes > most)
