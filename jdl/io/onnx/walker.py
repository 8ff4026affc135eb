"""A walk over a function's jaxpr, equation by equation, that writes an ONNX graph."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core

from jdl.io.errors import ModelError
from jdl.io.onnx import control
from jdl.io.onnx.elementwise import RULES as ELEMENTWISE
from jdl.io.onnx.graph import Graph, dynamic
from jdl.io.onnx.indexing import RULES as INDEXING
from jdl.io.onnx.ndtri import ndtri
from jdl.io.onnx.products import RULES as PRODUCTS
from jdl.io.onnx.reductions import RULES as REDUCTIONS
from jdl.io.onnx.shapes import RULES as SHAPES

RULES: dict[str, Any] = {**ELEMENTWISE, **SHAPES, **REDUCTIONS, **PRODUCTS, **INDEXING}
_INSIDE = {  # calls, by the parameter that holds what they call
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}


_PORTABLE = {"_ndtri": ndtri}  # in place of those that take numbers' bits apart, by the name they are called


def write(graph: Graph, closed: Any, inputs: Sequence[Any]) -> list[Any]:
    """Write what a jaxpr computes of ``inputs``, and give its outputs.

    Raises:
        ModelError: a primitive that has no translation.
    """
    jaxpr, constants = (closed.jaxpr, closed.consts) if hasattr(closed, "consts") else (closed, ())
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, constants, strict=True))
    known |= dict(zip(jaxpr.invars, inputs, strict=True))

    def read(var: Any) -> Any:
        literal: Any = var if isinstance(var, core.Literal) else None
        return known[var] if literal is None else np.asarray(literal.val, literal.aval.dtype)

    for equation in jaxpr.eqns:
        outputs = _equation(graph, equation, [read(var) for var in equation.invars])
        known |= dict(zip(equation.outvars, outputs, strict=True))
    return [read(var) for var in jaxpr.outvars]


def _equation(graph: Graph, equation: Any, inputs: list[Any]) -> Sequence[Any]:
    name, given = equation.primitive.name, equation.params
    if name == "custom_jvp_call" and (portable := _PORTABLE.get(_called(given["call_jaxpr"]))):
        specs = [jax.ShapeDtypeStruct(var.aval.shape, var.aval.dtype) for var in equation.invars]
        return write(graph, jax.make_jaxpr(portable)(*specs), inputs)
    if name in _INSIDE and _INSIDE[name] in given:
        return write(graph, given[_INSIDE[name]], inputs)
    if not any(isinstance(value, str) for value in inputs) and not any(
        dynamic(var.aval.shape) for var in equation.outvars
    ):
        return _folded(equation, inputs)
    if name in control.RULES:
        return control.RULES[name](graph, equation, write, *inputs)
    if name not in RULES:
        kinds = ", ".join(f"{var.aval.dtype}{list(var.aval.shape)}" for var in equation.invars)
        raise ModelError(f"export to ONNX: the primitive {name!r} of {kinds} has no translation")
    for var in (*equation.invars, *equation.outvars):
        if np.issubdtype(var.aval.dtype, np.complexfloating):
            raise ModelError(f"export to ONNX: {name!r} of {var.aval.dtype}: ONNX has no complex numbers")
    found = RULES[name](graph, equation, *inputs)
    return [found] if isinstance(found, str) else found


def _called(closed: Any) -> str:
    return getattr(closed, "jaxpr", closed).debug_info.func_name


def _folded(equation: Any, inputs: list[Any]) -> Sequence[Any]:
    """Compute now what depends on no input."""
    found = equation.primitive.bind(*inputs, **equation.params)
    found = found if equation.primitive.multiple_results else [found]
    return [
        each if jax.dtypes.issubdtype(each.dtype, jax.dtypes.extended) else np.asarray(each) for each in found
    ]
