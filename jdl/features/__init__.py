"""Preparation in pure JAX, fitted on training rows."""

from jdl.features.categories import CategoryStep, Coding, Columns, ordinal
from jdl.features.numbers import impute_constant, standard
from jdl.features.prepare import Prepare, Summary, chain, from_summary, inner_folds, stateless
from jdl.features.table import cardinalities, table

__all__ = [
    "CategoryStep", "Coding", "Columns", "Prepare", "Summary", "cardinalities", "chain", "from_summary",
    "impute_constant", "inner_folds", "ordinal", "standard", "stateless", "table",
]  # fmt: skip
