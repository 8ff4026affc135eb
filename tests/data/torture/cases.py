"""The suite: real and made columns with their labels."""

from pathlib import Path

import polars as pl

from tests.data.torture import made
from tests.data.torture.case import DROPPED, KINDS, Case
from tests.data.torture.real import REAL


def real_cases() -> list[Case]:
    """The real columns out of columns.parquet, labelled by real.py."""
    frame = pl.read_parquet(Path(__file__).with_name("columns.parquet"))
    rows = {row["name"]: row for row in frame.iter_rows(named=True)}
    return [
        Case(
            name=label.name,
            source=", ".join(rows[label.name][key] for key in ("package", "file", "licence")),
            kinds=frozenset(label.kinds.split()),
            cells=rows[label.name]["cells"],
            values=label.values,
            other=rows[label.name]["other"],
            column=label.column or "Unnamed: 0",
        )
        for label in REAL
    ]


def cases() -> list[Case]:
    """Every column of the suite."""
    return real_cases() + made.cases()


__all__ = ["DROPPED", "KINDS", "Case", "cases", "real_cases"]
