"""The loop of all JAX peers: a scan whose step descends the gradient by parameters and input."""

from collections.abc import Callable
from typing import Any

import jax

RATE = 1e-6


def scanned(apply: Callable[[Any, Any, jax.Array], tuple], params: Any, state: Any, x: jax.Array, steps: int):
    """Give the function that trains; ``apply(params, state, x)`` gives outputs and state.

    The loss is half the sum of the outputs' squares, so that its gradient by them is the outputs.
    """

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        params, state, x = carry
        y, back, state = jax.vjp(lambda params, x: apply(params, state, x), params, x, has_aux=True)
        descend = lambda leaf, gradient: leaf - RATE * gradient
        params, x = jax.tree.map(descend, (params, x), back(y))
        return (params, state, x), None

    run = jax.jit(lambda carry: jax.lax.scan(step, carry, None, length=steps)[0])
    carry = params, state, x

    def train(epochs: int) -> float:
        nonlocal carry
        for _ in range(epochs):
            carry = run(carry)
        return float(carry[2].ravel()[0])

    return train
