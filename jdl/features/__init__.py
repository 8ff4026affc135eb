"""Preparation in pure JAX, fitted on training rows."""

from jdl.features.one_pass import collect
from jdl.features.prepare import Prepare
from jdl.features.table import table

__all__ = ["Prepare", "collect", "table"]
