"""One labelled column, and how the made ones are built."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

KINDS = (
    "number",
    "boolean",
    "category",
    "date",
    "time",
    "text",
    "identifier",
    "constant",
    "empty",
    "duplicate",
)
DROPPED = frozenset({"identifier", "constant", "empty", "duplicate"})  # columns without use for a model


@dataclass(frozen=True)
class Case:
    """A column as it stands in a CSV, and what a careful analyst says of it.

    ``kinds`` are the answers accepted. ``values`` are cleaned values by row: a number, a bool, a text, a day
    with or without a time ("2024-01-31 15:30:00"), a time of day ("15:30:00"), None where the cell is
    missing, or a tuple of values of which any is right. ``same`` are groups of rows whose cells are one
    level. ``other`` is a second column of the table.
    """

    name: str
    source: str
    kinds: frozenset[str]
    cells: list[str | None]
    values: dict[int, Any] = field(default_factory=dict)
    other: list[str | None] | None = None
    column: str = "x"
    same: tuple[tuple[int, ...], ...] = ()


class Unlabelled:
    """The value of a cell that has no label."""


SKIP = Unlabelled()
Draw = Callable[[random.Random, int], tuple[str | None, Any]]


def made(
    name: str,
    kinds: str,
    draw: Draw,
    *,
    n: int = 120,
    odd: Sequence[tuple[str | None, Any]] = (),
    column: str | None = None,
    other: Callable[[list[str | None]], list[str | None]] | None = None,
    same: Sequence[str] = (),
    labelled: int = 4,
) -> Case:
    """Draw ``n`` cells, the same each time, and put the ``odd`` ones among them.

    ``draw`` gives a cell and its cleaned value. The first ``labelled`` rows and the odd ones are checked.
    ``same`` are spellings of one level: of each, the first row is taken.
    """
    chance = random.Random(name)  # of a text: the same on every machine
    drawn = [draw(chance, i) for i in range(n)]
    cells = [cell for cell, _ in drawn]
    values = {i: value for i, (_, value) in enumerate(drawn[:labelled]) if value is not SKIP}
    rows = [5 + 7 * k for k in range(len(odd))]
    if rows and rows[-1] >= n:
        raise ValueError(f"{name}: {len(odd)} odd cells do not fit {n} rows")
    for row, (cell, value) in zip(rows, odd, strict=True):
        cells[row] = cell
        values.pop(row, None)
        if value is not SKIP:
            values[row] = value
    group = tuple(cells.index(each) for each in same)
    return Case(
        name=f"made/{name}",
        source="made",
        kinds=frozenset(kinds.split()),
        cells=cells,
        values=values,
        other=other(cells) if other else None,
        column=column or "field",
        same=(group,) if group else (),
    )


def number(style: Callable[[Any], str], low: float, high: float, digits: int = 2) -> Draw:
    """Draw numbers, written in a style."""

    def draw(chance: random.Random, _: int) -> tuple[str, float]:
        value = round(chance.uniform(low, high), digits) if digits else chance.randint(int(low), int(high))
        return style(value), value

    return draw


def level(*levels: str | tuple[str, Any], weights: Sequence[float] | None = None) -> Draw:
    """Draw one of a few levels; a pair holds a spelling and its cleaned value."""
    pairs = [each if isinstance(each, tuple) else (each, SKIP) for each in levels]
    return lambda chance, _: chance.choices(pairs, weights)[0]


def plain(make: Callable[[random.Random, int], str | None]) -> Draw:
    """Draw cells without a label."""
    return lambda chance, i: (make(chance, i), SKIP)


def kept(make: Callable[[random.Random, int], str]) -> Draw:
    """Draw cells whose cleaned value is the text itself."""

    def draw(chance: random.Random, i: int) -> tuple[str, str]:
        cell = make(chance, i)
        return cell, cell

    return draw
