"""The table that ends a run: passed, applicable and total by torch module."""

from typing import NamedTuple


class Row(NamedTuple):
    """What came of one torch module's cases."""

    name: str
    passed: int
    applicable: int
    total: int


def table(rows: list[Row]) -> str:
    """Lay the rows out, and their sums."""
    sums = Row("all", *(sum(row[i] for row in rows) for i in (1, 2, 3)))
    width = max(len(row.name) for row in rows)
    head = f"{'torch module':{width}}  passed  applicable  total"
    lines = [f"{r.name:{width}}  {r.passed:6}  {r.applicable:10}  {r.total:5}" for r in (*sorted(rows), sums)]
    return "\n".join([head, *lines])
