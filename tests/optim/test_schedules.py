"""Schedules against optax, traced and not."""

import jax
import numpy as np
import optax
import pytest

from jdl import optim

STEPS = np.arange(0, 131, 5)
SCHEDULES = {
    "constant": (lambda a, n: optim.constant(a), lambda a, n: optax.constant_schedule(a)),
    "linear": (
        lambda a, n: optim.linear(a, 0.1, n, begin=7),
        lambda a, n: optax.linear_schedule(a, 0.1, n, 7),
    ),
    "cosine": (
        lambda a, n: optim.cosine(a, n, end=0.2 * a),
        lambda a, n: optax.cosine_decay_schedule(a, n, 0.2),
    ),
    "warmup_cosine": (
        lambda a, n: optim.warmup_cosine(a, 20, n, start=0.1, end=0.05),
        lambda a, n: optax.warmup_cosine_decay_schedule(0.1, a, 20, n, 0.05),
    ),
    "exponential": (
        lambda a, n: optim.exponential(a, 0.3, n),
        lambda a, n: optax.exponential_decay(a, n, 0.3),
    ),
    "piecewise": (
        lambda a, n: optim.piecewise([20, n], [a, 0.5 * a, 0.05 * a]),
        lambda a, n: optax.piecewise_constant_schedule(a, {20: 0.5, n: 0.1}),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_equal_optax_and_trace(name):
    ours, theirs = SCHEDULES[name]
    expected = np.array([theirs(0.7, 100)(step) for step in STEPS])
    np.testing.assert_allclose([ours(0.7, 100)(step) for step in STEPS], expected, rtol=1e-5, atol=1e-7)
    traced = jax.jit(lambda a, n, steps: jax.vmap(lambda step: ours(a, n)(step))(steps))
    np.testing.assert_allclose(traced(0.7, 100, STEPS), expected, rtol=1e-5, atol=1e-7)


def test_a_schedule_of_no_length_is_a_jump_not_a_nan():
    assert [float(optim.linear(0.0, 1.0, 0, begin=3)(t)) for t in (2, 3)] == [0.0, 1.0]
    assert [float(optim.warmup_cosine(1.0, 0, 10)(t)) for t in (0, 10)] == [1.0, 0.0]
    assert float(optim.warmup_cosine(1.0, 10, 10, end=0.5)(10)) == 0.5


def test_piecewise_needs_one_value_more_than_boundaries():
    with pytest.raises(ValueError, match="2 values for 2 boundaries, needs 3"):
        optim.piecewise([1, 2], [0.1, 0.2])


def test_inverse_sqrt_and_warmup_stable_decay_are_their_formulas():
    def both(h, step):
        rising = optim.inverse_sqrt(h, 20)(step)
        return rising, optim.warmup_stable_decay(h, 20, 120, 30, start=0.1, end=0.05)(step)

    found = jax.jit(jax.vmap(jax.vmap(both, (None, 0)), (0, None)))(np.array([0.7, 1.4]), STEPS)
    rising = np.minimum(STEPS / 20, np.sqrt(20 / np.maximum(STEPS, 1)))
    np.testing.assert_allclose(found[0], [0.7 * rising, 1.4 * rising], rtol=1e-5)
    stable = np.interp(STEPS, [0, 20, 90, 120], [0.1, 0.7, 0.7, 0.05])
    np.testing.assert_allclose(found[1][0], stable, rtol=1e-5)


def test_every_number_of_the_new_schedules_may_be_traced():
    def several(h, step):
        return [
            optim.polynomial(h, 0.1, 50 * h, power=h, begin=h)(step),
            optim.one_cycle(h, 80 * h, rising=0.4 * h, start=0.1 * h, end=0.0)(step),
            optim.cosine_restarts(h, 10 * h, factor=h, end=0.1)(step),
            optim.inverse_sqrt(h, 9 * h)(step),
            optim.warmup_stable_decay(h, 10 * h, 60 * h, 20 * h)(step),
        ]

    traced = jax.jit(jax.vmap(jax.vmap(several, (None, 0)), (0, None)))(np.array([1.0, 2.0]), STEPS)
    alone = jax.jit(jax.vmap(lambda step: several(2.0, step)))(STEPS)
    np.testing.assert_allclose(np.array(traced)[:, 1], alone, rtol=1e-5, atol=1e-7)
    assert np.isfinite(np.array(traced)).all()


def test_restarts_begin_exactly_where_a_cycle_does():
    begins = 10 * (2.0 ** np.arange(16) - 1)
    schedule = jax.jit(jax.vmap(optim.cosine_restarts(1.0, 10)))
    np.testing.assert_array_equal(schedule(begins), 1.0)
    assert (np.asarray(schedule(begins[1:] - 1)) < 0.03).all()


def test_cosines_of_the_logarithm_and_flat_ones_are_their_formulas_when_traced():
    def both(value, steps, cycles, flat):
        at = lambda step: (
            optim.coslog(value, steps, cycles=cycles)(step),
            optim.flat_cosine(value, steps, flat=flat, end=0.1)(step),
        )
        return jax.vmap(at)(STEPS)

    values, steps, cycles, flats = np.array([[0.5, 120, 4, 0.5], [2.0, 60, 3, 0.2]]).T
    found = jax.jit(jax.vmap(both))(values, steps, cycles, flats)
    for i in range(2):
        t = np.minimum(STEPS / steps[i], 1)
        wave = values[i] * (1 - np.cos(2 * np.pi * np.log2(1 + (2 ** cycles[i] - 1) * t))) / 2
        np.testing.assert_allclose(found[0][i], wave, atol=1e-5)
        u = np.clip((t - flats[i]) / (1 - flats[i]), 0, 1)
        np.testing.assert_allclose(
            found[1][i], 0.1 + (values[i] - 0.1) * (1 + np.cos(np.pi * u)) / 2, atol=1e-5
        )
