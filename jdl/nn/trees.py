"""What is done to parameter trees: pure functions, tree to tree."""

from collections.abc import Mapping
from math import prod
from typing import Any

import jax
import jax.numpy as jnp

from jdl import tree
from jdl.nn.spec import LayerError


def nest(flat: Mapping[str, Any]) -> dict:
    """Turn ``{"a/b": 1}`` into ``{"a": {"b": 1}}``.

    >>> nest({"a/b": 1, "a/c": 2})
    {'a': {'b': 1, 'c': 2}}
    """
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *above, last = path.split("/")
        level = nested
        for name in above:
            level = level.setdefault(name, {})
        level[last] = value
    return nested


def subtree(tree: Any, path: str) -> Any:
    """Give what lies at ``path``; ``{}`` where there is nothing."""
    for name in filter(None, path.split("/")):
        tree = tree.get(name, {}) if isinstance(tree, Mapping) else {}
    return tree


def replaced(tree: Any, values: Mapping[str, Any]) -> Any:
    """Give ``tree`` with ``values`` at their paths; the given tree stays as it was.

    >>> replaced({"a": {"b": 1, "c": 2}}, {"a/b": 3})
    {'a': {'b': 3, 'c': 2}}
    """
    for path, value in values.items():
        tree = _put(tree, path.split("/"), value)
    return tree


def _put(tree: Any, names: list[str], value: Any) -> Any:
    return {**tree, names[0]: _put(tree[names[0]], names[1:], value) if names[1:] else value}


def count(params: Any) -> int:
    """Count the numbers in a tree of arrays or shapes.

    >>> from jdl import nn
    >>> import jax.numpy as jnp
    >>> nn.count({"w": jnp.zeros((3, 2)), "b": jnp.zeros(2)})
    8
    """
    return sum(prod(jnp.shape(leaf)) for leaf in jax.tree.leaves(params))


def split(params: Any, *patterns: str) -> tuple[dict, dict]:
    """Split a tree into the entries whose path fits one of ``patterns``, and the rest.

    Raises:
        LayerError: a pattern that no path fits.

    >>> from jdl import nn
    >>> nn.split({"stem": {"w": 1}, "head": {"w": 2}}, "head/*")
    ({'head': {'w': 2}}, {'stem': {'w': 1}})
    """
    entries = dict(tree.items(params))
    for pattern in patterns:
        if not any(tree.matches(pattern, path) for path in entries):
            raise LayerError(f"no path fits {pattern!r}; the paths are {sorted(entries)}")
    chosen = {path for path in entries if any(tree.matches(pattern, path) for pattern in patterns)}
    matching = nest({path: leaf for path, leaf in entries.items() if path in chosen})
    return matching, nest({path: leaf for path, leaf in entries.items() if path not in chosen})


def join(*trees: Any) -> dict:
    """Join trees that ``split`` took apart; an entry may be in one only.

    Raises:
        LayerError: an entry in two trees.

    >>> from jdl import nn
    >>> nn.join({"stem": {"w": 1}}, {"head": {"w": 2}})
    {'stem': {'w': 1}, 'head': {'w': 2}}
    """
    joined: dict[str, Any] = {}
    for part in trees:
        joined = _join(joined, part, "")
    return joined


def _join(left: Mapping, right: Mapping, path: str) -> dict:
    joined = dict(left)
    for name, value in right.items():
        here = f"{path}/{name}".strip("/")
        if name not in joined:
            joined[name] = value
        elif isinstance(value, Mapping) and isinstance(joined[name], Mapping):
            joined[name] = _join(joined[name], value, here)
        else:
            raise LayerError(f"{here}: in two of the trees to join; an entry may be in one only")
    return joined


def ema(average: Any, params: Any, decay: Any) -> Any:
    r"""Move an exponential moving average: :math:`a \leftarrow d\, a + (1 - d)\, p`, leaf by leaf.

    >>> from jdl import nn
    >>> nn.ema({"w": 0.0}, {"w": 1.0}, 0.75)
    {'w': 0.25}
    """
    return jax.tree.map(lambda a, p: decay * a + (1 - decay) * p, average, params)
