"""Small Parquet tables for the tests of streams."""

import jax
import numpy as np
import polars as pl
import pyarrow.parquet as pa_parquet

from jdl.data import Category, Number, Schema, Target, stream

KEY = jax.random.key(3)
SCHEMA = Schema(Target("y", "regression"), (Number("id"), Number("x")), (Category("c", ("a", "b")),))


def table(rows, first=0):
    """Rows that are told apart by their number, with gaps and a level that the schema does not know."""
    ids = np.arange(first, first + rows)
    return pl.DataFrame(
        {
            "x": [None if i % 5 == 0 else i / 2 for i in ids],
            "c": [("a", "b", "other", None)[i % 4] for i in ids],
            "id": ids,
            "y": ids * 1.0,
            "w": (ids % 3).astype(np.float32),
            "unused": ["text"] * rows,
        }
    )


def write(path, frame, sizes):
    """Write a frame as row groups of these sizes."""
    whole = frame.to_arrow()
    with pa_parquet.ParquetWriter(path, whole.schema) as writer:
        first = 0
        for size in sizes:
            writer.write_table(whole[first : first + size])
            first += size
    return path


def files(folder, *sizes):
    """Write one file for each list of sizes, the rows numbered from file to file."""
    first = 0
    for i, each in enumerate(sizes):
        write(folder / f"part-{i}.parquet", table(sum(each), first), each)
        first += sum(each)
    return folder


def opened(folder, batch_size=4, key=KEY, **options):
    return stream(folder, SCHEMA, batch_size, key, **{"window": 6, **options})


def ids(batch):
    """The numbers of the rows that count."""
    return batch["x"]["numbers"][batch["weight"] > 0, 0].astype(int).tolist()


def epoch(batches):
    return [number for batch in batches for number in ids(batch)]
