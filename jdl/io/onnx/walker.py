"""A walk over a function's jaxpr, equation by equation, that writes an ONNX graph."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend import core

from jdl.io.errors import ModelError
from jdl.io.onnx import control
from jdl.io.onnx.elementwise import RULES as ELEMENTWISE
from jdl.io.onnx.graph import Graph, dynamic
from jdl.io.onnx.indexing import RULES as INDEXING
from jdl.io.onnx.portable import PORTABLE
from jdl.io.onnx.products import RULES as PRODUCTS
from jdl.io.onnx.reductions import RULES as REDUCTIONS
from jdl.io.onnx.shapes import RULES as SHAPES
from jdl.io.onnx.shapes import laid

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

_WHOLE = ("optimization_barrier",)  # of the elementwise rules, what gives back its inputs as they are


class Wide(NamedTuple):
    """A value that is to be repeated along axes of one, which arithmetic does by itself."""

    value: Any
    shape: tuple[int, ...]


def write(graph: Graph, closed: Any, inputs: Sequence[Any]) -> list[Any]:
    """Write what a jaxpr computes of ``inputs``, and give its outputs.

    Raises:
        ModelError: a primitive that has no translation.
    """
    return [_whole(graph, value) for value in _walk(graph, closed, inputs)]


def _walk(graph: Graph, closed: Any, inputs: Sequence[Any]) -> list[Any]:
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
    if name in _INSIDE and _INSIDE[name] in given:
        return _inside(graph, equation, given[_INSIDE[name]], inputs)
    if not any(isinstance(value, str | Wide) for value in inputs) and not any(
        dynamic(var.aval.shape) for var in equation.outvars
    ):
        return _folded(equation, inputs)
    if name == "broadcast_in_dim":
        return [_wide(graph, equation, _whole(graph, inputs[0]))]
    if name in ELEMENTWISE and name not in _WHOLE:
        return _elementwise(graph, equation, inputs)
    inputs = [_whole(graph, value) for value in inputs]
    if name in control.RULES:
        return control.RULES[name](graph, equation, write, *inputs)
    return _by_rule(graph, equation, inputs)


def _by_rule(graph: Graph, equation: Any, inputs: Sequence[Any]) -> Sequence[Any]:
    name = equation.primitive.name
    if name not in RULES:
        kinds = ", ".join(f"{var.aval.dtype}{list(var.aval.shape)}" for var in equation.invars)
        raise ModelError(f"export to ONNX: the primitive {name!r} of {kinds} has no translation")
    for var in (*equation.invars, *equation.outvars):
        if np.issubdtype(var.aval.dtype, np.complexfloating):
            raise ModelError(f"export to ONNX: {name!r} of {var.aval.dtype}: ONNX has no complex numbers")
    found = RULES[name](graph, equation, *inputs)
    return [found] if isinstance(found, str) else found


def _inside(graph: Graph, equation: Any, closed: Any, inputs: Sequence[Any]) -> Sequence[Any]:
    """Write what is called, or what stands for it in ONNX."""
    specs = [jax.ShapeDtypeStruct(var.aval.shape, var.aval.dtype) for var in equation.invars]
    portable = PORTABLE.get(_called(closed))
    if portable is None or not portable.takes(*specs):
        return _walk(graph, closed, inputs)
    return _walk(graph, jax.make_jaxpr(portable.function)(*specs), inputs)


def _elementwise(graph: Graph, equation: Any, inputs: Sequence[Any]) -> Sequence[Any]:
    """Compute each element of what is not repeated yet; the result is whole where an input is."""
    shape = equation.outvars[0].aval.shape
    narrow = [value.value if isinstance(value, Wide) else value for value in inputs]
    (found,) = _by_rule(graph, equation, narrow)
    pairs = zip(equation.invars, inputs, strict=True)
    whole = any(var.aval.shape == shape and not isinstance(value, Wide) for var, value in pairs)
    return [found if whole else Wide(found, shape)]


def _wide(graph: Graph, equation: Any, value: Any) -> Any:
    found, needed = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
    value, between = laid(graph, value, found, needed, equation.params["broadcast_dimensions"])
    return value if isinstance(value, str) and between == list(needed) else Wide(value, needed)


def _whole(graph: Graph, value: Any) -> Any:
    return graph.expand(value.value, value.shape) if isinstance(value, Wide) else value


def _called(closed: Any) -> tuple[str, str]:
    """Name a function, and the file it is from."""
    about = getattr(closed, "jaxpr", closed).debug_info
    return about.func_name, about.func_filename or ""


def _folded(equation: Any, inputs: list[Any]) -> Sequence[Any]:
    """Compute now what depends on no input."""
    found = equation.primitive.bind(*inputs, **equation.params)
    found = found if equation.primitive.multiple_results else [found]
    return [
        each if jax.dtypes.issubdtype(each.dtype, jax.dtypes.extended) else np.asarray(each) for each in found
    ]
