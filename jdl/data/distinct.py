"""The distinct values of a column of text, by which it is judged."""

from typing import NamedTuple

import polars as pl

from jdl.data.nulls import clean

FEW_ROWS = 20
"""Below this, that all values differ says nothing about a column."""

SAMPLE = 1000
"""Distinct texts by which a column is first judged; what is chosen is held against all."""


class Texts(NamedTuple):
    """A column of text: its distinct values, cleaned, how many rows have each, and some of them."""

    name: str
    texts: pl.Series
    counts: pl.Series
    rows: int
    missing: int
    sample: pl.Series

    @property
    def present(self) -> int:
        """The rows that hold a text."""
        return self.rows - self.missing


def gather(column: pl.Series) -> Texts:
    """Count the distinct values of a column of text, blanks cut and missing values apart."""
    frame = column.alias("text").to_frame().group_by("text", maintain_order=True).agg(pl.len().alias("count"))
    cleaned = clean(frame["text"])
    if not cleaned.equals(frame["text"], null_equal=True):
        frame = frame.with_columns(cleaned).group_by("text", maintain_order=True).agg(pl.col("count").sum())
    there = frame.drop_nulls("text")
    texts, counts = there["text"], there["count"]
    sample = texts.gather_every(max(1, len(texts) // SAMPLE))
    return Texts(column.name, texts, counts, len(column), len(column) - int(counts.sum() or 0), sample)
