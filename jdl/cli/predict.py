"""``jdl predict``: a saved model applied to a table."""

import argparse
import sys
from io import BytesIO
from pathlib import Path

import polars as pl

from jdl import disk, io
from jdl.data import DataError


def run(options: argparse.Namespace) -> None:
    """Write the predictions of every row, in the table's order."""
    if options.out is not None and options.out.suffix.lower() not in (".csv", ".parquet"):
        raise DataError(f"{options.out}: ending {options.out.suffix!r} is unknown; needs .csv or .parquet")
    predictions = io.load(options.model).predict_table(options.table)
    if options.out is None:
        sys.stdout.write(predictions.write_csv())
    else:
        _write(predictions, options.out)


def _write(frame: pl.DataFrame, path: Path) -> None:
    """Write the table as its ending says."""
    content = BytesIO()
    if path.suffix.lower() == ".csv":
        frame.write_csv(content)
    else:
        frame.write_parquet(content)
    disk.put(path, content.getvalue())
