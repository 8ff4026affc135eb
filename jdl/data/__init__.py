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
from jdl.data.read import read_table
from jdl.data.schema import Schema
from jdl.data.split import holdout

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
    "Target",
    "Text",
    "holdout",
    "infer_schema",
    "read_table",
]
