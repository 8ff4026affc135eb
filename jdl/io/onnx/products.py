"""Products of matrices, and convolutions."""

from string import ascii_lowercase
from typing import Any

import numpy as np

from jdl.io.errors import ModelError
from jdl.io.onnx.graph import Graph
from jdl.io.onnx.shapes import pad


def _dot(graph: Graph, equation: Any, x: Any, y: Any) -> str:
    (x_sum, y_sum), (x_batch, y_batch) = equation.params["dimension_numbers"]
    a, b = (var.aval for var in equation.invars)
    kind = equation.outvars[0].aval.dtype
    if a.dtype != kind or b.dtype != kind:
        x, y = graph.cast(x, kind), graph.cast(y, kind)
    if not x_batch and tuple(x_sum) == (a.ndim - 1,) and tuple(y_sum) == (0,) and b.ndim == 2:
        return graph.op("MatMul", x, y)
    letters = iter(ascii_lowercase)
    first = [next(letters) for _ in range(a.ndim)]
    second = [next(letters) for _ in range(b.ndim)]
    for i, j in zip((*x_sum, *x_batch), (*y_sum, *y_batch), strict=True):
        second[j] = first[i]
    shared = [first[i] for i in x_batch]
    summed = {first[i] for i in x_sum}
    rest = [one for one in (*first, *second) if one not in shared and one not in summed]
    says = f"{''.join(first)},{''.join(second)}->{''.join([*shared, *rest])}"
    return graph.op("Einsum", x, y, equation=says)


def _conv(graph: Graph, equation: Any, x: Any, w: Any) -> str:
    given = equation.params
    if given["batch_group_count"] != 1:
        raise ModelError("export to ONNX: a convolution with groups of rows has no translation")
    numbers, shape = given["dimension_numbers"], equation.invars[0].aval.shape
    x = graph.transpose(x, numbers.lhs_spec)
    w = graph.transpose(w, numbers.rhs_spec)
    edges = zip(given["padding"], given["lhs_dilation"], strict=True)
    config = [(0, 0, 0), (0, 0, 0), *((low, high, dilation - 1) for (low, high), dilation in edges)]
    zero = np.zeros((), equation.invars[0].aval.dtype)
    x = pad(graph, x, [shape[axis] for axis in numbers.lhs_spec], zero, config)
    found = graph.op(
        "Conv",
        x,
        w,
        strides=list(given["window_strides"]),
        dilations=list(given["rhs_dilation"]),
        group=given["feature_group_count"],
    )
    return graph.transpose(found, np.argsort(numbers.out_spec).tolist())


RULES = {"dot_general": _dot, "conv_general_dilated": _conv}
