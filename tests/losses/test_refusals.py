"""What losses make of values out of range, and of shapes that do not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import losses
from tests.losses.drawn import CLASS_WEIGHT, LOGITS, SOFT, A, B


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
    for loss in (losses.focal, losses.multi_margin):
        assert np.isnan(loss(LOGITS[0], target))
    assert np.isnan(losses.dice(LOGITS, np.full(7, target)))


@pytest.mark.parametrize("target", [-1.0, 2, float("nan")])
def test_a_label_outside_zero_to_one_gives_nan(target):
    value, gradient = jax.value_and_grad(losses.binary_cross_entropy)(0.5, target)
    assert np.isnan(value) and np.isnan(gradient)
    for loss in (losses.binary_focal, losses.hinge, losses.squared_hinge, losses.dice):
        assert np.isnan(loss(0.5, target))
    assert np.isnan(losses.cosine_embedding(A, B, target)) and np.isnan(
        losses.margin_ranking(0.5, 0.2, target)
    )


def test_a_number_out_of_range_gives_nan():
    assert np.isnan(losses.poisson(0.5, -1.0)) and np.isnan(losses.gamma(0.5, 0.0))
    for target, power in [(-1.0, 1.5), (0.0, 2.0), (1.0, 0.5)]:
        assert np.isnan(losses.tweedie(0.5, target, power=power))


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
        (lambda: losses.huber(jnp.ones(2), jnp.ones(3)), r"huber: the target has shape \(3,\)"),
        (
            lambda: losses.pinball(jnp.ones(2), 1.0, levels=jnp.ones(3)),
            r"pinball: outputs have shape \(2,\), the target \(\) and levels \(3,\)",
        ),
        (lambda: losses.gaussian_nll(jnp.ones(3), 1.0), "gaussian_nll: found 3 outputs"),
        (
            lambda: losses.gaussian_nll((jnp.ones(2), jnp.ones(1)), jnp.ones(2)),
            r"shape \(2,\), needs .* \(1,\)",
        ),
        (lambda: losses.kl_divergence(jnp.ones(3), 1), r"kl_divergence: the target has shape \(\)"),
        (lambda: losses.focal(jnp.ones(1), 0), "focal: .* use binary_focal"),
        (
            lambda: losses.focal(jnp.ones(3), 1, class_weight=jnp.ones(2)),
            r"focal: class_weight has shape \(2,\)",
        ),
        (lambda: losses.multi_margin(jnp.ones(3), jnp.ones(3)), r"multi_margin: .* needs integer classes"),
        (lambda: losses.multi_label_margin(jnp.ones((2, 3)), jnp.ones((2, 3))), r"\(2, 3\), needs \(k,\)"),
        (lambda: losses.cosine(jnp.ones(3), jnp.ones(2)), r"cosine: .*outputs \(3,\), target \(2,\)"),
        (lambda: losses.margin_ranking(1.0, jnp.ones(2), 1), r"found the shapes \(\) and \(2,\)"),
        (lambda: losses.info_nce(A, B, A), r"negatives have shape \(3,\), needs \(n, 3\)"),
        (lambda: losses.ctc(jnp.ones(3), jnp.array([1])), r"ctc: logits have shape \(3,\)"),
        (lambda: losses.ctc(jnp.ones((3, 2)), jnp.array([1.0])), r"ctc: .* is float32 of shape \(1,\)"),
        (lambda: losses.cox(A, B, jnp.ones(2)), r"cox: .*outputs \(3,\), time \(3,\), event \(2,\)"),
        (lambda: losses.ordinal(A, 1.0), r"ordinal: .* needs \(classes - 1,\) and an integer"),
        (lambda: losses.coral(A[None], 1), r"coral: logits have shape \(1, 3\)"),
        (lambda: losses.dice(jnp.ones((4, 3)), jnp.ones(4)), r"dice: the target is float32 of shape \(4,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
