"""Models as values that predict, and as folders that hold data alone."""

from jdl.io.errors import ModelError
from jdl.io.export import as_bytes, as_days, as_ids, as_pairs, export
from jdl.io.export_onnx import export_onnx
from jdl.io.load import load
from jdl.io.model import Model
from jdl.io.save import save

__all__ = [
    "Model",
    "ModelError",
    "as_bytes",
    "as_days",
    "as_ids",
    "as_pairs",
    "export",
    "export_onnx",
    "load",
    "save",
]
