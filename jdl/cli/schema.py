"""``jdl schema``: what the columns of a table are, and why."""

import argparse
from pathlib import Path

from jdl.cli.show import table as show
from jdl.data import DataError, Schema, infer_schema, read_table

HEAD = ("column", "kind", "values", "missing", "evidence")


def run(options: argparse.Namespace) -> None:
    """Judge the columns, print what they are, and write them down where asked."""
    frame = read_table(options.table)
    schema = infer_schema(frame, options.target)
    if options.out is not None:
        options.out.write_text(schema.to_json() + "\n")
    if options.json:
        print(schema.to_json())
        return
    show(f"{options.table}: {frame.height:,} rows", HEAD, list(schema.describe().iter_rows()))
    for note in schema.notes:
        print(f"  note: {note}")
    if options.out is not None:
        print(f"\nwritten to {options.out}; edit it by hand and give it to jdl fit --schema {options.out}")


def read(path: Path) -> Schema:
    """Read a schema that ``jdl schema --out`` wrote, edited by hand or not."""
    try:
        return Schema.from_json(path.read_text())
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
