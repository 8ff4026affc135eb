"""A row's numbers, each embedded in several: the ways there are, by name."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl import nn
from jdl.models.row import Row
from jdl.nn.layer import Layer, LayerError, Scope

WAYS = ("pieces", "linear", "periodic", "plain")


@nn.constructor
def embedded(
    way: str,
    width: int = 16,
    *,
    frequencies: int = 32,
    lowest: Any = 0.05,
    highest: Any = 1.0,
) -> Layer:
    """Embed the numbers ``(p,)`` of a row, each in ``width`` numbers: output ``(p, width)``.

    ``way`` is ``"pieces"``: ``nn.piecewise_linear(width)`` of the row's ``pieces`` ``(p, bins)``, which
    ``features.piecewise`` makes (numbers beyond them are lines); ``"linear"``: ``nn.linear_embedding`` with
    a rectifier; ``"periodic"``: ``nn.periodic(width, frequencies=…, lowest=…, highest=…)``; ``"plain"``: the
    numbers as they are, ``(p, 1)``.

    Raises:
        LayerError: another way; ``"pieces"`` of a row that has none, or more than numbers.

    >>> import jax, jax.numpy as jnp
    >>> row = {"numbers": jnp.zeros(3), "pieces": jnp.zeros((3, 5))}
    >>> net = embedded("pieces", 4)
    >>> params, _ = net.init(jax.random.key(0), row)
    >>> net(params, row).shape
    (3, 4)
    """
    if way not in WAYS:
        raise LayerError(f"embedded: found {way!r}, needs one of {', '.join(WAYS)}")
    if way == "plain":
        return nn.function(_plain)
    if way == "pieces":
        return _of_pieces(width)
    lines = nn.linear_embedding(width, activation=jax.nn.relu)
    waves = nn.periodic(width, frequencies=frequencies, lowest=lowest, highest=highest)

    @nn.layer(of=lines if way == "linear" else waves)
    def embedded(my: Scope, row: Row) -> Any:
        return my.of(row["numbers"])

    return embedded


def _plain(row: Row) -> Any:
    return row["numbers"][:, None]


def _of_pieces(width: int) -> Layer:
    @nn.layer(of=nn.piecewise_linear(width))
    def embedded(my: Scope, row: Row) -> Any:
        if "pieces" not in row:
            raise LayerError(
                f"{my._where()}: the row has {', '.join(row)}, needs pieces too: prepare it in pieces, "
                "or embed its numbers another way"
            )
        numbers, pieces = row["numbers"], row["pieces"]
        more = numbers.size - len(pieces)  # numbers that are no column's own, such as those of dates
        return my.of(jnp.pad(pieces, ((0, max(more, 0)), (0, 0))), numbers)

    return embedded
