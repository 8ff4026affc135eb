"""Primitives that read or write at computed places."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode as Mode

from jdl.io.errors import ModelError
from jdl.io.onnx.graph import Graph

Rule = Callable[..., Any]


def _start_of(graph: Graph, places: Any, asked: Sequence[int], number: int, bounded: bool) -> Any:
    """Give one coordinate of the places ``asked`` for; as int64, as bounds are, where it is ``bounded``."""
    if not isinstance(places, str):
        return np.asarray(places[..., number], np.int64)
    one = asked[-1] == 1
    found = (
        graph.reshape(places, asked[:-1]) if one else graph.op("Gather", places, np.array(number), axis=-1)
    )
    return graph.cast(found, np.int64) if bounded or not one else found


def _at(graph: Graph, value: Any, axes: Sequence[int], rank: int) -> str:
    """Lay the axes of a value at ``axes`` of ``rank``."""
    others = np.array([axis for axis in range(rank) if axis not in axes], np.int64)
    return graph.op("Unsqueeze", value, others) if len(others) else graph.op("Identity", value)


def _bounds(graph: Graph, start: Any, size: int, width: int) -> tuple[str, str]:
    """Give starts kept inside, and whether they were inside."""
    last = graph.op("Sub", graph.scalar(size), np.int64(width))
    inside = graph.op(
        "And", graph.op("GreaterOrEqual", start, np.int64(0)), graph.op("LessOrEqual", start, last)
    )
    return graph.op("Min", graph.op("Max", start, np.int64(0)), last), inside


def _both(graph: Graph, one: Any, other: Any, kind: str) -> Any:
    return other if one is None else graph.op(kind, one, other)


def _linear(
    graph: Graph,
    places: Any,
    asked: Sequence[int],
    shape: Sequence[int],
    coordinates: dict[int, tuple[int | None, int | None, int, int | None]],
    batch: Sequence[int],
    rank: int,
    mode: Mode,
) -> tuple[Any, Any]:
    """Number elements of ``shape``: a tensor of ``rank`` axes, and whether each is inside if it may not be.

    A coordinate is: which of ``places``, or the axis along which it counts, its width, and the axis along
    which the width lies.
    """
    total, inside = None, None
    for i, (number, counted, width, along) in coordinates.items():
        here: Any = np.zeros([1] * rank, np.int64)
        if number is not None:
            bounded = mode != Mode.PROMISE_IN_BOUNDS
            start = _start_of(graph, places, asked, number, bounded or len(coordinates) > 1)
            if bounded:
                start, ok = _bounds(graph, start, shape[i], width)
                inside = _both(graph, inside, ok, "And")
            here = _at(graph, start, batch, rank)
        if counted is not None:
            here = graph.op("Add", here, _at(graph, graph.iota(shape[i]), [counted], rank))
        if along is not None:
            here = graph.op("Add", here, _at(graph, graph.iota(width), [along], rank))
        total = (
            here if total is None else graph.op("Add", graph.op("Mul", total, graph.scalar(shape[i])), here)
        )
    return total, inside


def _gather(graph: Graph, equation: Any, x: Any, places: Any) -> str:
    numbers, widths = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    mode = Mode.from_any(equation.params["mode"])
    shape, asked = (var.aval.shape for var in equation.invars)
    batched = dict(zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True))
    window = [i for i in range(len(shape)) if i not in numbers.collapsed_slice_dims and i not in batched]
    free = [i for i in window if widths[i] == shape[i]]
    picked = [i for i in range(len(shape)) if i not in free]
    moving = [i for i in window if i not in free]
    many = len(asked) - 1
    rank = many + len(moving)
    coordinates = {
        i: (
            numbers.start_index_map.index(i) if i in numbers.start_index_map else None,
            batched.get(i),
            widths[i],
            many + moving.index(i) if i in moving else None,
        )
        for i in picked
    }
    batch = list(range(many))
    inside: Any = None
    if not moving and len(coordinates) == 1 and tuple(coordinates) == tuple(numbers.start_index_map):
        return _taken(graph, equation, x, places)
    if picked:
        linear, inside = _linear(graph, places, asked, shape, coordinates, batch, rank, mode)
    else:
        linear = np.zeros([1] * rank, np.int64)
    outer = [asked[i] for i in batch] + [widths[i] for i in moving]
    size = int(np.prod([shape[i] for i in picked], dtype=object)) if picked else 1
    rows = graph.reshape(graph.transpose(x, picked + free), [size, *(shape[i] for i in free)])
    found = graph.op("Gather", rows, graph.expand(linear, outer), axis=0)
    full = batch + [many + window.index(i) for i in moving + free]
    return _ordered(graph, equation, found, full, many, inside)


def _taken(graph: Graph, equation: Any, x: Any, places: Any) -> Any:
    """Gather along one axis, which ONNX does where it lies."""
    numbers, mode = equation.params["dimension_numbers"], Mode.from_any(equation.params["mode"])
    (shape, asked), many = (var.aval.shape for var in equation.invars), equation.invars[1].aval.ndim - 1
    (axis,) = numbers.start_index_map
    bounded, inside = mode != Mode.PROMISE_IN_BOUNDS, None
    start = _start_of(graph, places, asked, 0, bounded)
    if bounded:
        start, inside = _bounds(graph, start, shape[axis], 1)
    found = graph.op("Gather", x, start, axis=axis)
    names = [many + i for i in range(len(shape) - 1)]
    return _ordered(graph, equation, found, [*names[:axis], *range(many), *names[axis:]], many, inside)


def _ordered(graph: Graph, equation: Any, found: Any, full: list[int], many: int, inside: Any) -> Any:
    """Fill what lies outside, and bring axes into the order that is asked for.

    ``full`` names each axis: those of the places from 0, then the window's in the operand's order.
    """
    numbers, out = equation.params["dimension_numbers"], equation.outvars[0].aval
    if inside is not None and Mode.from_any(equation.params["mode"]) == Mode.FILL_OR_DROP:
        mask = _at(graph, inside, [full.index(i) for i in range(many)], len(full))
        found = graph.where(mask, found, _fill(equation.params["fill_value"], out.dtype))
    order = [i for i in range(out.ndim) if i not in numbers.offset_dims]
    target = [order[i] if i < many else numbers.offset_dims[i - many] for i in full]
    return graph.transpose(found, np.argsort(target).tolist())


def _fill(value: Any, dtype: Any) -> Any:
    if value is not None:
        return np.asarray(value, dtype)
    if dtype == np.bool_:
        return np.asarray(True)
    if np.issubdtype(dtype, np.floating):
        return np.asarray(np.nan, dtype)
    limits = np.iinfo(dtype)
    return np.asarray(limits.min if limits.min < 0 else limits.max, dtype)


def _scatter(reduction: str) -> Rule:
    """Write among the elements in one row, behind which lies a place for what falls outside."""

    def rule(graph: Graph, equation: Any, x: Any, places: Any, updates: Any) -> str:
        numbers, mode = equation.params["dimension_numbers"], Mode.from_any(equation.params["mode"])
        shape, asked, changed = (var.aval.shape for var in equation.invars)
        dtype = equation.invars[0].aval.dtype
        if dtype == np.bool_ and reduction != "none":
            raise ModelError(f"export to ONNX: {equation.primitive.name} of booleans has no translation")
        window, batch = list(numbers.update_window_dims), []
        batch = [i for i in range(len(changed)) if i not in window]
        batched = dict(zip(numbers.operand_batching_dims, numbers.scatter_indices_batching_dims, strict=True))
        kept = [i for i in range(len(shape)) if i not in numbers.inserted_window_dims and i not in batched]
        mapped = numbers.scatter_dims_to_operand_dims
        coordinates = {
            i: (
                mapped.index(i) if i in mapped else None,
                batch[batched[i]] if i in batched else None,
                changed[window[kept.index(i)]] if i in kept else 1,
                window[kept.index(i)] if i in kept else None,
            )
            for i in range(len(shape))
        }
        linear, inside = _linear(graph, places, asked, shape, coordinates, batch, len(changed), mode)
        size = int(np.prod(shape, dtype=object))
        if inside is not None and mode == Mode.FILL_OR_DROP:
            linear = graph.where(_at(graph, inside, batch, len(changed)), linear, graph.scalar(size))
        flat = graph.op("Concat", graph.reshape(x, [size]), np.zeros(1, dtype), axis=0)
        line = [int(np.prod(changed, dtype=object))]
        linear = graph.reshape(graph.expand(linear, changed), line)
        updates = graph.reshape(updates, line)
        found = graph.op("ScatterElements", flat, linear, updates, axis=0, reduction=reduction)
        return graph.reshape(graph.slice(found, 0, 0, -1), shape)

    return rule


def _dynamic_slice(graph: Graph, equation: Any, x: Any, *starts: Any) -> str:
    shape, sizes = equation.invars[0].aval.shape, equation.params["slice_sizes"]
    for axis, (start, width) in enumerate(zip(starts, sizes, strict=True)):
        if width < shape[axis]:
            first, _ = _bounds(graph, graph.cast(start, np.int64), shape[axis], width)
            x = graph.op("Gather", x, graph.op("Add", first, np.arange(width)), axis=axis)
    return graph.op("Identity", x)


def _dynamic_update(graph: Graph, equation: Any, x: Any, update: Any, *starts: Any) -> str:
    shape, sizes = (var.aval.shape for var in equation.invars[:2])
    mask: Any = None
    for axis, (start, width) in enumerate(zip(starts, sizes, strict=True)):
        if width == shape[axis]:
            continue
        first, _ = _bounds(graph, graph.cast(start, np.int64), shape[axis], width)
        place = graph.op("Sub", graph.iota(shape[axis]), first)
        kept, inside = _bounds(graph, place, width, 1)
        update = graph.op("Gather", update, kept, axis=axis)
        mask = _both(graph, mask, _at(graph, inside, [axis], len(shape)), "And")
    return graph.op("Identity", update) if mask is None else graph.where(mask, update, x)


RULES: dict[str, Rule] = {
    "gather": _gather,
    "scatter": _scatter("none"),
    "scatter-add": _scatter("add"),
    "scatter-mul": _scatter("mul"),
    "scatter-max": _scatter("max"),
    "scatter-min": _scatter("min"),
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update,
}
