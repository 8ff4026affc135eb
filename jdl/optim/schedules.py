"""Learning rates by step, ``step -> value``, whose every number may be traced."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.optim.core import Number, Schedule


def constant(value: Number) -> Schedule:
    """Give the same value at every step.

    >>> print(constant(0.1)(7))
    0.1
    """
    return lambda step: jnp.asarray(value, jnp.float32)


def linear(start: Number, end: Number, steps: Number, *, begin: Number = 0) -> Schedule:
    """Go from ``start`` to ``end`` on a straight line in ``steps`` steps from ``begin``; constant outside.

    >>> linear(0.0, 1.0, steps=10)(5).item()
    0.5
    """

    def schedule(step: ArrayLike) -> jax.Array:
        first, last = jnp.asarray(start, jnp.float32), jnp.asarray(end, jnp.float32)
        return first + (last - first) * _progress(step, begin, steps)

    return schedule


def cosine(peak: Number, steps: Number, *, end: Number = 0.0) -> Schedule:
    r"""Go from ``peak`` to ``end`` along half a cosine in ``steps`` steps, then stay.

    .. math:: e + (p - e) \tfrac12 (1 + \cos(\pi t / T))

    Reference: Loshchilov and Hutter, 2017, https://arxiv.org/abs/1608.03983.

    >>> cosine(1.0, steps=10)(5).round(4).item()
    0.5
    """

    def schedule(step: ArrayLike) -> jax.Array:
        first, last = jnp.asarray(peak, jnp.float32), jnp.asarray(end, jnp.float32)
        return last + (first - last) * 0.5 * (1.0 + jnp.cos(jnp.pi * _progress(step, 0, steps)))

    return schedule


def flat_cosine(value: Number, steps: Number, *, flat: Number = 0.5, end: Number = 0.0) -> Schedule:
    """Stay at ``value`` for the share ``flat`` of ``steps``, then go to ``end`` along half a cosine.

    Reference: "flat_cos" of Holzmüller et al., 2024, https://arxiv.org/abs/2407.04491.

    >>> schedule = flat_cosine(1.0, steps=100)
    >>> [schedule(step).round(2).item() for step in (0, 50, 75, 100)]
    [1.0, 1.0, 0.5, 0.0]
    """

    def schedule(step: ArrayLike) -> jax.Array:
        length = jnp.asarray(steps)
        turn = jnp.asarray(flat) * length
        return cosine(value, length - turn, end=end)(jnp.asarray(step) - turn)

    return schedule


def coslog(peak: Number, steps: Number, *, cycles: Number = 4) -> Schedule:
    r"""Go from 0 to ``peak`` and back on a cosine, ``cycles`` times, each about twice as long as the last.

    .. math:: p\, \tfrac12 \left(1 - \cos\left(2\pi \log_2\left(1 + (2^c - 1)\, t / T\right)\right)\right)

    Reference: Holzmüller et al., 2024, https://arxiv.org/abs/2407.04491.

    >>> schedule = coslog(1.0, steps=15)
    >>> [schedule(step).round(2).item() for step in (0, 1, 3, 7, 15)]  # between them it rises and falls
    [0.0, 0.0, 0.0, 0.0, 0.0]
    >>> schedule(4.65).round(2).item()
    1.0
    """

    def schedule(step: ArrayLike) -> jax.Array:
        growth = 2.0 ** jnp.asarray(cycles, jnp.float32) - 1.0
        turns = jnp.log2(1.0 + growth * _progress(step, 0, steps))
        return jnp.asarray(peak, jnp.float32) * 0.5 * (1.0 - jnp.cos(2.0 * jnp.pi * turns))

    return schedule


def warmup_cosine(
    peak: Number, warmup: Number, steps: Number, *, start: Number = 0.0, end: Number = 0.0
) -> Schedule:
    """Go from ``start`` to ``peak`` on a straight line in ``warmup`` steps, then to ``end`` on half a cosine.

    ``steps`` counts all steps, those of the warm-up too.

    >>> schedule = warmup_cosine(1.0, warmup=10, steps=110)
    >>> [schedule(step).round(4).item() for step in (0, 5, 10, 60, 110)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def schedule(step: ArrayLike) -> jax.Array:
        falling = jnp.asarray(step) - jnp.asarray(warmup)
        fall = cosine(peak, jnp.asarray(steps) - jnp.asarray(warmup), end=end)
        return jnp.where(falling < 0, linear(start, peak, warmup)(step), fall(falling))

    return schedule


def exponential(start: Number, rate: Number, steps: Number = 1) -> Schedule:
    r"""Multiply by ``rate`` every ``steps`` steps, smoothly: :math:`s\, r^{t / T}`.

    >>> exponential(1.0, 0.5, steps=10)(20).item()
    0.25
    """

    def schedule(step: ArrayLike) -> jax.Array:
        return jnp.asarray(start, jnp.float32) * jnp.asarray(rate, jnp.float32) ** (jnp.asarray(step) / steps)

    return schedule


def piecewise(boundaries: Sequence[Number], values: Sequence[Number]) -> Schedule:
    """Give ``values[i]`` from step ``boundaries[i - 1]`` on; ``values[0]`` before the first boundary.

    Args:
        boundaries: Steps in increasing order.
        values: One value more than boundaries.

    Raises:
        ValueError: The lengths do not fit.

    >>> schedule = piecewise([10, 20], [1.0, 0.5, 0.25])
    >>> [schedule(step).item() for step in (9, 10, 20)]
    [1.0, 0.5, 0.25]
    """
    if len(values) != len(boundaries) + 1:
        raise ValueError(
            f"piecewise: {len(values)} values for {len(boundaries)} boundaries, needs {len(boundaries) + 1}"
        )

    def schedule(step: ArrayLike) -> jax.Array:
        value = jnp.asarray(values[0], jnp.float32)
        for boundary, following in zip(boundaries, values[1:], strict=True):
            value = jnp.where(jnp.asarray(step) >= boundary, following, value)
        return value

    return schedule


def polynomial(
    start: Number, end: Number, steps: Number, *, power: Number = 2.0, begin: Number = 0
) -> Schedule:
    r"""Go from ``start`` to ``end`` in ``steps`` steps from ``begin``, ever flatter for a power above 1.

    .. math:: e + (s - e) (1 - t / T)^p

    >>> polynomial(1.0, 0.0, steps=10)(5).item()
    0.25
    """

    def schedule(step: ArrayLike) -> jax.Array:
        first, last = jnp.asarray(start, jnp.float32), jnp.asarray(end, jnp.float32)
        left = 1.0 - _progress(step, begin, steps)
        return last + (first - last) * left ** jnp.asarray(power, jnp.float32)

    return schedule


def one_cycle(
    peak: Number, steps: Number, *, rising: Number = 0.3, start: Number = 0.04, end: Number = 4e-6
) -> Schedule:
    """Go up from ``start * peak`` to ``peak`` on half a cosine, then down to ``end * peak`` on another.

    ``rising`` is the share of the steps that go up. Equal to ``torch.optim.lr_scheduler.OneCycleLR`` of
    ``steps + 1`` steps.

    Reference: Smith and Topin, 2018, https://arxiv.org/abs/1708.07120.

    >>> schedule = one_cycle(1.0, steps=100)
    >>> [schedule(step).round(2).item() for step in (0, 15, 30, 65, 100)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """

    def schedule(step: ArrayLike) -> jax.Array:
        top, length = jnp.asarray(peak, jnp.float32), jnp.asarray(steps)
        turn = jnp.asarray(rising) * length
        rise, fall = cosine(start * top, turn, end=top), cosine(top, length - turn, end=end * top)
        return jnp.where(jnp.asarray(step) < turn, rise(step), fall(jnp.asarray(step) - turn))

    return schedule


def cosine_restarts(peak: Number, first: Number, *, factor: Number = 2.0, end: Number = 0.0) -> Schedule:
    """Go from ``peak`` to ``end`` on half a cosine, again and again, each time ``factor`` times as long.

    Equal to ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``.

    Args:
        peak: Where every cycle starts.
        first: Steps of the first cycle.
        factor: How many times as long a cycle is as the one before, of at least 1.
        end: Where every cycle ends.

    Reference: Loshchilov and Hutter, 2017, https://arxiv.org/abs/1608.03983.

    >>> schedule = cosine_restarts(1.0, first=10)
    >>> [schedule(step).round(2).item() for step in (0, 5, 10, 20, 30)]
    [1.0, 0.5, 1.0, 0.5, 1.0]
    """

    def schedule(step: ArrayLike) -> jax.Array:
        step, growth = jnp.asarray(step), jnp.asarray(factor, jnp.float32)
        same = growth == 1.0
        ratio = jnp.where(same, 2.0, growth)

        def begin(cycle: jax.Array) -> jax.Array:
            return first * jnp.where(same, cycle, (ratio**cycle - 1.0) / (ratio - 1.0))

        cycle = jnp.where(same, step / first, jnp.log(step / first * (ratio - 1.0) + 1.0) / jnp.log(ratio))
        cycle = jnp.floor(cycle)
        # The logarithm may miss by a rounding just where a cycle begins.
        cycle += jnp.where(begin(cycle + 1.0) <= step, 1.0, 0.0) - jnp.where(begin(cycle) > step, 1.0, 0.0)
        return cosine(peak, first * growth**cycle, end=end)(step - begin(cycle))

    return schedule


def inverse_sqrt(peak: Number, warmup: Number) -> Schedule:
    r"""Go from 0 to ``peak`` on a straight line in ``warmup`` steps, then down as one over a square root.

    .. math:: p \min(t / w, \sqrt{w / t})

    Reference: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762.

    >>> schedule = inverse_sqrt(1.0, warmup=10)
    >>> [schedule(step).round(2).item() for step in (0, 5, 10, 40)]
    [0.0, 0.5, 1.0, 0.5]
    """

    def schedule(step: ArrayLike) -> jax.Array:
        step, length = jnp.asarray(step), jnp.asarray(warmup, jnp.float32)
        fall = jnp.sqrt(jnp.maximum(length, 1.0) / jnp.maximum(step, 1))
        return jnp.where(step < length, linear(0.0, peak, length)(step), jnp.asarray(peak) * fall)

    return schedule


def warmup_stable_decay(
    peak: Number, warmup: Number, steps: Number, decay: Number, *, start: Number = 0.0, end: Number = 0.0
) -> Schedule:
    """Go up to ``peak`` in ``warmup`` steps, stay, and go down to ``end`` in the last ``decay`` of ``steps``.

    Both on straight lines.

    Reference: Hu et al., 2024, https://arxiv.org/abs/2404.06395.

    >>> schedule = warmup_stable_decay(1.0, warmup=10, steps=100, decay=20)
    >>> [schedule(step).round(2).item() for step in (0, 5, 50, 80, 90, 100)]
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    """

    def schedule(step: ArrayLike) -> jax.Array:
        turn = jnp.asarray(steps) - jnp.asarray(decay)
        falling = jnp.asarray(step) >= turn
        return jnp.where(
            falling, linear(peak, end, decay, begin=turn)(step), linear(start, peak, warmup)(step)
        )

    return schedule


def _progress(step: ArrayLike, begin: Number, steps: Number) -> jax.Array:
    """From 0 at ``begin`` to 1 ``steps`` later, clipped; a length of 0 is a jump at ``begin``."""
    elapsed, steps = jnp.asarray(step) - begin, jnp.asarray(steps)
    return jnp.where(steps > 0, jnp.clip(elapsed / jnp.where(steps > 0, steps, 1), 0.0, 1.0), elapsed >= 0)
