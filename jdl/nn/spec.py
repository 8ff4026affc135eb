"""Entries of a network before they exist, and shapes in place of arrays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2s
from typing import Any, NamedTuple

import jax
import jax.core
import jax.numpy as jnp

from jdl.nn.constructor import Built


class LayerError(ValueError):
    """A layer used against its contract; the message names the path, what was found and what was needed."""


class Spec(NamedTuple):
    """An entry before it exists: ``init(key, shape, dtype)`` makes it.

    A foreign network's whole tree is one entry: ``shape`` is a tree of ShapeDtypeStructs, ``dtype`` is None.
    """

    init: Callable[..., Any]
    shape: Any
    dtype: Any


def stacked(spec: Spec, axes: tuple[int, ...]) -> Spec:
    """Give an entry leading ``axes``: along each, element *i* is drawn from ``fold_in(key, i)``."""
    for n in reversed(axes):
        init = Stacked(spec.init, n, spec.shape)
        if spec.dtype is None:
            add = lambda leaf, n=n: jax.ShapeDtypeStruct((n, *leaf.shape), leaf.dtype)
            spec = Spec(init, jax.tree.map(add, spec.shape), None)
        else:
            spec = Spec(init, (n, *spec.shape), spec.dtype)
    return spec


@dataclass(frozen=True)
class Stacked:
    """The initializer of an entry with one more leading axis; equal to another of equal parts."""

    init: Callable[..., Any]
    n: int
    shape: Any

    def __call__(self, key: Any, shape: Any, dtype: Any) -> Any:
        one = lambda i: self.init(jax.random.fold_in(key, i), self.shape, dtype)
        return jax.vmap(one)(jnp.arange(self.n))


def zeros(spec: Spec) -> Any:
    """Stand in for an entry in an abstract trace."""
    if spec.dtype is None:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), spec.shape)
    return jnp.zeros(spec.shape, spec.dtype)


def match(path: str, found: Any, needed: Any) -> None:
    """Refuse a shape that is not the one needed."""
    if found != needed:
        raise LayerError(f"{path}: has shape {found}, needs {needed}")


def fitted(path: str, value: Any, spec: Spec) -> Any:
    """Give a state update the dtype of its entry; whole numbers do not take fractions."""
    if spec.dtype is None:
        return value
    match(path, jnp.shape(value), spec.shape)
    if not jnp.can_cast(jnp.result_type(value), spec.dtype, "same_kind"):
        raise LayerError(f"{path}: updated with {jnp.result_type(value)}, needs {jnp.dtype(spec.dtype)}")
    return jnp.asarray(value, spec.dtype)


def draw(specs: Mapping[str, Spec], key: Any) -> dict[str, Any]:
    """Make every entry from ``key`` and its own path, so that one more leaves the others as they are."""
    values = {}
    for path, spec in specs.items():
        values[path] = (_draw if _static(spec) else _draw_now)(spec, fold(key, path))
        if spec.dtype is not None:
            match(path, jnp.shape(values[path]), spec.shape)
    return values


def _draw_now(spec: Spec, key: Any) -> Any:
    return spec.init(key, spec.shape, spec.dtype)


# Compiled once for each kind of entry, for all networks: a program of all entries takes longer to compile.
_draw = jax.jit(_draw_now, static_argnums=0)


def _static(spec: Spec) -> bool:
    try:
        hash(spec)
    except TypeError:  # a foreign tree, or an initializer with an array for an argument
        return False
    return not _holds_tracer(spec.init)  # which a cache of compiled programs would keep alive


def _holds_tracer(value: Any) -> bool:
    if isinstance(value, Stacked):
        return _holds_tracer(value.init)
    if isinstance(value, Built):
        given = (value.origin.args, value.origin.kwargs) if value.origin else ()
        return any(_holds_tracer(leaf) for leaf in jax.tree.leaves(given))
    return isinstance(value, jax.core.Tracer)


def fold(key: Any, text: str) -> Any:
    """Derive a key from ``key`` and a text, by a hash that is the same in every process."""
    return jax.random.fold_in(key, int.from_bytes(blake2s(text.encode(), digest_size=4).digest(), "little"))


STATIC = bool | int | float | str


def partition(values: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Part the arrays in ``values`` from Python numbers and texts, which stay static: ``(arrays, merge)``."""
    arrays = jax.tree.map(lambda leaf: None if isinstance(leaf, STATIC) else leaf, values)

    def merge(arrays: Any) -> Any:
        rest = iter(jax.tree.leaves(arrays))
        return jax.tree.map(lambda leaf: leaf if isinstance(leaf, STATIC) else next(rest), values)

    return arrays, merge


def shapes(values: Any) -> Any:
    """Give ShapeDtypeStructs in place of the arrays in ``values``; static values stay."""

    def shape(leaf: Any) -> Any:
        if isinstance(leaf, STATIC):
            return leaf
        return jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf))

    return jax.tree.map(shape, values)


def wide(x: Any) -> Any:
    """Give an array in float32 or wider."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def convert(values: Any, dtype: Any) -> Any:
    """Give the floating-point arrays in ``values`` another dtype."""

    def one(leaf: Any) -> Any:
        floating = not isinstance(leaf, STATIC) and jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
        return jnp.asarray(leaf, dtype) if floating else leaf

    return jax.tree.map(one, values)
