"""Primitives that compute each element by itself."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jdl.io.errors import ModelError
from jdl.io.onnx.graph import Graph

Rule = Callable[..., Any]


def _plain(kind: str) -> Rule:
    return lambda graph, equation, *inputs: graph.op(kind, *inputs)


def _number(equation: Any, value: float) -> Any:
    return np.asarray(value, equation.invars[0].aval.dtype)


def _is_bool(equation: Any) -> bool:
    return equation.invars[0].aval.dtype == np.bool_


def _by_type(of_bools: str, of_others: str) -> Rule:
    return lambda graph, equation, *inputs: graph.op(of_bools if _is_bool(equation) else of_others, *inputs)


def _compare(kind: str, negated: bool = False) -> Rule:
    def rule(graph: Graph, equation: Any, x: Any, y: Any) -> str:
        if _is_bool(equation) and kind != "Equal":
            x, y = graph.cast(x, np.int32), graph.cast(y, np.int32)
        found = graph.op(kind, x, y)
        return graph.op("Not", found) if negated else found

    return rule


def _select(graph: Graph, equation: Any, which: Any, *cases: Any) -> Any:
    if len(cases) > 2:
        raise ModelError(f"export to ONNX: select_n of {len(cases)} cases, only 2 have a translation")
    if not _is_bool(equation):
        which = graph.cast(which, np.bool_)
    return graph.where(which, cases[-1], cases[0])


def _clamp(graph: Graph, equation: Any, low: Any, x: Any, high: Any) -> str:
    return graph.op("Min", graph.op("Max", x, low), high)


def _integer_pow(graph: Graph, equation: Any, x: Any) -> str:
    power = equation.params["y"]
    if power == 2:
        return graph.op("Mul", x, x)
    return graph.op("Pow", x, _number(equation, power))


def _round(graph: Graph, equation: Any, x: Any) -> str:
    if equation.params["rounding_method"].name == "TO_NEAREST_EVEN":
        return graph.op("Round", x)
    up = graph.op("Floor", graph.op("Add", graph.op("Abs", x), _number(equation, 0.5)))
    return graph.op("Mul", graph.op("Sign", x), up)


def _is_finite(graph: Graph, equation: Any, x: Any) -> str:
    most = jnp.finfo(equation.invars[0].aval.dtype).max  # below which NaN does not lie either
    return graph.op("LessOrEqual", graph.op("Abs", x), np.asarray(most))


def _rem(graph: Graph, equation: Any, x: Any, y: Any) -> str:
    return graph.op("Mod", x, y, fmod=1)


def _shift_left(graph: Graph, equation: Any, x: Any, by: Any) -> str:
    return graph.op("Mul", x, graph.cast(_power_of_two(graph, by), equation.invars[0].aval.dtype))


def _shift_right(graph: Graph, equation: Any, x: Any, by: Any) -> str:
    """Divide, rounding down: ONNX shifts numbers without a sign alone."""
    dtype, divisor = equation.invars[0].aval.dtype, _power_of_two(graph, by)
    wide = graph.cast(x, np.int64)
    whole = graph.op("Sub", wide, graph.op("Mod", wide, divisor))
    return graph.cast(graph.op("Div", whole, divisor), dtype)


def _power_of_two(graph: Graph, by: Any) -> Any:
    """Give 2 to the power of ``by`` as int64, where that is less than 63."""
    if not isinstance(by, str):
        return np.int64(1) << np.asarray(by, np.int64)
    return graph.cast(
        graph.op("BitShift", np.uint64(1), graph.cast(by, np.uint64), direction="LEFT"), np.int64
    )


def _cast(graph: Graph, equation: Any, x: Any) -> str:
    return graph.cast(x, equation.params["new_dtype"])


def _copies(graph: Graph, equation: Any, *inputs: Any) -> list[str]:
    return [graph.op("Identity", value) for value in inputs]


def _cbrt(graph: Graph, equation: Any, x: Any) -> str:
    root = graph.op("Pow", graph.op("Abs", x), _number(equation, 1 / 3))
    return graph.op("Mul", graph.op("Sign", x), root)


def _atan2(graph: Graph, equation: Any, y: Any, x: Any) -> str:
    # Half the angle's tangent: y / (r + x), and where that loses its digits (r - x) / y.
    square = lambda value: graph.op("Mul", value, value)
    r = graph.op("Sqrt", graph.op("Add", square(x), square(y)))
    right = graph.op("Div", y, graph.op("Add", r, x))
    left = graph.op("Div", graph.op("Sub", r, x), y)
    half = graph.op("Atan", graph.where(graph.op("Greater", x, _number(equation, 0)), right, left))
    flat = graph.op("Equal", y, _number(equation, 0))
    below = graph.op("Less", x, _number(equation, 0))
    straight = graph.where(below, _number(equation, np.pi), _number(equation, 0))
    return graph.where(flat, straight, graph.op("Mul", half, _number(equation, 2)))


RULES: dict[str, Rule] = {
    **{name: _plain(kind) for name, kind in {
        "add": "Add", "add_any": "Add", "sub": "Sub", "div": "Div", "pow": "Pow",
        "neg": "Neg", "abs": "Abs", "sign": "Sign", "floor": "Floor", "ceil": "Ceil", "exp": "Exp",
        "log": "Log", "sqrt": "Sqrt", "tanh": "Tanh", "logistic": "Sigmoid", "sin": "Sin", "cos": "Cos",
        "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh",
        "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "erf": "Erf", "copy": "Identity",
        "copy_p": "Identity", "stop_gradient": "Identity", "sharding_constraint": "Identity",
    }.items()},
    "mul": _by_type("And", "Mul"),
    "max": _by_type("Or", "Max"),
    "min": _by_type("And", "Min"),
    "and": _by_type("And", "BitwiseAnd"),
    "or": _by_type("Or", "BitwiseOr"),
    "xor": _by_type("Xor", "BitwiseXor"),
    "not": _by_type("Not", "BitwiseNot"),
    "eq": _compare("Equal"),
    "ne": _compare("Equal", negated=True),
    "lt": _compare("Less"),
    "le": _compare("LessOrEqual"),
    "gt": _compare("Greater"),
    "ge": _compare("GreaterOrEqual"),
    "select_n": _select,
    "clamp": _clamp,
    "integer_pow": _integer_pow,
    "square": lambda graph, equation, x: graph.op("Mul", x, x),
    "rsqrt": lambda graph, equation, x: graph.op("Reciprocal", graph.op("Sqrt", x)),
    "cbrt": _cbrt,
    "exp2": lambda graph, equation, x: graph.op("Pow", _number(equation, 2), x),
    "expm1": lambda graph, equation, x: graph.op("Sub", graph.op("Exp", x), _number(equation, 1)),
    "log1p": lambda graph, equation, x: graph.op("Log", graph.op("Add", x, _number(equation, 1))),
    "erfc": lambda graph, equation, x: graph.op("Sub", _number(equation, 1), graph.op("Erf", x)),
    "atan2": _atan2,
    "round": _round,
    "is_finite": _is_finite,
    "rem": _rem,
    "shift_left": _shift_left,
    "shift_right_arithmetic": _shift_right,
    "convert_element_type": _cast,
    "optimization_barrier": _copies,
}  # fmt: skip
