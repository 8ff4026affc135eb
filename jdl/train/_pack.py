"""A tree as host arrays and a description of them, and back."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jdl import tree
from jdl.train._store import CheckpointError

_PLAIN = {kind.__name__: kind for kind in (bool, int, float, str)}
_NO_NUMBERS = "OUSMm"  # dtype kinds: objects, text, dates


def pack(values: Any) -> tuple[dict[str, dict[str, Any]], dict[str, np.ndarray]]:
    """Copy ``values`` to the host: a description by path, and the arrays under the names it gives them."""
    leaves: dict[str, dict[str, Any]] = {}
    arrays: dict[str, np.ndarray] = {}
    for path, leaf in tree.items(values):
        if path in leaves:
            raise CheckpointError(f"{path}: two leaves have this path; rename one")
        leaves[path] = _describe(path, leaf)
        if "shape" in leaves[path] and leaf.size:
            name = leaves[path]["array"] = str(len(arrays))
            arrays[name] = np.array(jax.random.key_data(leaf) if _is_key(leaf) else leaf, order="C")
    return leaves, arrays


def check(folder: Path, leaves: dict[str, dict[str, Any]], like: Any) -> None:
    """Compare the description with the wanted tree; the error names the first path that differs."""
    wanted = dict(tree.items(like))
    for path, leaf in wanted.items():
        if path not in leaves:
            raise CheckpointError(f"{folder}: lacks {path!r}, which the tree needs{_instead(leaves, wanted)}")
        if (found := _found(leaves[path])) != (needed := _needed(leaf)):
            raise CheckpointError(f"{folder}: {path!r} is {found}, the tree needs {needed}")
    for path in leaves:
        if path not in wanted:
            raise CheckpointError(f"{folder}: has {path!r}, which the tree lacks")


def unpack(leaves: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray], like: Any) -> Any:
    """Build a tree like ``like`` of the arrays, each of the type it had when packed."""

    def build(path: str, leaf: Any) -> Any:
        entry = leaves[path]
        kind = entry["kind"]
        if kind in _PLAIN:
            return entry["value"]
        if kind == "key":
            key = jax.random.wrap_key_data(jnp.asarray(_key_data(entry, arrays)), impl=entry["impl"])
            return jax.device_put(key, _sharding(leaf))
        array = arrays[entry["array"]] if "array" in entry else np.zeros(leaf.shape, leaf.dtype)
        if kind == "jax":
            return jax.device_put(array, _sharding(leaf))
        return array if kind == "numpy" else array[()]

    return tree.map_by_path(build, like)


def _key_data(entry: dict[str, Any], arrays: dict[str, np.ndarray]) -> np.ndarray:
    if "array" in entry:
        return arrays[entry["array"]]
    one = jax.random.key_data(jax.random.key(0, impl=entry["impl"]))
    return np.zeros((*entry["shape"], *one.shape), one.dtype)


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _describe(path: str, leaf: Any) -> dict[str, Any]:
    if type(leaf) in _PLAIN.values():
        return {"kind": type(leaf).__name__, "value": leaf}
    if isinstance(leaf, jax.Array):
        kind = {"kind": "key", "impl": str(jax.random.key_impl(leaf))} if _is_key(leaf) else {"kind": "jax"}
    elif isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind not in _NO_NUMBERS:
        kind = {"kind": "numpy" if isinstance(leaf, np.ndarray) else "numpy scalar"}
    else:
        found = f"an array of {leaf.dtype}" if hasattr(leaf, "dtype") else type(leaf).__name__
        raise CheckpointError(f"{path}: found {found}, needs an array of numbers, a number or a string")
    return kind | {"shape": list(leaf.shape), "dtype": str(leaf.dtype)}


def _found(entry: dict[str, Any]) -> str:
    return f"{entry['dtype']}{entry['shape']}" if "dtype" in entry else entry["kind"]


def _needed(leaf: Any) -> str:
    return f"{leaf.dtype}{list(leaf.shape)}" if hasattr(leaf, "dtype") else type(leaf).__name__


def _instead(leaves: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Name a leaf that only the checkpoint has: a renamed layer shows at once."""
    return next((f"; it has {path!r} instead" for path in leaves if path not in wanted), "")


def _sharding(leaf: Any) -> jax.sharding.Sharding | None:
    """Give the sharding asked for; an array that was never placed on purpose asks for none."""
    return getattr(leaf, "sharding", None) if getattr(leaf, "committed", True) else None
