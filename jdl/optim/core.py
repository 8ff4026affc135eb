"""What every optimizer is made of: skipping a step, chains, parameters as one vector, rules by path."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

from jdl import tree

Number = float | jax.Array
Schedule = Callable[[ArrayLike], jax.Array]


class Skipping(optax.GradientTransformationExtraArgs):
    """A transformation whose ``update(…, good=…)`` gives zero updates and keeps its state where not ``good``.

    Skipping a step by scalars costs nothing; any other transformation is skipped by a conditional around it.
    """


def chain(*transformations: optax.GradientTransformation) -> optax.GradientTransformation:
    """Apply transformations one after the other, as ``optax.chain``; of ``Skipping`` ones it is one itself.

    >>> from jdl.optim import clip_by_norm, sgd
    >>> isinstance(chain(clip_by_norm(1.0), sgd(0.1)), Skipping)
    True
    >>> isinstance(chain(optax.adam(0.1)), Skipping)
    False
    """
    chained = optax.chain(*transformations)
    if all(isinstance(one, Skipping) for one in transformations):
        return Skipping(chained.init, chained.update)
    return chained


def masked(good: Any, values: Any) -> Any:
    """Put zeros in place of all values where the step is skipped: what it holds may not be finite."""
    return jax.tree.map(lambda leaf: jnp.where(good, leaf, jnp.zeros_like(leaf)), values)


def stateless(change: Callable[[Any], Any], init: Any = optax.init_empty_state) -> Skipping:
    """Make a transformation of a function of the updates alone, which takes zeros to zeros."""

    def update(updates: Any, state: Any, params: Any = None, *, good: Any = True, **_: Any) -> Any:
        return change(masked(good, updates)), state

    return Skipping(init, update)


def flatten(tree: Any) -> jax.Array:
    """Lay all leaves out as one vector, in float32 at least: in bfloat16 a running mean stops moving."""
    leaves = [jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)]
    dtype = jnp.result_type(jnp.float32, *leaves)
    return jnp.concatenate([leaf.astype(dtype) for leaf in leaves]) if leaves else jnp.zeros(0, dtype)


def accumulator(params: optax.Params) -> jax.Array:
    """Give zeros for all parameters, as one vector."""
    return jnp.zeros_like(flatten(params))


def like(vector: jax.Array, tree: Any) -> Any:
    """Cut a vector into leaves of the shapes of ``tree``, in the vector's type."""
    leaves, structure = jax.tree.flatten(tree)
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    parts = jnp.split(vector, ends) if leaves else []
    shaped = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    return jax.tree.unflatten(structure, shaped)


def at(value: Number | Schedule, step: jax.Array) -> Number:
    """Give the value of a number or schedule at a step."""
    return value(step) if callable(value) else value


def need_params(name: str, params: Any) -> None:
    """Raise where an optimizer that needs the parameters was updated without them."""
    if params is None:
        raise ValueError(f"{name}: update needs the parameters: optimizer.update(gradient, state, params)")


def any_matches(patterns: Sequence[str], path: str) -> bool:
    """Whether one of the patterns matches a path."""
    return any(tree.matches(pattern, path) for pattern in patterns)


def check_patterns(name: str, patterns: Iterable[str], params: optax.Params) -> None:
    """Raise where a pattern matches no parameter."""
    paths = [path for path, _ in tree.items(params)]
    for pattern in patterns:
        if not any(tree.matches(pattern, path) for path in paths):
            shown = ", ".join(paths[:5]) + (f", … ({len(paths)} in all)" if len(paths) > 5 else "")
            raise ValueError(f"{name}: the pattern {pattern!r} matches no parameter; the paths are {shown}")
