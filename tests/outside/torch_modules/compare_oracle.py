"""One case in torch and in jdl, in float64: values, and gradients by the inputs and by every parameter.

An adapter is one function ``adapter(module, weights, *args, **kwargs)``. It reads the hyper-parameters from
the torch module, is given its weights and the forward inputs as JAX arrays **as torch lays them out**, and
gives the outputs in the same way. So all it does about layout is differentiated along, and the gradients
compare leaf by leaf. An output that jdl does not have is None.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch

from tests.outside.torch_modules.cases_oracle import Case
from tests.quick import compiled

# What comes out in float32 whatever goes in (a loss) is compared as float32.
TOLERANCE = {"float64": 1e-9, "float32": 2e-5}

# What of a torch module an adapter may read.
PLAIN = bool | int | float | str | tuple | list | None


class Theirs(NamedTuple):
    """What torch did: its inputs and weights by name, arrays in place of tensors, and its outputs.

    ``moving`` names the leaves that have a gradient; ``backward(cotangents)`` gives it by name.
    """

    module: torch.nn.Module
    leaves: dict[str, Any]
    structure: Any
    moving: list[str]
    outputs: list[Any]
    backward: Callable[[list[Any]], dict[str, np.ndarray]]


def run_torch(case: Case) -> Theirs:
    """Run a case forward."""
    module = case.build()
    tensors, structure = jax.tree.flatten((case.args, case.kwargs))
    tensors = [_fresh(leaf) if isinstance(leaf, torch.Tensor) else leaf for leaf in tensors]
    leaves = {f"weights.{name}": _array(value) for name, value in module.named_buffers()}
    args, kwargs = structure.unflatten(tensors)
    outputs = _listed(module(*args, **kwargs))
    moving = {f"weights.{name}": value for name, value in module.named_parameters()}
    moving |= {f"input.{i}": leaf for i, leaf in enumerate(tensors) if _has_gradient(leaf)}
    leaves |= {f"input.{i}": leaf for i, leaf in enumerate(tensors)} | moving
    leaves = {name: _array(leaf) for name, leaf in leaves.items()}

    def backward(cotangents: list[Any]) -> dict[str, np.ndarray]:
        pairs = [(y, torch.tensor(c)) for y, c in zip(outputs, cotangents, strict=True) if c is not None]
        torch.autograd.backward(*map(list, zip(*pairs, strict=True)))
        grads = {
            name: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for name, leaf in moving.items()
        }
        return {name: _array(grad) for name, grad in grads.items()}

    return Theirs(module, leaves, structure, list(moving), [_array(y) for y in outputs], backward)


def compare(adapter: Callable[..., Any], theirs: Theirs, programs: dict[Any, Any] | None = None) -> None:
    """Raise an AssertionError where jdl differs from torch.

    Compiled ``programs`` are kept to serve again; without them every operation runs by itself.
    """
    arrays = {name: leaf for name, leaf in theirs.leaves.items() if isinstance(leaf, np.ndarray)}
    moving = {name: arrays.pop(name) for name in theirs.moving}
    rng = np.random.default_rng(0)
    cotangents = [rng.normal(size=y.shape) if _is_float(y) else None for y in theirs.outputs]
    with jax.enable_x64(True):
        given = moving, arrays, cotangents
        outputs, gradients = _program(adapter, theirs, given, programs)(*given)
    assert _is_float(outputs[0]), "the adapter gives no output"
    for i, (y, expected) in enumerate(zip(outputs, theirs.outputs, strict=True)):
        if y is not None:
            _close(f"output {i}", y, expected, y.dtype)
    compared = [c if _is_float(y) else None for c, y in zip(cotangents, outputs, strict=True)]
    for name, expected in theirs.backward(compared).items():
        _close(f"gradient by {name}", gradients[name], expected, outputs[0].dtype)


def _program(adapter: Callable[..., Any], theirs: Theirs, given: tuple, programs: Any) -> Callable[..., Any]:
    def forward(moving: Any, arrays: Any) -> list[Any]:
        leaves = {**theirs.leaves, **arrays, **moving}
        count = theirs.structure.num_leaves
        args, kwargs = theirs.structure.unflatten([leaves[f"input.{i}"] for i in range(count)])
        weights = {
            name.removeprefix("weights."): leaf
            for name, leaf in leaves.items()
            if name.startswith("weights.")
        }
        return _listed(adapter(theirs.module, weights, *args, **kwargs))

    def run(moving: Any, arrays: Any, cotangents: Any) -> Any:
        outputs, back = jax.vjp(lambda moving: forward(moving, arrays), moving)
        weighed = [
            c.astype(y.dtype) if _is_float(y) else None if y is None else np.zeros(y.shape, jax.dtypes.float0)
            for y, c in zip(outputs, cotangents, strict=True)
        ]
        return outputs, back(weighed)[0]

    if programs is None:
        return run
    like = _configuration(theirs), str(jax.tree.map(jax.typeof, given))
    if like not in programs:
        programs[like] = compiled(run, *given)
    return programs[like]


def _configuration(theirs: Theirs) -> str:
    """Write down everything that an adapter may read: the module's numbers and functions, static inputs."""
    without = set() if list(theirs.module.buffers()) else {"training"}
    if all(np.ndim(leaf) < 3 for name, leaf in theirs.leaves.items() if name.startswith("input.")):
        without.add("batch_first")  # of a single sequence

    def plain(part: torch.nn.Module) -> dict[str, Any]:
        found = {key: value for key, value in vars(part).items() if key not in without}
        return {key: value for key, value in found.items() if isinstance(value, PLAIN) or callable(value)}

    modules = {name: plain(part) for name, part in theirs.module.named_modules()}
    static = {name: leaf for name, leaf in theirs.leaves.items() if not isinstance(leaf, np.ndarray)}
    return str((type(theirs.module), modules, theirs.structure, static))


def _close(what: str, found: Any, expected: np.ndarray, dtype: Any) -> None:
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, torch {expected.shape}"
    tolerance = TOLERANCE[str(dtype)] if expected.dtype.kind == "f" else 0
    assert np.isfinite(expected).all(), f"{what}: torch gives NaN, which compares nothing; leave the case out"
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale, err_msg=what)


def _fresh(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


def _has_gradient(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.requires_grad


def _is_float(leaf: Any) -> bool:
    return leaf is not None and jnp.issubdtype(leaf.dtype, jnp.floating)


def _array(leaf: Any) -> Any:
    return leaf.detach().numpy().copy() if isinstance(leaf, torch.Tensor) else leaf


def _listed(outputs: Any) -> list[Any]:
    return jax.tree.leaves(outputs, is_leaf=lambda leaf: leaf is None)
