"""Primitives that move elements without computing anything of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jdl.io.errors import ModelError
from jdl.io.onnx.graph import END, ROWS, Graph, dynamic


def _reshape(graph: Graph, equation: Any, x: Any) -> str:
    return graph.reshape(x, equation.outvars[0].aval.shape)


def laid(
    graph: Graph, x: Any, found: Sequence[int], needed: Sequence[int], axes: Sequence[int]
) -> tuple[Any, list[int]]:
    """Lay the axes of a value of shape ``found`` at ``axes`` of ``needed``, others one; give its shape."""
    between = [1] * len(needed)
    for axis, size in zip(axes, found, strict=True):
        between[axis] = size
    if between == list(found):
        return x, between
    return (graph.reshape(x, between, found) if isinstance(x, str) else np.reshape(x, between)), between


def _transpose(graph: Graph, equation: Any, x: Any) -> str:
    return graph.transpose(x, equation.params["permutation"])


def _concatenate(graph: Graph, equation: Any, *parts: Any) -> str:
    return graph.op("Concat", *parts, axis=equation.params["dimension"])


def _stack(graph: Graph, equation: Any, *parts: Any) -> str:
    """Put parts side by side: one behind the other, then apart and in order: a node for each costs more."""
    axis, shape = int(equation.params["axis"]), equation.invars[0].aval.shape
    if not shape:
        return graph.op("Concat", *(graph.op("Unsqueeze", part, np.array([0])) for part in parts), axis=0)
    apart = graph.reshape(graph.op("Concat", *parts, axis=0), [len(parts), *shape])
    return graph.transpose(apart, [*range(1, axis + 1), 0, *range(axis + 1, len(shape) + 1)])


def _split(graph: Graph, equation: Any, x: Any) -> list[str]:
    given = equation.params
    return graph.ops("Split", len(given["sizes"]), x, graph.shape(given["sizes"]), axis=given["axis"])


def _slice(graph: Graph, equation: Any, x: Any) -> str:
    given, shape = equation.params, equation.invars[0].aval.shape
    starts, stops = given["start_indices"], given["limit_indices"]
    steps = given["strides"] or (1,) * len(shape)
    parts = zip(range(len(shape)), shape, starts, stops, steps, strict=True)
    changed = [
        (axis, start, stop, step)
        for axis, size, start, stop, step in parts
        if stop - start < size or step > 1
    ]
    if not changed:
        return graph.op("Identity", x)
    for axis, start, stop, _ in changed:
        if start >= ROWS or (stop >= ROWS and stop != shape[axis]):
            raise ModelError(f"export to ONNX: a slice {start}:{stop} that counts from the last row")
    axes, begin, end, step = (np.array(part) for part in zip(*changed, strict=True))
    return graph.op("Slice", x, begin, np.where(end >= ROWS, END, end), axes, step)


def _rev(graph: Graph, equation: Any, x: Any) -> str:
    for axis in equation.params["dimensions"]:
        x = graph.slice(x, axis, -1, -END, -1)
    return graph.op("Identity", x)


def _iota(graph: Graph, equation: Any) -> str:
    given = equation.params
    shape, axis = given["shape"], given["dimension"]
    line = graph.cast(graph.iota(shape[axis]), given["dtype"])
    line = graph.op("Unsqueeze", line, np.array([i for i in range(len(shape)) if i != axis], np.int64))
    return graph.expand(line, shape)


def pad(
    graph: Graph, x: Any, shape: Sequence[int], value: Any, config: Sequence[tuple[int, int, int]]
) -> str:
    """Pad as ``lax.pad`` does: below 0 it cuts, and the third number goes between elements."""
    for axis, (low, high, between) in enumerate(config):
        size = shape[axis]
        if between and size > 1:
            x = graph.op("Unsqueeze", x, np.array([axis + 1]))
            x = _constant_pad(graph, x, value, len(shape) + 1, axis + 1, 0, between)
            wide = [*shape[:axis], size * (between + 1), *shape[axis + 1 :]]
            x = graph.slice(graph.reshape(x, wide), axis, 0, -between)
            shape = [*shape[:axis], size + (size - 1) * between, *shape[axis + 1 :]]
        if low < 0 or high < 0:
            x = graph.slice(x, axis, max(-low, 0), min(high, 0) or END)
        if low > 0 or high > 0:
            x = _constant_pad(graph, x, value, len(shape), axis, max(low, 0), max(high, 0))
    return graph.op("Identity", x)


def _constant_pad(graph: Graph, x: Any, value: Any, rank: int, axis: int, low: int, high: int) -> str:
    pads = np.zeros((2, rank), np.int64)
    pads[:, axis] = low, high
    return graph.op("Pad", x, pads.ravel(), value, mode="constant")


def _pad(graph: Graph, equation: Any, x: Any, value: Any) -> str:
    shape, config = equation.invars[0].aval.shape, equation.params["padding_config"]
    for size, edges in zip(shape, config, strict=True):
        if any(edges) and dynamic((size,)):
            raise ModelError("export to ONNX: the axis of rows is padded")
    if equation.invars[0].aval.dtype != np.bool_:
        return pad(graph, x, shape, value, config)
    whole = pad(graph, graph.cast(x, np.int32), shape, graph.cast(value, np.int32), config)
    return graph.cast(whole, np.bool_)


RULES = {
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "transpose": _transpose,
    "concatenate": _concatenate,
    "stack": _stack,
    "split": _split,
    "slice": _slice,
    "rev": _rev,
    "iota": _iota,
    "pad": _pad,
}
