"""The linear recurrence against its formula in plain numpy, both ways of computing it, padding, decoding."""

from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn
from jdl.nn.linear_recurrence import at_once, in_order

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
LENGTH, N, WIDTH = 7, 3, 4
NET = nn.linear_recurrence(WIDTH, radius=(0.5, 0.9), phase=1.0)
WAYS = {"in order": "cpu", "at once": "tpu"}
SHAPES = {"nu": (WIDTH,), "theta": (WIDTH,), "w": (N, 2 * WIDTH), "c": (2 * WIDTH, N), "d": (N,)}


def drawn():
    return {name: jnp.asarray(0.5 * RNG.normal(size=shape)) for name, shape in SHAPES.items()}


def by_formula(params, x, start):
    """Run one sequence in complex128: all outputs, and the last state."""
    p = {name: np.asarray(leaf, np.float64) for name, leaf in params.items()}
    turn = np.exp(-np.exp(p["nu"]) + 1j * np.exp(p["theta"]))
    into = np.sqrt(1 - np.abs(turn) ** 2) * (p["w"][:, :WIDTH] + 1j * p["w"][:, WIDTH:])
    out = p["c"][:WIDTH] - 1j * p["c"][WIDTH:]
    h, outputs = start, []
    for row in x:
        h = turn * h + row @ into
        outputs.append((h @ out).real + p["d"] * row)
    return np.reshape(outputs, (-1, N)), h


def fixed(way, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: WAYS[way])


@pytest.mark.parametrize("way", WAYS)
def test_a_padded_batch_equals_the_formula_on_each_sequence(way, monkeypatch):
    fixed(way, monkeypatch)
    lengths = np.array([0, 1, 4, LENGTH])
    with jax.enable_x64(True):
        xs = RNG.normal(size=(4, LENGTH, N))
        starts = RNG.normal(size=(4, WIDTH)) + 1j * RNG.normal(size=(4, WIDTH))
        params = drawn()
        spoilt = np.where(np.arange(LENGTH)[:, None] < lengths[:, None, None], xs, np.nan)
        run = jax.jit(nn.batched(nn.with_carry(NET)))
        (ys, carries), _ = run(params, {}, spoilt, starts, length=lengths)
        whole, _ = jax.jit(nn.batched(NET))(params, {}, xs)
    for i, length in enumerate(lengths):
        y, carry = by_formula(params, xs[i, :length], starts[i])
        np.testing.assert_allclose(ys[i, :length], y, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(ys[i, length:], 0.0)
        np.testing.assert_allclose(carries[i], carry, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(whole[i], by_formula(params, xs[i], 0)[0], rtol=1e-9, atol=1e-12)


def test_both_ways_of_computing_agree_in_either_direction_and_in_derivatives():
    with jax.enable_x64(True):
        make = lambda *shape: jnp.asarray(RNG.normal(size=shape) + 1j * RNG.normal(size=shape))
        args = 0.5 * make(WIDTH), make(LENGTH, 2, WIDTH), make(2, WIDTH)
        tangents = make(WIDTH), make(LENGTH, 2, WIDTH), make(2, WIDTH)
        live = jnp.arange(LENGTH)[:, None, None] < jnp.array([4, LENGTH])[:, None]

        def derivatives(run, live, reverse):
            function = lambda *args: run(*args, live, reverse)
            y, back = jax.vjp(function, *args)
            return jax.jvp(function, args, tangents), back(y)

        cases = [(None, False), (live, True)]
        run = jax.jit(lambda: [[derivatives(way, *case) for case in cases] for way in (in_order, at_once)])
        found, expected = run()
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9), found, expected)
        empty = at_once(args[0], args[1][:0], args[2], None, False)
    assert empty[0].shape == (0, 2, WIDTH)
    np.testing.assert_array_equal(empty[1], args[2])


@pytest.mark.parametrize("way", WAYS)
def test_decoding_gives_the_whole_pass(way, monkeypatch):
    fixed(way, monkeypatch)
    x = RNG.normal(size=(LENGTH, N)).astype(np.float32)
    params, cache, begin, found = drawn(), NET.init_cache(x), 0, []
    step = jax.jit(lambda x, cache: NET(params, x, cache=cache))
    for count in (1, 1, 1, 4):
        y, cache = step(x[begin : begin + count], cache)
        found.append(y)
        begin += count
    y, carry = jax.jit(nn.with_carry(NET))(params, x)
    np.testing.assert_allclose(np.concatenate(found), y, atol=1e-6)
    np.testing.assert_allclose(cache["h"], carry, atol=1e-6)


def test_both_directions_meet():
    x = RNG.normal(size=(LENGTH, N)).astype(np.float32)
    params, alone = {"ahead": drawn(), "back": drawn()}, jax.jit(NET)
    expected = np.concatenate([alone(params["ahead"], x[:4]), alone(params["back"], x[3::-1])[::-1]], -1)
    found = jax.jit(nn.bidirectional(NET))(params, x, length=4)
    np.testing.assert_allclose(found[:4], expected, atol=1e-6)


def test_it_begins_as_in_the_paper():
    n = 2000
    low, high = 0.4, 0.8
    params, _ = nn.linear_recurrence(n, radius=(low, high), phase=0.5).init(KEY, jnp.zeros((1, 50)))
    radius, angle = np.exp(-np.exp(params["nu"])), np.exp(params["theta"])
    share = np.sort((radius**2 - low**2) / (high**2 - low**2))  # uniform in the ring's area
    even = (np.arange(n) + 0.5) / n
    assert np.abs(share - even).max() < 1.95 / n**0.5  # Kolmogorov's bound, at one in a thousand
    assert np.abs(np.sort(angle / 0.5) - even).max() < 1.95 / n**0.5
    for name, variance in (("w", 1 / 100), ("c", 1 / n), ("d", 1.0)):
        size = params[name].size
        np.testing.assert_allclose(np.var(params[name]), variance, rtol=4.0 * (2 / size) ** 0.5)


def test_on_the_whole_disc_everything_is_finite():
    net, x = nn.linear_recurrence(500), jnp.ones((2, 1))
    params, _ = net.init(KEY, x)
    gradient = jax.jit(jax.grad(lambda params: jnp.sum(net(params, x))))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((params, gradient)))


def test_settings_and_inputs_that_mean_nothing_are_refused():
    with pytest.raises(nn.LayerError, match=r"radius is \(0.9, 0.5\), needs two rising numbers in \[0, 1\]"):
        nn.linear_recurrence(4, radius=(0.9, 0.5))
    with pytest.raises(nn.LayerError, match="linear_recurrence: width is 0"):
        nn.linear_recurrence(0)
    with pytest.raises(nn.LayerError, match=r"linear_recurrence: has shape \(3,\), needs \(length, n\)"):
        NET.init(KEY, jnp.zeros(3))


def test_the_way_is_chosen_by_the_device(monkeypatch):
    x, used, module = jnp.zeros((LENGTH, N)), [], import_module("jdl.nn.linear_recurrence")
    for name in ("in_order", "at_once"):
        run = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, run=run, name=name: used.append(name) or run(*args))
    for way in WAYS:
        fixed(way, monkeypatch)
        NET.specs(x)
    assert used == ["in_order", "at_once"]
