"""Read the sampled columns out of the packages again, into columns.parquet.

``python -m tests.data.torture.collect FOLDER``: FOLDER holds one folder for each package of ``sources.py``,
named as the package, with its wheel or its source archive unpacked inside.
"""

import csv
import gzip
import io
import json
import sqlite3
import sys
import zipfile
from pathlib import Path

import polars as pl

from tests.data.torture.label import Label
from tests.data.torture.real import REAL
from tests.data.torture.sources import SOURCES, VERSIONS, Source

OUT = Path(__file__).with_name("columns.parquet")
Table = dict[str, list[str | None]]


def text(value: object) -> str | None:
    """A cell as it would stand in a CSV; an empty one is missing, as every reader says."""
    if value is None or value == "":
        return None
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def of_records(records: list[dict]) -> Table:
    """Turn a list of JSON objects into columns."""
    return {key: [text(each.get(key)) for each in records] for key in records[0]}


def of_csv(raw: str, separator: str, header: bool) -> Table:
    """Split a CSV into columns; without a header they are named by their number."""
    rows = [row for row in csv.reader(io.StringIO(raw, newline=""), delimiter=separator) if row]
    names = rows.pop(0) if header else [str(i) for i in range(len(rows[-1]))]
    rows = [row for row in rows if len(row) == len(names)]
    return {name.strip(): [text(row[i]) for row in rows] for i, name in enumerate(names)}


def read(path: Path, options: str) -> Table:
    """Read one file, whatever its ending, as columns of text."""
    if ".parquet" in path.name:
        frame = pl.read_parquet(path)
        return {name: [text(v) for v in frame[name].to_list()] for name in frame.columns}
    if path.suffix == ".db":
        with sqlite3.connect(path) as base:
            cursor = base.execute(f"select * from {options}")
            names = [each[0] for each in cursor.description]
            return of_records([dict(zip(names, row, strict=True)) for row in cursor])
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if not n.startswith("__") and not n.endswith("/")]
            raw = archive.read(names[0])
    body = raw.decode("latin-1" if "latin-1" in options else "utf-8-sig")
    if options == "lines":
        return {"date": [text(line) for line in body.splitlines()]}
    if path.suffix == ".json":
        records = json.loads(body)
        return of_records(list(records.values()) if isinstance(records, dict) else records)
    if "|" in options:  # unquoted, with blank lines between the rows
        rows = [line.split("|") for line in body.replace("\r", "\n").split("\n") if line]
        rows = [row for row in rows if len(row) == len(rows[0])]
        return {name: [text(row[i]) for row in rows[1:]] for i, name in enumerate(rows[0])}
    return of_csv(body, ",", "no header" not in options)


def sample(cells: list[str | None], rows: str) -> list[str | None]:
    """Take ``head 200`` the first rows, or ``200`` rows spread evenly over all."""
    count = min(int(rows.split()[-1]), len(cells))
    if rows.startswith("head"):
        return cells[:count]
    return [cells[i * len(cells) // count] for i in range(count)]


def find(folder: Path, source: Source) -> Path:
    """Find the file of a source below the folder of its package."""
    path = folder / source.package / source.path
    if not path.exists():
        raise FileNotFoundError(f"{path}: unpack {source.package} {VERSIONS[source.package]} there")
    return path


def row(label: Label, table: Table) -> dict:
    """One line of columns.parquet."""
    source = SOURCES[label.source]
    if label.column not in table:
        raise KeyError(f"{label.source}: has no column {label.column!r}, only {list(table)}")
    return {
        "name": label.name,
        "package": f"{source.package} {VERSIONS[source.package]}",
        "file": source.path,
        "column": label.column,
        "licence": source.licence,
        "cells": sample(table[label.column], label.rows),
        "other": sample(table[label.other], label.rows) if label.other else None,
    }


def main(folder: Path) -> None:
    """Write the columns of every label."""
    tables: dict[str, Table] = {}
    for label in REAL:
        if label.source not in tables:
            source = SOURCES[label.source]
            tables[label.source] = read(find(folder, source), source.options)
    rows = [row(label, tables[label.source]) for label in REAL]
    strings = pl.List(pl.String)
    frame = pl.DataFrame(rows, schema_overrides={"cells": strings, "other": strings})
    frame.write_parquet(OUT, compression="zstd", compression_level=19, statistics=False)
    print(frame.height, "columns,", OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
