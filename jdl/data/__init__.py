"""Tables: reading them, saying what their columns are, and turning their rows into arrays."""

from jdl.data.columns import (
    MISSING_DAY,
    WORDS,
    Category,
    Date,
    Dropped,
    Format,
    Number,
    Target,
    Text,
)  # fmt: skip
from jdl.data.errors import DataError
from jdl.data.infer import infer_schema
from jdl.data.parts import read_parts
from jdl.data.read import read_table
from jdl.data.schema import Schema
from jdl.data.split import holdout
from jdl.data.stream_batches import Stream, stream
from jdl.data.stream_csv import to_parquet
from jdl.data.stream_files import sample

__all__ = [
    "MISSING_DAY",
    "WORDS",
    "Category",
    "DataError",
    "Date",
    "Dropped",
    "Format",
    "Number",
    "Schema",
    "Stream",
    "Target",
    "Text",
    "holdout",
    "infer_schema",
    "read_parts",
    "read_table",
    "sample",
    "stream",
    "to_parquet",
]
