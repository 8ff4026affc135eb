"""Trees of arrays addressed by path: ``mlp/dense_1/w``."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import jax


def path_of(keys: tuple[Any, ...]) -> str:
    """Write a JAX key path as ``a/b/c``: names, indices and fields alike."""
    return jax.tree_util.keystr(keys, simple=True, separator="/")


def items(tree: Any) -> list[tuple[str, Any]]:
    """List the leaves of ``tree`` with their paths, in tree order.

    >>> items({"dense": {"w": 1, "b": 2}})
    [('dense/b', 2), ('dense/w', 1)]
    """
    return [(path_of(keys), leaf) for keys, leaf in jax.tree_util.tree_leaves_with_path(tree)]


def map_by_path(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """Map ``function(path, leaf, *leaves_of_rest)`` over ``tree``.

    >>> map_by_path(lambda path, leaf: path, {"dense": {"w": 1}})
    {'dense': {'w': 'dense/w'}}
    """
    return jax.tree_util.tree_map_with_path(
        lambda keys, *leaves: function(path_of(keys), *leaves), tree, *rest
    )


def matches(pattern: str, path: str) -> bool:
    """Whether ``path`` fits the glob ``pattern``.

    ``*`` stands for any run of characters, slashes too; a leading ``*/`` also matches at the root.

    >>> matches("*/w", "mlp/dense/w"), matches("*/w", "w"), matches("mlp/*", "head/w")
    (True, True, False)
    """
    return fnmatchcase(path, pattern) or (pattern.startswith("*/") and fnmatchcase(path, pattern[2:]))


def lookup(rules: Mapping[str, Any], path: str, default: Any) -> Any:
    """Give the value of the first pattern in ``rules`` that ``path`` fits, else ``default``."""
    return next((value for pattern, value in rules.items() if matches(pattern, path)), default)
