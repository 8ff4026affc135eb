"""Optimizers against optax and NumPy, all of it traced; rules by path; clipping; what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdl import optim
from tests.optim.problem import PARAMS, assert_close, gradient, train


def test_adamw_equals_optax_with_a_schedule_and_a_mask():
    def rate(step):
        return 0.02 / (1.0 + step)

    mask = {"dense": {"w": True, "b": False}, "head": {"w": True, "b": False}}
    expected = train(optax.adamw(rate, 0.8, 0.95, 1e-3, weight_decay=0.3, mask=mask))
    found = train(optim.adamw(rate, 0.8, 0.95, 1e-3, weight_decay=0.3, decay={"*/b": 0.0}))
    assert_close(found, expected)


def test_weight_decay_may_follow_a_schedule():
    found = train(optim.adamw(0.02, weight_decay=optim.piecewise([1], [0.5, 0.0])), steps=2)
    optimizer = optim.adamw(0.02, weight_decay=0.0)
    first, state = optimizer.update(gradient(PARAMS), optimizer.init(PARAMS), PARAMS)
    params = jax.tree.map(lambda p, u: p + u - 0.02 * 0.5 * p, PARAMS, first)
    second, _ = optimizer.update(gradient(params), state, params)
    assert_close(found, optax.apply_updates(params, second))


HYPER = {
    "learning_rate": np.array([0.01, 0.03, 0.1], np.float32),
    "momentum": np.array([0.0, 0.5, 0.9], np.float32),
    "weight_decay": np.array([0.0, 0.1, 0.3], np.float32),
    "b1": np.array([0.0, 0.8, 0.9], np.float32),
    "b2": np.array([0.9, 0.99, 0.999], np.float32),
    "eps": np.array([1e-8, 1e-4, 1e-2], np.float32),
    "factor": np.array([0.0, 0.5, 2.0], np.float32),
    "limit": np.array([0.1, 1.0, 100.0], np.float32),
}


def make_sgd(h, nesterov=True):
    return optim.chain(
        optim.clip_by_norm(h["limit"]),
        optim.sgd(h["learning_rate"], h["momentum"], nesterov=nesterov),
        optim.scale_by_path({"*/b": h["factor"]}),
    )


def make_adamw(h):
    return optim.chain(
        optim.clip_by_value(h["limit"]),
        optim.adamw(
            optim.warmup_cosine(h["learning_rate"], 1 + 10 * h["factor"], 10 + 10 * h["factor"]),
            h["b1"],
            h["b2"],
            h["eps"],
            h["weight_decay"],
            decay={"head/*": h["factor"]},
        ),
    )


@pytest.mark.parametrize("make", [make_sgd, make_adamw])
def test_every_hyper_parameter_may_be_traced(make):
    together = jax.jit(jax.vmap(lambda h: train(make(h), steps=5)))(HYPER)
    for i in range(3):
        alone = train(make({name: float(values[i]) for name, values in HYPER.items()}), steps=5)
        assert_close(jax.tree.map(lambda x, i=i: x[i], together), alone)


@pytest.mark.parametrize("make", [make_sgd, make_adamw])
def test_half_precision_parameters_accumulate_in_float32(make):
    params = jax.tree.map(lambda p: jnp.asarray(p, jnp.bfloat16), PARAMS)
    optimizer = make({name: values[1] for name, values in HYPER.items()})
    state = [x for x in jax.tree.leaves(optimizer.init(params)) if x.shape]
    assert state and all(x.dtype == jnp.float32 for x in state)
    found = train(optimizer, 3, params)
    assert {x.dtype for x in jax.tree.leaves(found)} == {jnp.dtype(jnp.bfloat16)}
    assert_close(jax.tree.map(lambda x: x.astype(jnp.float32), found), train(optimizer, 3), atol=0.05)


def test_scale_by_path_takes_the_first_pattern_that_matches():
    scale = optim.scale_by_path({"head/b": 3.0, "*/b": 0.5, "head/*": 2.0})
    ones = jax.tree.map(np.ones_like, PARAMS)
    updates, _ = scale.update(ones, scale.init(PARAMS))
    found = {path: float(np.unique(u)[0]) for path, u in
             {"dense/w": updates["dense"]["w"], "dense/b": updates["dense"]["b"],
              "head/w": updates["head"]["w"], "head/b": updates["head"]["b"]}.items()}  # fmt: skip
    assert found == {"dense/w": 1.0, "dense/b": 0.5, "head/w": 2.0, "head/b": 3.0}


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: optim.scale_by_path({"*/b": 0.1, "tail/*": 2.0}), "scale_by_path"),
        (lambda: optim.adamw(0.1, decay={"*/w": 1.0, "tail/*": 0.0}), "adamw"),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error(make, place):
    with pytest.raises(ValueError, match=rf"{place}.*'tail/\*' matches no parameter.*dense/b, dense/w"):
        make().init(PARAMS)


def test_adamw_without_parameters_is_an_error():
    optimizer = optim.adamw(0.1)
    with pytest.raises(ValueError, match="needs the parameters"):
        optimizer.update(PARAMS, optimizer.init(PARAMS))


@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clip_by_norm_equals_optax(max_norm):
    ours, theirs = optim.clip_by_norm(max_norm), optax.clip_by_global_norm(max_norm)
    found, _ = ours.update(PARAMS, ours.init(PARAMS))
    expected, _ = theirs.update(PARAMS, theirs.init(PARAMS))
    assert_close(found, expected)


@settings(max_examples=30, deadline=None)
@given(st.floats(-30.0, 30.0), st.floats(0.01, 100.0))
def test_clip_by_norm_keeps_direction_and_bounds_the_norm(exponent, max_norm):
    updates = {"a": np.array([3.0, 0.0], np.float32) * 10.0**exponent, "b": np.float32(-4.0 * 10.0**exponent)}
    clip = optim.clip_by_norm(max_norm)
    found, _ = clip.update(updates, clip.init(updates))
    norm = min(5.0 * 10.0**exponent, max_norm)
    np.testing.assert_allclose(found["a"], [0.6 * norm, 0.0], rtol=1e-5)
    np.testing.assert_allclose(found["b"], -0.8 * norm, rtol=1e-5)


def test_clip_by_norm_at_zero_and_at_values_that_are_not_finite():
    clip = optim.clip_by_norm(1.0)

    def clipped(u):
        return clip.update({"u": u}, clip.init({"u": u}))[0]["u"]

    value, derivative = clipped(jnp.zeros(2)), jax.jacobian(clipped)(jnp.zeros(2))
    assert not value.any() and np.array_equal(derivative, np.eye(2))
    point = jnp.array([3.0, 4.0])
    expected = jax.jacobian(lambda u: u / jnp.sqrt(jnp.sum(u**2)))(point)
    np.testing.assert_allclose(jax.jacobian(clipped)(point), expected, atol=1e-6)
    for bad in (jnp.nan, jnp.inf):
        assert np.isnan(clipped(jnp.array([1.0, bad]))).all()
    assert clip.update({}, clip.init({}))[0] == {}


def test_clip_by_value():
    clip = optim.clip_by_value(jnp.float32(0.5))
    found, _ = clip.update(jnp.array([-2.0, 0.25, 2.0, jnp.nan]), clip.init(None))
    np.testing.assert_array_equal(found, [-0.5, 0.25, 0.5, np.nan])


@pytest.mark.parametrize(
    "optimizer",
    [
        optim.gradient_descent(0.1),
        optim.sgd(0.1, 0.9),
        optim.adamw(0.1),
        optim.scale_by_path({"*": 2.0}),
        optim.clip_by_norm(1.0),
        optim.clip_by_value(1.0),
        optim.chain(optim.clip_by_value(1.0), optim.adamw(0.1)),
    ],
)
def test_a_skipping_transformation_skips(optimizer):
    params, bad = {"w": jnp.ones(3)}, {"w": jnp.array([jnp.nan, jnp.inf, 1.0])}
    assert isinstance(optimizer, optim.Skipping)
    _, before = optimizer.update(params, optimizer.init(params), params)
    updates, after = jax.jit(optimizer.update)(bad, before, params, good=jnp.bool_(False))
    np.testing.assert_array_equal(updates["w"], 0.0)
    jax.tree.map(np.testing.assert_array_equal, after, before)


def test_half_precision_directions_are_kept_in_float32():
    params = jax.tree.map(lambda p: jnp.asarray(p, jnp.bfloat16), PARAMS)
    for optimizer in (optim.lion(0.1), optim.soap(0.1), optim.adafactor(0.1)):
        state = [x for x in jax.tree.leaves(optimizer.init(params)) if x.ndim]
        assert state and all(x.dtype == jnp.float32 for x in state)
        updates, _ = jax.eval_shape(optimizer.update, params, optimizer.init(params), params)
        assert {u.dtype.name for u in jax.tree.leaves(updates)} == {"bfloat16"}
