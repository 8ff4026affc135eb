"""Primitives along axes: reductions, windows, running values, sorting."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jdl.io.errors import ModelError
from jdl.io.onnx.graph import Graph
from jdl.io.onnx.shapes import pad

Rule = Callable[..., Any]


def _reduce(kind: str) -> Rule:
    def rule(graph: Graph, equation: Any, x: Any) -> str:
        axes = np.array(equation.params["axes"], np.int64)
        return graph.op(kind, x, axes, keepdims=0, noop_with_empty_axes=1)

    return rule


def _of_bools(kind: str) -> Rule:
    def rule(graph: Graph, equation: Any, x: Any) -> str:
        if equation.invars[0].aval.dtype != np.bool_:
            raise ModelError(f"export to ONNX: {equation.primitive.name} of integers has no translation")
        axes = np.array(equation.params["axes"], np.int64)
        found = graph.op(kind, graph.cast(x, np.int32), axes, keepdims=0, noop_with_empty_axes=1)
        return graph.cast(found, np.bool_)

    return rule


def _place(kind: str) -> Rule:
    def rule(graph: Graph, equation: Any, x: Any) -> str:
        (axis,) = equation.params["axes"]
        if equation.invars[0].aval.dtype == np.bool_:
            x = graph.cast(x, np.int32)
        return graph.cast(graph.op(kind, x, axis=axis, keepdims=0), equation.params["index_dtype"])

    return rule


def _start(kind: str, dtype: Any) -> Any:
    """Give the value that changes nothing."""
    if kind in ("Add", "Mul"):
        return np.asarray(kind == "Mul", dtype)
    if np.issubdtype(dtype, np.floating):
        return np.asarray(-np.inf if kind == "Max" else np.inf, dtype)
    limits = np.iinfo(dtype)
    return np.asarray(limits.min if kind == "Max" else limits.max, dtype)


def _window(kind: str) -> Rule:
    """Combine strided slices, axis by axis."""

    def rule(graph: Graph, equation: Any, x: Any) -> str:
        given, aval = equation.params, equation.invars[0].aval
        edges = zip(given["padding"], given["base_dilation"], strict=True)
        config = [(low, high, dilation - 1) for (low, high), dilation in edges]
        x = pad(graph, x, aval.shape, _start(kind, aval.dtype), config)
        sizes = equation.outvars[0].aval.shape
        steps = zip(
            given["window_dimensions"], given["window_strides"], given["window_dilation"], sizes, strict=True
        )
        for axis, (width, stride, dilation, size) in enumerate(steps):
            if width == stride == 1:
                continue
            length = (size - 1) * stride + 1
            parts = [graph.slice(x, axis, i * dilation, i * dilation + length, stride) for i in range(width)]
            x = parts[0]
            for part in parts[1:]:
                x = graph.op(kind, x, part)
        return x

    return rule


def _cumsum(graph: Graph, equation: Any, x: Any) -> str:
    axis, backwards = equation.params["axis"], equation.params["reverse"]
    return graph.op("CumSum", x, np.array(axis), reverse=int(backwards))


def _running(kind: str) -> Rule:
    """Combine with what lies 1, 2, 4, … elements before."""

    def rule(graph: Graph, equation: Any, x: Any) -> str:
        axis, backwards, aval = equation.params["axis"], equation.params["reverse"], equation.invars[0].aval
        edge, shift = _start(kind, aval.dtype), 1
        while shift < aval.shape[axis]:
            config = [(0, 0, 0)] * aval.ndim
            config[axis] = (-shift, shift, 0) if backwards else (shift, -shift, 0)
            x, shift = graph.op(kind, x, pad(graph, x, aval.shape, edge, config)), 2 * shift
        return x

    return rule


def _top_k(graph: Graph, equation: Any, x: Any) -> list[str]:
    given = equation.params
    axis = given.get("axis", -1)
    values, places = graph.ops("TopK", 2, x, np.array([given["k"]]), axis=axis)
    return [values, graph.cast(places, equation.outvars[1].aval.dtype)]


def _sort(graph: Graph, equation: Any, key: Any, *others: Any) -> list[str]:
    axis, keys = equation.params["dimension"], equation.params["num_keys"]
    aval = equation.invars[0].aval
    if keys != 1:
        raise ModelError(f"export to ONNX: sort by {keys} keys has no translation, only by one")
    if aval.dtype == np.bool_:
        raise ModelError("export to ONNX: sort of booleans has no translation")
    found, places = graph.ops("TopK", 2, key, graph.size(aval.shape[axis]), axis=axis, largest=0)
    return [found, *(graph.op("GatherElements", other, places, axis=axis) for other in others)]


RULES: dict[str, Rule] = {
    "reduce_sum": _reduce("ReduceSum"),
    "reduce_max": _reduce("ReduceMax"),
    "reduce_min": _reduce("ReduceMin"),
    "reduce_prod": _reduce("ReduceProd"),
    "reduce_and": _of_bools("ReduceMin"),
    "reduce_or": _of_bools("ReduceMax"),
    "argmax": _place("ArgMax"),
    "argmin": _place("ArgMin"),
    "reduce_window_sum": _window("Add"),
    "reduce_window_max": _window("Max"),
    "reduce_window_min": _window("Min"),
    "cumsum": _cumsum,
    "cumprod": _running("Mul"),
    "cummax": _running("Max"),
    "cummin": _running("Min"),
    "top_k": _top_k,
    "sort": _sort,
}
