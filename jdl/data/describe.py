"""A schema as a table for people: one row for each column."""

from typing import TYPE_CHECKING

import polars as pl

from jdl.data.columns import Category, Column, Date, Number, Value
from jdl.data.targets import shown

if TYPE_CHECKING:
    from jdl.data.schema import Schema

_SOME = 6  # levels that are named


def describe(schema: "Schema") -> pl.DataFrame:
    """See ``Schema.describe``.

    >>> from jdl.data import infer_schema
    >>> infer_schema(pl.DataFrame({"age": [39, 50], "work": ["a", "b"]})).describe()["values"].to_list()
    ['39 to 50', '2: a, b']
    """
    rows: list[tuple[str, str, str, int, str]] = []
    for target in schema.targets:
        values = _named(target.classes) if target.classes else ""
        rows.append((target.name, "target", values, 0, f"{target.task}: {target.reason}"))
    rows += [(part.name, _kind(part), _values(part), part.missing, part.evidence) for part in schema.columns]
    rows += [(part.name, "dropped", "", 0, part.reason) for part in schema.dropped]
    return pl.DataFrame(rows, ["column", "kind", "values", "missing", "evidence"], orient="row")


def number_shown(value: float) -> str:
    """Write a number as short as it can be."""
    return str(int(value)) if value == int(value) and abs(value) < 1e19 else f"{value:.6g}"


def _kind(part: Column) -> str:
    return part.kind if isinstance(part, Number | Date) else type(part).__name__.lower()


def _values(part: Column) -> str:
    if isinstance(part, Category):
        return _named(part.levels)
    if isinstance(part, Number) and part.low is not None and part.high is not None:
        return f"{number_shown(part.low)} to {number_shown(part.high)}"
    return f"{part.low} to {part.high}" if isinstance(part, Date) and part.low else ""


def _named(values: tuple[Value, ...]) -> str:
    some = ", ".join(shown(value) for value in values[:_SOME])
    return f"{len(values)}: {some}{', …' if len(values) > _SOME else ''}"
