"""Inputs of an ONNX model that come otherwise than the function takes them: texts, and numbers in float64."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jdl.data.columns import Number
from jdl.data.encode import LARGEST
from jdl.io.onnx.graph import ROWS, Graph


class Raw(NamedTuple):
    """The type in which an input comes, as ``onnx.TensorProto`` names it, and what writes its reading."""

    kind: str
    write: Callable[[Graph, str], Any]


def levels(texts: Sequence[str]) -> Raw:
    """Read a text as its place among those given here, from 1, and 0 for any other."""

    def write(graph: Graph, name: str) -> Any:
        if not texts:
            return graph.op("Expand", np.zeros(1, np.int32), graph.shape((ROWS,)))
        code = graph.op(
            "LabelEncoder",
            name,
            domain="ai.onnx.ml",
            keys_strings=list(texts),
            values_int64s=list(range(1, len(texts) + 1)),
            default_int64=0,
        )
        return graph.cast(code, np.int32)

    return Raw("STRING", write)


def is_shifted(number: Number) -> bool:
    """Say whether a number needs more digits, or a wider range, than float32 has."""
    return number.offset != 0 or number.scale != 1


def shifted(number: Number) -> Raw:
    """Read a float64 as ``jdl.data`` does: ``(value - offset) / scale``, cut to what float32 holds."""
    scale, shift = np.float64(number.scale), np.float64(number.offset / number.scale)

    def write(graph: Graph, name: str) -> Any:
        value = graph.op("Sub", graph.op("Div", name, scale), shift)
        held = graph.op("Clip", value, np.float64(-LARGEST), np.float64(LARGEST))
        return graph.cast(graph.where(graph.op("IsInf", name), np.float64(np.nan), held), np.float32)

    return Raw("DOUBLE", write)
