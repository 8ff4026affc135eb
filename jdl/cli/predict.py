"""``jdl predict``: a saved model applied to a table, of any size."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pa_parquet

from jdl import disk, io
from jdl.data import DataError


def run(options: argparse.Namespace) -> None:
    """Write the predictions of every row, in the table's order, a part at a time."""
    if options.out is not None and options.out.suffix.lower() not in (".csv", ".parquet"):
        raise DataError(f"{options.out}: ending {options.out.suffix!r} is unknown; needs .csv or .parquet")
    parts = io.load(options.model).predict_parts(options.table)
    if options.out is None:
        for i, part in enumerate(parts):
            sys.stdout.write(part.write_csv(include_header=not i))
        return
    with disk.new_file(options.out) as unfinished:
        (_csv if options.out.suffix.lower() == ".csv" else _parquet)(parts, unfinished)
        disk.sync(unfinished)


def _csv(parts: Iterator[pl.DataFrame], path: Path) -> None:
    with path.open("wb") as file:
        for i, part in enumerate(parts):
            part.write_csv(file, include_header=not i)


def _parquet(parts: Iterator[pl.DataFrame], path: Path) -> None:
    first = next(parts).to_arrow()
    with pa_parquet.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for part in parts:
            writer.write_table(part.to_arrow())
