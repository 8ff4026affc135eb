"""A table's categories as numbers."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jdl import nn
from jdl.nn.layer import Layer, Scope

MOST = 64  # codes that are one-hot


@nn.constructor
def levels(
    cardinalities: tuple[int, ...], *, most: int = MOST, width: int = 16, start: Any = None, pace: float = 1.0
) -> Layer:
    """Lay the codes of categories ``(q,)`` out as one vector.

    A category of at most ``most`` codes is one-hot, slot 0 included; the others are embedded, each in
    ``width`` numbers. Categories come in their order, the one-hot ones first. Vectors are ``pace`` times
    parameters drawn by ``start`` (as ``nn.embed`` does unless given): under an optimizer whose steps have one
    size, such as Adam, they learn so many times as fast.

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

    @nn.layer(table=nn.embed(int(sizes[many].sum()), width, init=start))
    def levels(my: Scope, codes: Any) -> Any:
        vectors = my.table(codes[many] + starts).reshape(-1)
        return jnp.concatenate([one_hot(codes), vectors if pace == 1 else pace * vectors])

    return levels


def level_chunks(cardinalities: tuple[int, ...], *, most: int = MOST, width: int = 16) -> tuple[int, ...]:
    """Give how many numbers of ``levels(cardinalities, …)`` belong to each category, in its order.

    >>> level_chunks((3, 100, 2))
    (3, 2, 16)
    """
    sizes, few, many = _parted(cardinalities, most)
    return (*sizes[few].tolist(), *[width] * len(many))


def _parted(cardinalities: tuple[int, ...], most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sizes = np.array(cardinalities, int)
    return sizes, np.flatnonzero(sizes <= most), np.flatnonzero(sizes > most)
