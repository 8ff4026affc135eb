"""Products of one example with weights that the whole batch shares."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from jdl.nn.scope import BATCH, Scope, trace_now


def shared(my: Scope, product: Callable[[Any, Any], Any], x: Any, w: Any) -> Any:
    """Give ``product(xs, w)``, of a batch ``xs`` with the weights ``w``, for the one example ``x``.

    Under the batch axis ``product`` gets the whole batch, so that it can lay the rows of all examples out as
    one matrix. Left to ``vmap``, the gradient of ``w`` contracts two axes, batch and rows, and XLA:CPU then
    copies an operand: a transformer's step takes a third longer.

    ``custom_vmap`` has no reverse mode of its own, so it is used only directly under the batch axis, where it
    is gone before any derivative is taken; elsewhere (a gradient taken inside a layer, say) ``vmap`` does it.
    """

    def one(x: Any, w: Any) -> Any:
        return product(x[None], w)[0]

    if not under_batch(my):
        return one(x, w)

    @jax.custom_batching.custom_vmap
    def example(x: Any, w: Any, place: Any) -> Any:
        return one(x, w)

    @example.def_vmap
    def batch(size: int, mapped: Sequence[bool], x: Any, w: Any, place: Any) -> tuple[Any, bool]:
        each_x, each_w, _ = mapped
        if each_w:
            return jax.vmap(one, in_axes=(0 if each_x else None, 0))(x, w), True
        return (product(x, w), True) if each_x else (one(x, w), False)

    # The place in the batch makes ``vmap`` call ``batch`` also where neither ``x`` nor ``w`` depends on it.
    return example(x, w, jax.lax.axis_index(BATCH))


def under_batch(my: Scope) -> bool:
    """Whether only our own combinators, no foreign transform, lie between the caller and the batch axis."""
    return my._run.batched and my._run.home == trace_now()


def rows_by_matrix(xs: Any, w: Any) -> Any:
    """Multiply ``(…, n)`` with ``(n, m)`` as one matrix product: ``(…, m)``."""
    return (xs.reshape(-1, xs.shape[-1]) @ w).reshape(*xs.shape[:-1], w.shape[-1])
