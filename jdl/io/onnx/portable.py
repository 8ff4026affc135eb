"""What stands in ONNX for functions that are written for XLA: fewer steps, each of more numbers."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jdl.features import quantile
from jdl.io.onnx.ndtri import ndtri
from jdl.nn import waves


class Portable(NamedTuple):
    """A function, and which arguments it takes: those of one row and those of many."""

    function: Callable[..., Any]
    takes: Callable[..., bool]


def cosine(turns: Any) -> Any:
    """Give the cosine of whole turns, as ``nn.waves``; ONNX has the cosine of an angle."""
    return jnp.cos(2 * jnp.pi * (turns - jnp.round(turns)))


def sine(turns: Any) -> Any:
    """Give the sine of whole turns."""
    return jnp.sin(2 * jnp.pi * (turns - jnp.round(turns)))


def at_most(values: Any, row: Any) -> Any:
    """Count the sorted values (p, m) at most x, which is no infinity, of each column (…, p).

    Blocks whose last value is at most x lie before it; then the block is counted in which it lies. Eleven
    nodes, where halving takes five a step.
    """
    columns, count = values.shape
    size = 2 ** (count.bit_length() // 2)
    blocks = -(-count // size)
    padded = jnp.pad(values, ((0, 0), (0, blocks * size - count)), constant_values=jnp.inf)
    laid = padded.reshape(columns, blocks, size)
    before = _count(laid[:, :-1, -1] <= row[..., None])
    inside = (
        laid.reshape(-1, size)
        .at[before + jnp.arange(columns) * blocks]
        .get(mode="promise_in_bounds", wrap_negative_indices=False)
    )
    return before * size + _count(inside <= row[..., None])


def _count(which: Any) -> Any:
    return which.astype(jnp.int32).sum(-1)


_floats = lambda *specs: all(spec.dtype == jnp.float32 for spec in specs)
_one_table = lambda values, row: values.ndim == 2 and row.ndim in (1, 2)

PORTABLE = {  # by the function's name and its file
    ("_ndtri", inspect.unwrap(jax.scipy.special.ndtri).__code__.co_filename): Portable(ndtri, _floats),
    ("cosine", waves.__file__): Portable(cosine, _floats),
    ("sine", waves.__file__): Portable(sine, _floats),
    ("_quantile", quantile.__file__): Portable(ndtri, _floats),
    ("_at_most", quantile.__file__): Portable(at_most, _one_table),
}
