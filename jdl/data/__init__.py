"""Tables: reading them, saying what their columns are, and turning their rows into arrays."""

from jdl.data.errors import DataError
from jdl.data.infer import infer_schema
from jdl.data.read import read_table
from jdl.data.schema import Category, Dropped, Number, Schema, Target
from jdl.data.split import holdout

__all__ = [
    "Category",
    "DataError",
    "Dropped",
    "Number",
    "Schema",
    "Target",
    "holdout",
    "infer_schema",
    "read_table",
]
