"""Batches: the one place that maps a network over examples."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jdl import tree
from jdl.nn.scope import BATCH, Pass, call
from jdl.nn.spec import LayerError, partition
from jdl.nn.trees import replaced, subtree

if TYPE_CHECKING:
    from jdl.nn.layer import Layer


def batched(net: "Layer", *, across: tuple[str, ...] = ()) -> Callable[..., tuple[Any, Any]]:
    """Map a network over a batch: ``f(params, state, *xs, key=None, weight=None) -> (outputs, state)``.

    With ``cache=``, whose leaves have a leading batch axis, the outputs are ``(outputs, cache)``.

    Every input has a leading batch axis, Python numbers and texts among the keyword inputs excepted; each
    example gets its own key; the state has no batch axis. Rows of weight zero count in no batch mean, and are
    replaced by a row of positive weight before the network sees them, so that whatever they hold (NaN too)
    reaches neither statistics nor gradients. A batch of no weight at all leaves the state as it is.
    ``across`` names the mesh axes over which the batch is spread, in ``jax.shard_map(…, check_vma=False)``.

    Raises:
        LayerError: inputs of different lengths, or a state update that differs between examples.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.dense(2)
    >>> params, state = net.init(jax.random.key(0), jnp.zeros(3))
    >>> ys, state = nn.batched(net)(params, state, jnp.ones((8, 3)))
    >>> ys.shape
    (8, 2)
    """

    def apply(
        params: Any,
        state: Any,
        *inputs: Any,
        key: Any = None,
        weight: Any = None,
        cache: Any = None,
        **keywords: Any,
    ) -> tuple[Any, Any]:
        arrays, merge = partition(keywords)
        rows = (inputs, arrays)
        size = batch_size({"inputs": inputs, **arrays, "weight": weight, "cache": cache})
        keys = None if key is None else _example_keys(key, size, across)
        if weight is not None:
            weight = jnp.asarray(weight, float)
            rows = finite_rows(weight, rows)

        def one(key: Any, weight: Any, rows: tuple[tuple, dict], cache: Any) -> tuple[Any, Any]:
            run = Pass(params, state, key, weight, cache, axes=(BATCH, *across), batched=True)
            inputs, arrays = rows
            return run.with_cache(call(run, net, "", inputs, merge(arrays))), run.updates

        try:
            outputs, updates = _over_batch(one, (0, None))(keys, weight, rows, cache)
        except ValueError as error:
            if "out_axes" not in str(error):
                raise
            raise LayerError(
                f"{_differing(one, keys, weight, rows, cache)}: state differs between examples, "
                "but has no batch axis; update it with a value from my.batch_mean(x)"
            ) from error
        if weight is not None:
            updates = _unless_empty(weight, across, updates, state)
        return outputs, replaced(state, updates)

    return apply


def _over_batch(one: Callable[..., Any], out_axes: Any) -> Callable[..., Any]:
    return jax.vmap(one, out_axes=out_axes, axis_name=BATCH)


def _differing(one: Callable[..., Any], *batch: Any) -> str:
    """Find the state entries whose updates depend on the example: JAX does not say which they are."""
    paths: list[str] = []

    def listed(*example: Any) -> None:
        paths.extend(one(*example)[1])

    jax.eval_shape(_over_batch(listed, None), *batch)
    differing = []
    for path in paths:
        try:
            jax.eval_shape(_over_batch(lambda *example, path=path: one(*example)[1][path], None), *batch)
        except ValueError:
            differing.append(path)
    return ", ".join(differing)


def batch_size(values: Any, name: str = "a batch") -> int:
    """Give the common length of the first axis of all arrays in ``values``."""
    sizes = {path: jnp.shape(leaf)[:1] for path, leaf in tree.items(values)}
    if len(set(sizes.values())) != 1 or () in sizes.values():
        raise LayerError(f"{name}: needs one common leading axis; found the lengths {sizes}")
    return next(iter(sizes.values()))[0]


def finite_rows(weight: Any, rows: Any) -> Any:
    """Put a row of positive weight in place of every row of weight zero (zeros where there is none)."""
    keep, first = weight > 0, jnp.argmax(weight > 0)

    def mend(leaf: Any) -> Any:
        leaf = jnp.asarray(leaf)
        spare = jnp.where(keep[first], leaf[first], jnp.zeros_like(leaf[first]))
        return jnp.where(keep.reshape((-1, *[1] * (leaf.ndim - 1))), leaf, spare)

    return jax.tree.map(mend, rows)


def _example_keys(key: Any, size: int, across: tuple[str, ...]) -> Any:
    """Give example *i* of the whole batch ``fold_in(key, i)``, however the batch is padded or spread."""
    first = jax.lax.axis_index(across) * size if across else 0
    return jax.vmap(jax.random.fold_in, (None, 0))(key, first + jnp.arange(size))


def _unless_empty(weight: Any, across: tuple[str, ...], updates: dict[str, Any], state: Any) -> dict:
    some = jnp.any(weight > 0)
    some = jax.lax.psum(some.astype(int), across) > 0 if across else some
    choose = lambda new, old: jnp.where(some, new, old)
    return {path: jax.tree.map(choose, new, subtree(state, path)) for path, new in updates.items()}
