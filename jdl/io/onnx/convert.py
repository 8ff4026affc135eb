"""A function of arrays as an ONNX model, checked against ONNX Runtime before anyone has it."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import jax
import numpy as np

from jdl.io.errors import ModelError
from jdl.io.onnx.graph import IR, ML_OPSET, OPSET, ROWS, Graph
from jdl.io.onnx.raw import Raw
from jdl.io.onnx.walker import write

TOLERANCE = 1e-4
"""How far ONNX Runtime may lie from JAX, as a part of the greatest value where that is above 1."""


def convert(function: Callable, *examples: Any) -> bytes:
    """Write a function of one example as an ONNX model of rows: each input and output has them in front.

    ``examples`` are arrays, or anything with a shape and a dtype; the inputs are called ``input_0``, … and
    the outputs ``output_0``, … in the order of the tree's leaves. What is written is run by ONNX Runtime on
    random rows, and compared with JAX.

    Raises:
        ModelError: a primitive that has no translation, or an error above 1e-4.

    >>> import jax.numpy as jnp
    >>> len(convert(jnp.tanh, np.zeros(3, np.float32))) > 50
    True
    """
    dtype = jax.dtypes.canonicalize_dtype  # JAX takes numbers of 64 bits as those of 32
    specs = [jax.ShapeDtypeStruct(np.shape(each), dtype(each.dtype)) for each in examples]
    inputs = {f"input_{i}": spec for i, spec in enumerate(specs)}

    def named(columns: Mapping[str, Any]) -> dict[str, Any]:
        leaves = jax.tree.leaves(jax.vmap(function)(*columns.values()))
        return {f"output_{i}": leaf for i, leaf in enumerate(leaves)}

    content = model_of(named, inputs).SerializeToString()
    rng = np.random.default_rng(0)
    for count in (1, 3):
        columns = {name: _random(rng, (count, *spec.shape), spec.dtype) for name, spec in inputs.items()}
        compare(named(columns), run(content, columns))
    return content


def model_of(
    function: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    inputs: Mapping[str, Any],
    read: Mapping[str, Raw] | None = None,
    said: Mapping[str, str] | None = None,
) -> Any:
    """Write a function of a dict of rows as an ONNX model.

    ``inputs`` gives each row's shape and dtype, as the function takes them; one in ``read`` comes in another
    type, and is read as said there. ``said`` goes into the model.
    """
    wanted = jax.tree.map(lambda spec: jax.ShapeDtypeStruct((ROWS, *spec.shape), spec.dtype), dict(inputs))
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(wanted)
    helper, graph, read = optional("onnx").helper, Graph([*wanted, *shapes]), read or {}
    names = list(wanted)
    if both := sorted(set(wanted) & set(shapes)):
        raise ModelError(
            f"export to ONNX: column {both[0]!r} has the name of an output; rename it, and train again"
        )
    given = {name: read[name].write(graph, name) if name in read else name for name in names}
    outputs = write(graph, closed, [given[name] for name in sorted(names)])
    kind, kind_of = helper.np_dtype_to_tensor_dtype, optional("onnx").TensorProto.DataType.Value
    declared = [
        helper.make_tensor_value_info(
            name,
            kind_of(read[name].kind) if name in read else kind(np.dtype(wanted[name].dtype)),
            ["rows", *wanted[name].shape[1:]],
        )
        for name in names
    ]
    found = [
        helper.make_tensor_value_info(
            name, kind(np.dtype(shapes[name].dtype)), ["rows", *shapes[name].shape[1:]]
        )
        for name in shapes
    ]
    count = helper.make_node("Shape", [names[0]], [graph.rows], start=0, end=1)
    last = [
        helper.make_node("Identity", [graph.name(value)], [name])
        for name, value in zip(sorted(shapes), outputs, strict=True)
    ]
    constants = [
        optional("onnx").numpy_helper.from_array(value, name) for name, value in graph.constants.items()
    ]
    whole = helper.make_graph([count, *graph.head, *graph.nodes, *last], "jdl", declared, found, constants)
    domains = sorted({node.domain for node in whole.node})
    opsets = [helper.make_opsetid(domain, ML_OPSET if domain else OPSET) for domain in domains]
    model = helper.make_model(whole, opset_imports=opsets, ir_version=IR, producer_name="jdl")
    helper.set_model_props(model, dict(said or {}))
    return model


def run(content: bytes, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Run a model by ONNX Runtime on one core."""
    runtime = optional("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    try:
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        found = session.run(None, dict(columns))
    except Exception as error:  # the runtime's own errors have no public base
        raise ModelError(f"export to ONNX: ONNX Runtime refuses the model: {error}") from error
    return dict(zip((output.name for output in session.get_outputs()), found, strict=True))


def compare(needed: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Compare what ONNX Runtime gives with what JAX gives.

    Raises:
        ModelError: an error above 1e-4 of the greatest value (of 1 where that is less).
    """
    for name, value in needed.items():
        one, other = np.asarray(value, np.float64), np.asarray(found[name], np.float64)
        if one.shape != other.shape:
            raise ModelError(f"export to ONNX: {name} has shape {other.shape}, JAX gives {one.shape}")
        apart = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, np.abs(one - other))
        size = np.max(np.abs(one), initial=1.0, where=np.isfinite(one))
        worst = np.max(apart / size, initial=0.0)
        if not worst <= TOLERANCE:
            raise ModelError(
                f"export to ONNX: {name} lies {worst:.2g} from what JAX gives, needs at most {TOLERANCE:g}; "
                "nothing was written"
            )


def optional(name: str) -> Any:
    """Import a package that only this export needs."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError(f"export to ONNX needs the package {name}: pip install 'jdl[onnx]'") from error


def _random(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    if np.issubdtype(dtype, np.floating):
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(0, 2, shape).astype(dtype)
