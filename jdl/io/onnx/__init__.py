"""Functions as ONNX, by a walk over what JAX traces."""

from jdl.io.onnx.convert import convert

__all__ = ["convert"]
