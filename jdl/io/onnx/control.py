"""Loops and branches; ``write`` is the walk, which the bodies need again."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jdl.io.onnx.graph import Graph

Write = Callable[[Graph, Any, Sequence[Any]], list[Any]]


def _scan(graph: Graph, equation: Any, write: Write, *inputs: Any) -> Sequence[Any]:
    given = equation.params
    body, (consts, carried) = given["jaxpr"], _constants_and_carried(given)
    fixed, moving = inputs[:consts], inputs[consts:]
    if len(moving) == carried or given["length"] <= given["unroll"]:
        order = range(given["length"])[:: -1 if given["reverse"] else 1]
        return _repeated(graph, order, carried, moving, lambda now: write(graph, body, [*fixed, *now]))
    names = [graph.fresh() for _ in moving]
    dtypes = [var.aval.dtype for var in equation.invars[consts:]]
    inner = graph.subgraph(names, dtypes, lambda: write(graph, body, [*fixed, *names]))
    backwards, xs, ys = int(given["reverse"]), len(moving) - carried, len(equation.outvars) - carried
    return graph.ops(
        "Scan",
        len(equation.outvars),
        *moving,
        body=inner,
        num_scan_inputs=xs,
        scan_input_directions=[backwards] * xs,
        **({"scan_output_directions": [backwards] * ys} if ys else {}),
    )


def _constants_and_carried(given: dict[str, Any]) -> tuple[int, int]:
    if "num_consts" in given:
        return given["num_consts"], given["num_carry"]
    consts, carried, _ = given["ft_in"].unpack()  # from jax 0.12 on
    return len(consts), len(carried)


def _repeated(
    graph: Graph,
    order: Sequence[int],
    carried: int,
    moving: Sequence[Any],
    step: Callable[[Sequence[Any]], list[Any]],
) -> Sequence[Any]:
    """Write a loop as its steps, one behind the other.

    So must be one over nothing, as ONNX scans over at least one input; and so is one that JAX was asked to
    unroll, as a step of a loop costs ONNX Runtime more than the arithmetic of a short one.
    """
    now, xs = moving[:carried], moving[carried:]
    rows: dict[int, list[Any]] = {}
    for i in order:
        here = [graph.op("Gather", x, np.int64(i), axis=0) if isinstance(x, str) else x[i] for x in xs]
        found = step([*now, *here])
        now = found[:carried]
        rows[i] = [graph.op("Unsqueeze", value, np.array([0])) for value in found[carried:]]
    stacked = zip(*(rows[i] for i in sorted(rows)), strict=True)
    return [*now, *(graph.op("Concat", *column, axis=0) for column in stacked)]


def _while(graph: Graph, equation: Any, write: Write, *inputs: Any) -> Sequence[Any]:
    given = equation.params
    ask, body = given["cond_jaxpr"], given["body_jaxpr"]
    asked, a, b = given["cond_nconsts"], given["cond_nconsts"], given["body_nconsts"]
    to_ask, to_step, carried = inputs[:asked], inputs[a : a + b], inputs[a + b :]
    names = [graph.fresh() for _ in range(2 + len(carried))]
    dtypes = [np.int64, np.bool_, *(var.aval.dtype for var in equation.invars[a + b :])]

    def step() -> list[Any]:
        after = write(graph, body, [*to_step, *names[2:]])
        return [*write(graph, ask, [*to_ask, *after]), *after]

    inner = graph.subgraph(names, dtypes, step)
    begin = write(graph, ask, [*to_ask, *carried])[0]
    return graph.ops("Loop", len(carried), "", begin, *carried, body=inner)


def _cond(graph: Graph, equation: Any, write: Write, which: Any, *inputs: Any) -> Sequence[Any]:
    branches = equation.params["branches"]
    if not isinstance(which, str):
        return write(graph, branches[min(max(int(which), 0), len(branches) - 1)], inputs)

    def choose(first: int) -> Sequence[Any]:
        if first == len(branches) - 1:
            return write(graph, branches[first], inputs)
        here = graph.op("LessOrEqual", graph.cast(which, np.int32), np.int32(first))
        one = graph.subgraph([], [], lambda: write(graph, branches[first], inputs))
        other = graph.subgraph([], [], lambda: choose(first + 1))
        return graph.ops("If", len(equation.outvars), here, then_branch=one, else_branch=other)

    return choose(0)


RULES = {"scan": _scan, "while": _while, "cond": _cond}
