"""Tables: reading them, saying what their columns are, and turning their rows into arrays."""

from jdl.data.errors import DataError
from jdl.data.infer import infer_schema
from jdl.data.read import read_table
from jdl.data.schema import Category, Dropped, Number, Schema, Target
from jdl.data.split import holdout
from jdl.data.stream_batches import Stream, stream
from jdl.data.stream_csv import to_parquet
from jdl.data.stream_files import sample

__all__ = [
    "Category",
    "DataError",
    "Dropped",
    "Number",
    "Schema",
    "Stream",
    "Target",
    "holdout",
    "infer_schema",
    "read_table",
    "sample",
    "stream",
    "to_parquet",
]
