"""A linear recurrence: a state-space layer whose states do not mix, so that all positions can run at once."""

from functools import partial
from math import pi
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.carry import Recurrent, begin, check_sequence, time_first
from jdl.nn.constructor import constructor
from jdl.nn.init import Initializer
from jdl.nn.layer import Layer, LayerError
from jdl.nn.linear import positive
from jdl.nn.product import shared
from jdl.nn.recur import product
from jdl.nn.scope import Scope


@constructor
def linear_recurrence(
    width: int, *, radius: tuple[float, float] = (0.0, 1.0), phase: float = 2 * pi
) -> Layer:
    r"""Linear recurrent unit (LRU): ``width`` complex numbers, each turned and shrunk at every step.

    .. math:: h_t = \lambda h_{t-1} + \gamma\, x_t W, \quad y_t = \mathrm{Re}(h_t C) + d\, x_t, \quad
        \lambda = e^{-e^\nu + i e^\theta}, \quad \gamma = \sqrt{1 - |\lambda|^2}

    Input and output ``(length, n)``. A second input is :math:`h_0`, complex ``(width,)``; keyword input
    ``length``, ``with_carry``, ``bidirectional`` and the decoding cache (``h``) as for ``rnn``. Parameters:
    ``nu`` and ``theta`` ``(width,)``, such that :math:`\lambda` begins uniform in the ring of ``radius``
    (from, to) with an angle of up to ``phase``; ``w`` ``(n, 2 * width)``, normal of variance ``1 / (2 n)``,
    and ``c`` ``(2 * width, n)``, normal of variance ``1 / width``, the rows and columns of real parts before
    those of imaginary parts (of which ``c`` has the negative); ``d`` ``(n,)``, normal. :math:`\gamma` follows
    :math:`\lambda`; in the paper it begins so and is trained by itself. The state is complex64 or wider.

    On a CPU a loop over positions; elsewhere ``jax.lax.associative_scan``, whose depth is their logarithm.

    Source: Orvieto et al. 2023, https://arxiv.org/abs/2303.06349.

    Raises:
        LayerError: as in ``rnn``; a radius that does not rise within [0, 1].

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.residual(nn.chain(nn.layer_norm(), nn.linear_recurrence(16), nn.gelu))
    >>> params, _ = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((5, 3)))
    >>> jax.tree.map(jnp.shape, params["linear_recurrence"])
    {'c': (32, 3), 'd': (3,), 'nu': (16,), 'theta': (16,), 'w': (3, 32)}
    """
    positive("linear_recurrence: width", width)
    low, high = radius
    if not 0 <= low < high <= 1:
        raise LayerError(f"linear_recurrence: radius is {radius}, needs two rising numbers in [0, 1]")

    def run(
        my: Scope, x: Any, start: Any = None, *, length: Any = None, reverse: bool = False
    ) -> tuple[Any, Any]:
        check_sequence(my, x, length)
        n = x.shape[-1]
        w = my.param("w", (n, 2 * width), inits.normal((2 * n) ** -0.5))
        c = my.param("c", (2 * width, n), inits.normal(width**-0.5))
        d = my.param("d", (n,), inits.normal())
        nu = my.param("nu", (width,), ring(low, high), jnp.float32)
        theta = my.param("theta", (width,), angles(phase), jnp.float32)
        dtype = jnp.result_type(x, w)
        wide = jnp.promote_types(dtype, jnp.complex64)
        (carry,) = begin(my, 1, width, wide, start, reverse)
        sequence = {"x": x, "start": carry} | ({} if length is None else {"length": length})
        y, carry = shared(my, partial(_sequences, reverse), sequence, (w, c, d, nu, theta))
        my.store(h=carry)
        return y.astype(dtype), carry

    return Layer(Recurrent(run), name="linear_recurrence", inputs=frozenset({"length"}))


def _sequences(reverse: bool, batch: Any, weights: tuple) -> tuple[Any, Any]:
    w, c, d, nu, theta = weights
    x, live = time_first(batch)
    wide = batch["start"].real.dtype
    shrink = jnp.exp(nu.astype(wide))
    turn = jnp.exp(theta.astype(wide))
    decay = jnp.exp(jax.lax.complex(-shrink, turn))
    inflow = jnp.sqrt(-jnp.expm1(-2 * shrink)) * _complex(product(x, w, wide))
    run = in_order if jax.default_backend() == "cpu" else at_once
    states, carry = run(decay, inflow, batch["start"], live, reverse)
    y = product(jnp.concatenate([states.real, states.imag], -1).astype(x.dtype), c, wide) + d * x
    y = y if live is None else jnp.where(live, y, 0)
    return jnp.swapaxes(y, 0, 1), carry


def _complex(x: Any) -> Any:
    return jax.lax.complex(*jnp.split(x, 2, -1))


def in_order(decay: Any, inflow: Any, start: Any, live: Any, reverse: bool) -> tuple[Any, Any]:
    r"""Give :math:`h_t = \lambda h_{t-1} + u_t` at all positions, and the last: a loop, fast on a CPU."""

    def step(h: Any, its: Any) -> tuple[Any, Any]:
        inflow, live = its
        h = (decay if live is None else jnp.where(live, decay, 1)) * h + inflow
        return h, h

    last, states = jax.lax.scan(step, start, (inflow, live), reverse=reverse)
    return states, last


def at_once(decay: Any, inflow: Any, start: Any, live: Any, reverse: bool) -> tuple[Any, Any]:
    """Give what ``in_order`` gives, in a logarithmic number of steps."""
    decay = jnp.broadcast_to(decay, (len(inflow), 1, *decay.shape))
    decay = decay if live is None else jnp.where(live, decay, 1)
    ones = jnp.ones((1, *decay.shape[1:]), decay.dtype)
    order = slice(None, None, -1) if reverse else slice(None)
    first = [jnp.concatenate([one, rest][order]) for one, rest in ((ones, decay), (start[None], inflow))]
    join = lambda one, other: (other[0] * one[0], other[0] * one[1] + other[1])
    _, states = jax.lax.associative_scan(join, tuple(first), reverse=reverse)
    return (states[:-1], states[0]) if reverse else (states[1:], states[-1])


@constructor
def ring(low: float, high: float) -> Initializer:
    r"""Draw :math:`\nu` such that :math:`e^{-e^\nu}` is the radius of a point uniform in a ring."""

    def draw(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        square = low**2 + (high**2 - low**2) * _inner(key, shape, dtype)
        return jnp.log(-0.5 * jnp.log(square))

    return Initializer(draw, "ring")


@constructor
def angles(phase: float) -> Initializer:
    r"""Draw :math:`\theta` such that :math:`e^\theta` is uniform up to ``phase``."""
    draw = lambda key, shape, dtype: jnp.log(phase * _inner(key, shape, dtype))
    return Initializer(draw, "angles")


def _inner(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Draw between 0 and 1, but not so near that a logarithm or a square root has no gradient."""
    return jax.random.uniform(key, shape, dtype, 1e-5, 1 - 1e-5)
