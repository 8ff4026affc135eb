"""Recurrences over a batch of sequences: the loop, its derivative, and the cells that run in it.

Inside the loop is what must be: one product ``h u`` a step, and what is done to each element. The derivative
is a linear recurrence whose coefficients, like all that needs no order, are computed for all steps at once;
so its transpose, the reverse mode, gives the gradient of ``u`` as one product after the loop. What JAX
derives from the loop adds to that gradient at every step, and takes up to a half longer.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Carry = tuple[Any, ...]


class Cell(NamedTuple):
    """One step of a recurrence, from the input's part ``x`` and the carry's ``r`` of each pre-activation.

    ``step(x, r, carry)`` gives the new carry and what the derivative needs. From that, at all steps at once,
    ``slopes(kept, before, after)`` gives ``k``, ``n`` and ``more``, so that with :math:`d = k\\,dx + n\\,dr`
    the new carry's tangent is ``join(d, more, tangent of the old carry)``.
    """

    blocks: int  # how many times the carry's width the pre-activations have
    parts: int  # how many arrays ``step`` gets ``x`` in: XLA:CPU is slow at cutting up a step's slice
    carried: int  # how many arrays are carried; the first is the output
    step: Callable[[Any, Any, Carry], tuple[Carry, Any]]
    slopes: Callable[[Any, Carry, Carry], tuple[Any, Any, Any]]
    join: Callable[[Any, Any, Carry], Carry]


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def recur(cell: Cell, reverse: bool, x: Any, u: Any, b: Any, start: Carry, live: Any) -> tuple[Any, Carry]:
    """Run a cell over ``x`` ``(length, batch, blocks * width)``: all outputs, and the last carry.

    ``u`` ``(width, blocks * width)`` multiplies the output before, and ``b`` is added. ``start`` holds arrays
    ``(batch, width)``. Where ``live`` ``(length, batch, 1)`` is False, the carry stays as it is.
    """
    carries, _, last = _run(cell, reverse, x, u, b, start, live)
    return carries[0], last


def _run(
    cell: Cell, reverse: bool, x: Any, u: Any, b: Any, start: Carry, live: Any
) -> tuple[Any, Any, Carry]:
    def step(carry: Carry, its: Any) -> tuple[Carry, Any]:
        x, live = its
        new, kept = cell.step(x, _turn(carry[0], u) + b, carry)
        carry = _where(live, new, carry)
        return carry, (carry, kept)

    xs = jnp.split(x, cell.parts, -1)
    last, (carries, kept) = jax.lax.scan(step, start, (xs, live), reverse=reverse)
    return carries, kept, last


@recur.defjvp
def _tangent(cell: Cell, reverse: bool, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (x, u, b, start, live), (dx, du, db, dstart, _) = primals, tangents
    carries, kept, last = _run(cell, reverse, x, u, b, start, live)
    before = tuple(_before(first, steps, reverse) for first, steps in zip(start, carries, strict=True))
    k, n, more = cell.slopes(kept, before, carries)
    known = k * dx + n * (_turn(before[0], du) + db)

    def step(tangent: Carry, its: Any) -> tuple[Carry, Any]:
        known, n, more, live = its
        d = known + n * _turn(tangent[0], u)
        tangent = _where(live, cell.join(d, more, tangent), tangent)
        return tangent, tangent[0]

    dlast, dh = jax.lax.scan(step, dstart, (known, n, more, live), reverse=reverse)
    return (carries[0], last), (dh, dlast)


def product(x: Any, w: Any, dtype: Any) -> Any:
    """Multiply ``(…, n)`` with ``(n, m)`` as one matrix product, summed in ``dtype``."""
    rows = jnp.matmul(x.reshape(-1, x.shape[-1]), w, preferred_element_type=dtype)
    return rows.reshape(*x.shape[:-1], w.shape[-1])


def _turn(h: Any, u: Any) -> Any:
    return product(h.astype(u.dtype), u, h.dtype)


def _where(live: Any, new: Carry, old: Carry) -> Carry:
    if live is None:
        return new
    return tuple(jnp.where(live, a, b) for a, b in zip(new, old, strict=True))


def _before(first: Any, steps: Any, reverse: bool) -> Any:
    """Give what was carried into each step, from what came out of each."""
    if reverse:
        return jnp.concatenate([steps, first[None]])[1:]
    return jnp.concatenate([first[None], steps])[:-1]


# --- the cells ---------------------------------------------------------------------------------------------


def plain(activation: Callable[[Any], Any]) -> Cell:
    """Make the cell of a plain recurrent network, with an activation of each element."""

    def step(x: list, r: Any, carry: Carry) -> tuple[Carry, Any]:
        return (activation(x[0] + r),), x[0] + r

    def slopes(kept: Any, before: Carry, after: Carry) -> tuple[Any, Any, Any]:
        _, slope = jax.jvp(activation, (kept,), (jnp.ones_like(kept),))
        return slope, slope, ()

    return Cell(1, 1, 1, step, slopes, lambda d, more, carry: (d,))


def _lstm_step(x: list, r: Any, carry: Carry) -> tuple[Carry, Any]:
    # One tanh for all gates, by sigmoid(x) = tanh(x / 2) / 2 + 1 / 2: faster than one function for each.
    half = np.repeat([0.5, 0.5, 1.0, 0.5], r.shape[-1] // 4).astype(r.dtype)
    gates = half * jnp.tanh(half * (x[0] + r)) + (1 - half)
    i, f, g, o = jnp.split(gates, 4, -1)
    c = f * carry[1] + i * g
    return (o * jnp.tanh(c), c), gates


def _lstm_slopes(gates: Any, before: Carry, after: Carry) -> tuple[Any, Any, Any]:
    (i, f, g, o), t = jnp.split(gates, 4, -1), jnp.tanh(after[1])
    k = jnp.concatenate([g * i * (1 - i), before[1] * f * (1 - f), i * (1 - g * g), t * o * (1 - o)], -1)
    return k, k, (f, o * (1 - t * t))


def _lstm_join(d: Any, more: Any, carry: Carry) -> Carry:
    (i, f, g, o), (keep, out) = jnp.split(d, 4, -1), more
    c = keep * carry[1] + i + f + g
    return out * c + o, c


LSTM = Cell(4, 1, 2, _lstm_step, _lstm_slopes, _lstm_join)


def _gru_step(x: list, r: Any, carry: Carry) -> tuple[Carry, Any]:
    (x_r, x_z, x_n), (r_r, r_z, r_n) = x, jnp.split(r, 3, -1)
    reset, z = (0.5 * jnp.tanh(0.5 * both) + 0.5 for both in (x_r + r_r, x_z + r_z))
    n = jnp.tanh(x_n + reset * r_n)
    return (n + z * (carry[0] - n),), (reset, z, n, r_n)


def _gru_slopes(kept: Any, before: Carry, after: Carry) -> tuple[Any, Any, Any]:
    reset, z, n, r_n = kept
    slope = (1 - z) * (1 - n * n)
    of_gates = [slope * r_n * reset * (1 - reset), (before[0] - n) * z * (1 - z)]
    k = jnp.concatenate([*of_gates, slope], -1)
    return k, jnp.concatenate([*of_gates, slope * reset], -1), z


def _gru_join(d: Any, z: Any, carry: Carry) -> Carry:
    reset, update, candidate = jnp.split(d, 3, -1)
    return (z * carry[0] + reset + update + candidate,)


GRU = Cell(3, 3, 1, _gru_step, _gru_slopes, _gru_join)
