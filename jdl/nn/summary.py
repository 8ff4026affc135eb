"""A network's table of parts, from shapes alone: no array is allocated."""

from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jdl.nn.layer import Layer, abstract_pass, as_layer
from jdl.nn.scope import Call
from jdl.nn.spec import Spec, partition
from jdl.nn.trees import nest


class Row(NamedTuple):
    """One part: path, layer, output shape, its parameters' count and bytes, and its operations.

    ``flops`` is of one example; of a part inside ``nn.repeat``, ``nn.map`` or ``nn.ensemble``, of one use.
    """

    path: str
    layer: str
    output: str
    parameters: int
    bytes: int
    flops: int


class Summary(tuple[Row, ...]):
    """Rows of a network's parts; printed as a table. The first row is the whole network."""

    def __str__(self) -> str:
        head = ("path", "layer", "output", "parameters", "bytes", "FLOPs")
        table = [head, *((r.path or ".", *r[1:3], *(f"{number:,}" for number in r[3:])) for r in self)]
        widths = [max(len(line[i]) for line in table) for i in range(len(head))]
        return "\n".join("  ".join(_pad(line, widths)).rstrip() for line in table)

    __repr__ = __str__  # what a notebook shows


def _pad(line: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.rjust(width) if i > 2 else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]


def summary(net: Any, *inputs: Any, **keywords: Any) -> Summary:
    """Describe a network for one example like ``inputs`` (arrays or ShapeDtypeStructs).

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> print(nn.summary(nn.chain(nn.dense(4), nn.relu, nn.dense(2)), jnp.zeros(3)))
    path     layer                            output      parameters  bytes  FLOPs
    .        chain(dense(4), relu, dense(2))  float32[2]          26    104     40
    dense    dense(4)                         float32[4]          16     64     24
    relu     relu                             float32[4]           0      0      0
    dense_1  dense(2)                         float32[2]          10     40     16
    """
    traced = abstract_pass(as_layer(net), inputs, keywords)
    operations: dict[Any, int] = {}  # equal parts of equal inputs are counted once
    rows = {}
    for call in _parents_first(traced.calls):
        like = (call.layer, str((call.inputs, call.keywords)))
        if like not in operations:
            operations[like] = flops(call.layer, *call.inputs, **call.keywords)
        own = _leaves([spec for path, spec in traced.specs["params"].items() if _within(call.path, path)])
        rows[call.path] = Row(
            call.path,
            repr(call.layer),
            ", ".join(_describe(leaf) for leaf in jax.tree.leaves(call.outputs)),
            sum(prod(leaf.shape) for leaf in own),
            sum(prod(leaf.shape) * jnp.dtype(leaf.dtype).itemsize for leaf in own),
            operations[like],
        )
    return Summary(rows.values())


def _within(part: str, path: str) -> bool:
    return not part or path == part or path.startswith(f"{part}/")


def _parents_first(calls: list[Call]) -> list[Call]:
    """Order calls, which are listed as they end, as they began: a part before those inside it."""
    ordered: list[Call] = []
    for call in calls:
        inside = (i for i, before in enumerate(ordered) if _within(call.path, before.path))
        ordered.insert(next(inside, len(ordered)), call)
    return ordered


def _leaves(specs: list[Spec]) -> list[Any]:
    foreign = lambda spec: jax.tree.leaves(spec.shape)
    return [leaf for spec in specs for leaf in (foreign(spec) if spec.dtype is None else [spec])]


def _describe(leaf: Any) -> str:
    return f"{jnp.result_type(leaf).name}[{','.join(map(str, jnp.shape(leaf)))}]"


def flops(layer: Layer, *inputs: Any, **keywords: Any) -> int:
    """Count the floating-point operations of one example's matrix products and convolutions.

    Those of a loop's body count once for each step of a ``scan``; of a ``cond``, the largest branch counts.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.flops(nn.dense(4), jnp.zeros(3))
    24
    """
    specs = layer.specs(*inputs, **keywords)
    params, state = (
        nest({path: _shape(spec) for path, spec in specs[kind].items()}) for kind in ("params", "state")
    )
    arrays, merge = partition((inputs, keywords))

    def run(params: Any, state: Any, arrays: Any) -> Any:
        inputs, keywords = merge(arrays)
        return layer.apply(params, state, *inputs, **keywords)

    return _count(jax.make_jaxpr(run)(params, state, arrays).jaxpr)


def _shape(spec: Spec) -> Any:
    return spec.shape if spec.dtype is None else jax.ShapeDtypeStruct(spec.shape, spec.dtype)


def _count(jaxpr: Any) -> int:
    return sum(_count_equation(equation) for equation in jaxpr.eqns)


def _count_equation(equation: Any) -> int:
    name, given = equation.primitive.name, equation.params
    output = prod(equation.outvars[0].aval.shape) if equation.outvars else 0
    if name == "dot_general":
        (contracted, _), _ = given["dimension_numbers"]
        return 2 * output * prod(equation.invars[0].aval.shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel, layout = equation.invars[1].aval.shape, given["dimension_numbers"].rhs_spec
        return 2 * output * prod(kernel) // kernel[layout[0]]
    inner = [_count(sub) for value in given.values() for sub in _jaxprs(value)]
    times = given["length"] if name == "scan" else 1
    return times * (max(inner, default=0) if name == "cond" else sum(inner))


def _jaxprs(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [jaxpr for item in value for jaxpr in _jaxprs(item)]
    value = getattr(value, "jaxpr", value)
    return [value] if hasattr(value, "eqns") else []
