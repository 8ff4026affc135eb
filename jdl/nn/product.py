"""What one example does with weights that the whole batch shares."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn.scope import BATCH, Scope, trace_now


def shared(my: Scope, run: Callable[[Any, Any], Any], x: Any, w: Any) -> Any:
    """Give ``run(xs, w)``, of a batch ``xs`` with the weights ``w``, for the one example ``x``.

    All three may be trees. Under the batch axis ``run`` gets the whole batch, so that it can lay the rows of
    all examples out as one matrix, and is differentiated as that. Left to ``vmap``, the gradient of ``w``
    contracts two axes, batch and rows, and XLA:CPU then copies an operand: a transformer's step takes a third
    longer, a recurrent layer's half as long again.

    ``custom_vmap`` has no reverse mode of its own, so it is used only directly under the batch axis, where it
    is gone before any derivative is taken; elsewhere (a gradient taken inside a layer, say) ``vmap`` does it.
    """

    def one(x: Any, w: Any) -> Any:
        y = run(jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], x), w)
        return jax.tree.map(lambda leaf: leaf[0], y)

    if not under_batch(my):
        return one(x, w)
    example = jax.custom_batching.custom_vmap(lambda x, w, place: one(x, w))

    @example.def_vmap
    def batch(size: int, mapped: Sequence[Any], x: Any, w: Any, place: Any) -> tuple[Any, Any]:
        each_x, each_w, _ = mapped
        if any(jax.tree.leaves(each_w)):
            axes = jax.tree.map(lambda each: 0 if each else None, (each_x, each_w))
            y = jax.vmap(one, in_axes=axes)(x, w)
        elif any(jax.tree.leaves(each_x)):
            whole = lambda leaf, each: leaf if each else jnp.broadcast_to(leaf, (size, *jnp.shape(leaf)))
            y = run(jax.tree.map(whole, x, each_x), w)
        else:
            y = one(x, w)
            return y, jax.tree.map(lambda _: False, y)
        return y, jax.tree.map(lambda _: True, y)

    # The place in the batch makes ``vmap`` call ``batch`` also where neither ``x`` nor ``w`` depends on it.
    return example(x, w, jax.lax.axis_index(BATCH))


def under_batch(my: Scope) -> bool:
    """Whether only our own combinators, no foreign transform, lie between the caller and the batch axis."""
    return my._run.batched and my._run.home == trace_now()


def rows_by_matrix(xs: Any, w: Any) -> Any:
    """Multiply ``(…, n)`` with ``(n, m)`` as one matrix product: ``(…, m)``."""
    return (xs.reshape(-1, xs.shape[-1]) @ w).reshape(*xs.shape[:-1], w.shape[-1])
