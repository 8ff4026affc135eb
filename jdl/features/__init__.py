"""Preparation in pure JAX, fitted on training rows."""

from jdl.features.by_target import target_encoding
from jdl.features.categories import CategoryStep, Coding, Columns, ordinal
from jdl.features.codes import by_cardinality, frequency, hashed, one_hot, together
from jdl.features.dates import DateStep, calendar, civil
from jdl.features.numbers import (
    impute_constant,
    impute_mean,
    impute_median,
    min_max,
    robust,
    standard,
    winsorise,
)
from jdl.features.one_pass import collect
from jdl.features.prepare import Prepare, Summary, chain, from_summary, inner_folds, stateless
from jdl.features.quantile import piecewise, quantile_normal
from jdl.features.table import cardinalities, table
from jdl.features.texts import ngrams
from jdl.features.yeo_johnson import power

__all__ = [
    "CategoryStep", "Coding", "Columns", "DateStep", "Prepare", "Summary", "by_cardinality", "calendar",
    "cardinalities", "chain", "civil", "collect", "frequency", "from_summary", "hashed", "impute_constant",
    "impute_mean", "impute_median", "inner_folds", "min_max", "ngrams", "one_hot", "ordinal", "piecewise",
    "power", "quantile_normal", "robust", "standard", "stateless", "table", "target_encoding", "together",
    "winsorise",
]  # fmt: skip
