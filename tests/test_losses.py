"""Losses against torch, scikit-learn and optax; their gradients; what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from jdl import losses

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(7, 5)).astype(np.float32)
CLASSES = RNG.integers(0, 5, 7)
SOFT = RNG.dirichlet(np.ones(5), 7).astype(np.float32)
CLASS_WEIGHT = np.array([0.5, 1.0, 2.0, 3.0, 0.0], np.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("target", [CLASSES, SOFT], ids=["classes", "soft"])
def test_cross_entropy_equals_torch(target, smoothing):
    logits = torch.tensor(LOGITS, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        logits, torch.tensor(target), label_smoothing=smoothing, reduction="none"
    )
    expected.sum().backward()

    def loss(logits, target, smoothing):
        return losses.cross_entropy(logits, target, label_smoothing=smoothing)

    found, gradient = jax.jit(jax.vmap(jax.value_and_grad(loss), (0, 0, None)))(LOGITS, target, smoothing)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, logits.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_class_weight_multiplies_the_loss_of_its_class():
    def loss(logits, target, weight=None):
        return losses.cross_entropy(logits, target, label_smoothing=0.1, class_weight=weight)

    plain = jax.vmap(loss)(LOGITS, CLASSES)
    weighted = jax.vmap(loss, (0, 0, None))(LOGITS, CLASSES, CLASS_WEIGHT)
    np.testing.assert_allclose(weighted, plain * CLASS_WEIGHT[CLASSES], rtol=1e-6)
    one_hot = jax.vmap(loss, (0, 0, None))(LOGITS, jax.nn.one_hot(CLASSES, 5), CLASS_WEIGHT)
    np.testing.assert_allclose(weighted, one_hot, rtol=1e-6)


def test_a_sequence_gives_the_mean_over_its_positions():
    apart = jax.vmap(losses.cross_entropy)(LOGITS, CLASSES)
    np.testing.assert_allclose(losses.cross_entropy(LOGITS, CLASSES), apart.mean(), rtol=1e-6)


@pytest.mark.parametrize("positive_weight", [1.0, np.array([1.0, 2.0, 0.5, 3.0, 0.0], np.float32)])
def test_binary_cross_entropy_equals_torch(positive_weight):
    logits, target = torch.tensor(LOGITS, requires_grad=True), (SOFT > 0.2).astype(np.float32)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.tensor(target), pos_weight=torch.as_tensor(positive_weight), reduction="none"
    ).mean(1)
    expected.sum().backward()

    def loss(logits, target):
        return losses.binary_cross_entropy(logits, target, positive_weight=positive_weight)

    found, gradient = jax.vmap(jax.value_and_grad(loss))(LOGITS, target)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, logits.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_binary_cross_entropy_is_the_two_class_cross_entropy():
    for z, y in [(0.3, 0), (-2.0, 1), (4.0, 1)]:
        two = losses.cross_entropy(jnp.array([0.0, z]), y, label_smoothing=0.2)
        np.testing.assert_allclose(losses.binary_cross_entropy(z, y, label_smoothing=0.2), two, rtol=1e-5)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_binary_cross_entropy_is_finite_at_large_logits(logit):
    value, gradient = jax.value_and_grad(losses.binary_cross_entropy)(jnp.float32(logit), logit < 0)
    assert value == 1e4 and abs(gradient) == 1.0
    value, gradient = jax.value_and_grad(losses.binary_cross_entropy)(jnp.float32(logit), logit > 0)
    assert value == 0.0 and gradient == 0.0


def test_squared_error_is_the_mean_over_elements():
    found = losses.squared_error(LOGITS, SOFT)
    np.testing.assert_allclose(found, np.mean((LOGITS - SOFT) ** 2), rtol=1e-6)
    assert losses.squared_error(jnp.array([3.0]), 1) == 4.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4), st.floats(0.0, 1.0), st.floats(-50.0, 50.0))
def test_cross_entropy_ignores_a_shift_of_the_logits(target, smoothing, shift):
    def loss(logits):
        return losses.cross_entropy(logits, target, label_smoothing=smoothing)

    np.testing.assert_allclose(loss(LOGITS[0] + shift), loss(LOGITS[0]), rtol=1e-4, atol=1e-4)


def test_gradients_also_with_respect_to_the_options():
    def smoothed(logits, smoothing, weight):
        return losses.cross_entropy(logits, 2, label_smoothing=smoothing, class_weight=weight)

    def binary(logits, smoothing, weight):
        return losses.binary_cross_entropy(logits, SOFT[0], label_smoothing=smoothing, positive_weight=weight)

    for loss in (smoothed, binary):
        check_grads(jax.jit(loss), (LOGITS[0], 0.1, CLASS_WEIGHT), order=1, rtol=1e-2, atol=1e-2)
    check_grads(jax.jit(losses.squared_error), (LOGITS[0], SOFT[0]), order=1, rtol=1e-2, atol=1e-2)


def test_a_class_ruled_out_costs_nothing():
    logits = jnp.array([0.0, 1.0, -jnp.inf])
    value, (gradient, smoothing) = jax.value_and_grad(
        lambda z, s: losses.cross_entropy(z[:2], 1, label_smoothing=s), (0, 1)
    )(logits, 0.0)
    masked, masked_gradient = jax.value_and_grad(losses.cross_entropy)(logits, 1)
    assert value == masked and np.array_equal(gradient, masked_gradient) and np.isfinite(smoothing)
    assert np.isinf(losses.cross_entropy(logits, 2))


@pytest.mark.parametrize("target", [-1, 5])
def test_a_class_that_does_not_exist_gives_nan_in_loss_and_gradient(target):
    value, gradient = jax.value_and_grad(losses.cross_entropy)(LOGITS[0], target)
    assert np.isnan(value) and np.isnan(gradient).all()
    assert np.isnan(losses.cross_entropy(LOGITS[0], target, class_weight=CLASS_WEIGHT))


@pytest.mark.parametrize("target", [-1.0, 2, float("nan")])
def test_a_label_outside_zero_to_one_gives_nan(target):
    value, gradient = jax.value_and_grad(losses.binary_cross_entropy)(0.5, target)
    assert np.isnan(value) and np.isnan(gradient)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_float32_whatever_the_input(dtype):
    logits = jnp.asarray(LOGITS[0], dtype)
    for found, exact in [
        (losses.cross_entropy(logits, 1), losses.cross_entropy(logits.astype(jnp.float32), 1)),
        (
            losses.binary_cross_entropy(logits, SOFT[0] > 1),
            losses.binary_cross_entropy(logits.astype(jnp.float32), SOFT[0] > 1),
        ),
        (losses.squared_error(logits, logits * 0), jnp.mean(jnp.square(logits.astype(jnp.float32)))),
    ]:
        assert found.dtype == jnp.float32 and found == exact


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.squared_error(jnp.ones(3), jnp.ones(())), r"target has shape \(\), needs .* \(3,\)"),
        (lambda: losses.squared_error(jnp.ones((3, 1)), jnp.ones(3)), r"shape \(3,\), needs .* \(3, 1\)"),
        (lambda: losses.cross_entropy(jnp.ones(1), 0), "use binary_cross_entropy"),
        (lambda: losses.cross_entropy(jnp.ones(3), 1.0), r"is float32 of shape \(\).* integer classes"),
        (lambda: losses.cross_entropy(jnp.ones(3), jnp.ones(4)), r"\(4,\).*probabilities of shape \(3,\)"),
        (lambda: losses.cross_entropy(jnp.ones(3), jnp.array([1])), r"int32 of shape \(1,\)"),
        (lambda: losses.cross_entropy(jnp.array([1, 2]), 1), "logits are int32"),
        (lambda: losses.cross_entropy(jnp.ones(3), 1, class_weight=jnp.ones(2)), r"\(2,\), needs \(3,\)"),
        (lambda: losses.binary_cross_entropy(jnp.ones(2), 1), r"target has shape \(\), needs .* \(2,\)"),
        (
            lambda: losses.binary_cross_entropy(jnp.ones(2), jnp.ones(2), positive_weight=jnp.ones(3)),
            r"positive_weight has shape \(3,\), needs \(\) or \(2,\)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
