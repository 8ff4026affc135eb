"""Losses: their properties, their gradients also by their options, their types."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy import stats
from sklearn import metrics as sk

from jdl import losses
from tests.losses.drawn import CLASS_WEIGHT, CLASSES, LOGITS, MASK, RNG, SOFT, A, B, C


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


Y = jnp.array([1, 0, 1])
OPTION, WEIGHT = jnp.float32(0.4), jnp.array([0.2, 0.5, 0.9])

# Each loss once, as a function of two outputs, of a scalar option and of an option for each output.
EVERY = {
    "absolute_error": lambda a, b, s, w: losses.absolute_error(a, b),
    "huber": lambda a, b, s, w: losses.huber(a, b, delta=s),
    "log_cosh": lambda a, b, s, w: losses.log_cosh(a, b),
    "pinball": lambda a, b, s, w: losses.pinball(a, b, levels=s),
    "quantiles": lambda a, b, s, w: losses.pinball(losses.non_crossing(a), b[0], levels=w),
    "poisson": lambda a, b, s, w: losses.poisson(a, Y, full=True),
    "gamma": lambda a, b, s, w: losses.gamma(a, Y + 1),
    "tweedie": lambda a, b, s, w: losses.tweedie(a, Y, power=1.0 + s),
    "gaussian_nll": lambda a, b, s, w: losses.gaussian_nll((a, b), C),
    "kl_divergence": lambda a, b, s, w: losses.kl_divergence(a, jnp.array([0.2, 0.8, 0.0])),
    "focal": lambda a, b, s, w: losses.focal(a, 1, gamma=s, class_weight=w),
    "binary_focal": lambda a, b, s, w: losses.binary_focal(a, Y, gamma=s, positive_share=w),
    "hinge": lambda a, b, s, w: losses.hinge(a, Y),
    "squared_hinge": lambda a, b, s, w: losses.squared_hinge(a, Y),
    "multi_margin": lambda a, b, s, w: losses.multi_margin(a, 1, margin=s, power=1.0 + s),
    "multi_label_margin": lambda a, b, s, w: losses.multi_label_margin(a, Y),
    "cosine": lambda a, b, s, w: losses.cosine(a, b),
    "cosine_embedding": lambda a, b, s, w: losses.cosine_embedding(a, -b, False, margin=s),
    "margin_ranking": lambda a, b, s, w: losses.margin_ranking(a, b, Y, margin=s),
    "triplet": lambda a, b, s, w: losses.triplet(a, b, C, margin=s),
    "info_nce": lambda a, b, s, w: losses.info_nce(a, b, jnp.stack([C, a + 1]), temperature=s),
    "ctc": lambda a, b, s, w: losses.ctc(jnp.stack([a, b, a + b]), jnp.array([1, -1])),
    "cox": lambda a, b, s, w: losses.cox(a, jnp.array([1.0, 3.0, 1.0]), Y, weight=w),
    "coral": lambda a, b, s, w: losses.coral(a, 2),
    "ordinal": lambda a, b, s, w: losses.ordinal(-losses.non_crossing(a), 2),
    "tversky": lambda a, b, s, w: losses.tversky(a, Y, false_positive=s, false_negative=w[0], smooth=s),
    "dice": lambda a, b, s, w: losses.dice(a, Y, smooth=s),
    "jaccard": lambda a, b, s, w: losses.jaccard(jnp.stack([a, b]), jnp.array([2, 0]), smooth=s),
}


def values_of_every(points):
    return {name: loss(*points[name]) for name, loss in EVERY.items()}


@jax.jit
def values_and_gradients(*point):
    """Values and gradients in one program and one backward pass: every loss has a copy of the point."""

    def summed(points):
        values = values_of_every(points)
        return sum(values.values()), values

    gradients, values = jax.grad(summed, has_aux=True)(dict.fromkeys(EVERY, point))
    return values, gradients


def test_gradients_of_every_loss_and_its_options():
    point = A, B, OPTION, WEIGHT
    direction = [RNG.normal(size=x.shape).astype(np.float32) for x in point]
    ahead, behind = (
        values_and_gradients(*(x + step * d for x, d in zip(point, direction, strict=True)))[0]
        for step in (1e-3, -1e-3)
    )
    _, gradients = values_and_gradients(*point)
    for name, gradient in gradients.items():
        slope = sum(np.sum(g * d) for g, d in zip(gradient, direction, strict=True))
        numeric = (ahead[name] - behind[name]) / 2e-3
        np.testing.assert_allclose(slope, numeric, rtol=5e-3, atol=5e-3, err_msg=name)


def test_every_loss_is_a_float32_scalar_whatever_the_input():
    def abstract(dtype):
        point = [jax.ShapeDtypeStruct(x.shape, dtype) for x in (A, B, OPTION, WEIGHT)]
        return jax.eval_shape(values_of_every, dict.fromkeys(EVERY, point))

    with jax.enable_x64(True):
        found = [abstract(jnp.float64), abstract(jnp.float32)]
    for one in [*found, abstract(jnp.bfloat16), abstract(jnp.float16)]:
        assert {name: (x.shape, x.dtype.name) for name, x in one.items()} == dict.fromkeys(
            EVERY, ((), "float32")
        )


def test_every_loss_bears_its_extremes():
    """Outputs far out, equal outputs, zeros: no value is NaN, no gradient but of an exponential overflows."""
    far, zero = 1e4 * A, jnp.zeros(3)
    exponential = {"poisson", "gamma", "tweedie", "gaussian_nll"}
    for a, b in [(far, B), (-far, B), (A, far), (A, A), (zero, zero), (A, zero)]:
        values, gradients = values_and_gradients(a, b, OPTION, WEIGHT)
        for name, value in values.items():
            assert not np.isnan(value), name
            if name not in exponential or np.abs(jnp.stack([a, b])).max() < 10:
                assert all(np.isfinite(g).all() for g in gradients[name]), (name, a, b)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-50.0, 50.0, width=32), min_size=4, max_size=4))
def test_quantiles_do_not_cross(outputs):
    found = losses.non_crossing(jnp.array(outputs))
    assert np.all(np.diff(found) >= 0) and found[0] == np.float32(outputs[0])


def test_quantiles_keep_their_type():
    assert jax.eval_shape(losses.non_crossing, jnp.zeros(3, jnp.bfloat16)).dtype == jnp.bfloat16
    np.testing.assert_array_equal(losses.non_crossing(jnp.array([2.0])), [2.0])


def test_pinball_is_least_at_the_quantiles_and_equals_scikit_learn():
    sample, levels = RNG.normal(size=401).astype(np.float32), np.array([0.1, 0.5, 0.9], np.float32)

    def mean(outputs):
        return jnp.mean(jax.vmap(lambda y: losses.pinball(outputs, y, levels=levels))(sample))

    at = np.quantile(sample, levels)
    slope = np.stack([jax.grad(mean)(at - 0.02), jax.grad(mean)(at + 0.02)])
    assert (slope[0] < 0).all() and (slope[1] > 0).all()
    expected = [
        sk.mean_pinball_loss(sample, np.full(401, q), alpha=t) for q, t in zip(at, levels, strict=True)
    ]
    np.testing.assert_allclose(mean(at), np.mean(expected), rtol=1e-5)


@pytest.mark.parametrize("power", [1.0, 1.0001, 1.5, 1.9999, 2.0, 3.0])
def test_tweedie_is_half_the_deviance_at_every_power(power):
    y, o = np.array([0.5, 2.0, 3.0]), np.array([-0.4, 0.3, 1.2])
    rtol = (
        1e-5 if power in (1.0, 1.5, 2.0, 3.0) else 2e-3
    )  # the deviance itself cancels there, in float64 too
    deviance = lambda o: sk.mean_tweedie_deviance(y, np.exp(o), power=power) / 2
    found = losses.tweedie(o, y, power=power) - losses.tweedie(0 * o, y, power=power)
    np.testing.assert_allclose(found, deviance(o) - deviance(0 * o), rtol=rtol)


def test_tweedie_holds_poisson_and_gamma():
    y, o = np.array([0.5, 2.0, 3.0]), np.array([-0.4, 0.3, 1.2])
    at = lambda power: losses.tweedie(o, y, power=power)
    np.testing.assert_allclose(at(1.0), losses.poisson(o, y) - 1, rtol=1e-6)
    np.testing.assert_allclose(at(2.0), losses.gamma(o, y) - y.mean(), rtol=1e-5)


def test_likelihoods_equal_scipy():
    y, o, s = np.array([0.0, 2.0, 3.0]), np.array([-0.4, 0.3, 1.2]), np.array([0.1, -1.0, 2.0])
    poisson = -stats.poisson.logpmf(y, np.exp(o)).mean()
    np.testing.assert_allclose(losses.poisson(o, y, full=True), poisson, rtol=1e-5)
    gaussian = -stats.norm.logpdf(y, o, np.exp(s / 2)).mean()
    np.testing.assert_allclose(losses.gaussian_nll(np.stack([o, s]), y), gaussian, rtol=1e-5)
    np.testing.assert_allclose(losses.gaussian_nll(jnp.array([o[1], s[1]]), y[1]),
                               -stats.norm.logpdf(y[1], o[1], np.exp(s[1] / 2)), rtol=1e-5)  # fmt: skip
    divergence = stats.entropy(SOFT[0], np.exp(LOGITS[0]))
    np.testing.assert_allclose(losses.kl_divergence(LOGITS[0], SOFT[0]), divergence, rtol=1e-5)


def test_focal_without_focus_is_cross_entropy():
    for weight in (None, CLASS_WEIGHT):
        found = losses.focal(LOGITS[0], 2, gamma=0.0, class_weight=weight)
        np.testing.assert_allclose(found, losses.cross_entropy(LOGITS[0], 2, class_weight=weight), rtol=1e-6)
    found = losses.binary_focal(LOGITS[0], SOFT[0], gamma=0.0)
    np.testing.assert_allclose(found, losses.binary_cross_entropy(LOGITS[0], SOFT[0]), rtol=1e-6)


def test_binary_focal_equals_optax():
    found = losses.binary_focal(LOGITS[0], MASK[0], gamma=3.0, positive_share=0.25)
    expected = optax.sigmoid_focal_loss(LOGITS[0], MASK[0].astype(np.float32), alpha=0.25, gamma=3.0).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_overlaps_equal_optax():
    expected = optax.losses.dice_loss(LOGITS[:1, :, None], MASK[:1, :, None].astype(np.float32))
    np.testing.assert_allclose(losses.dice(LOGITS[0], MASK[0]), expected, rtol=1e-5)
    empty = jnp.full(4, -100.0), jnp.zeros(4)
    assert losses.dice(*empty) == losses.jaccard(*empty) == 0.0
    both = losses.tversky(LOGITS[0], MASK[0], false_positive=1.0, false_negative=1.0)
    np.testing.assert_allclose(losses.jaccard(LOGITS[0], MASK[0]), both, rtol=1e-6)


def test_in_batch_negatives_are_the_cross_entropy_of_the_cosines():
    anchors, keys = LOGITS, RNG.normal(size=(7, 5)).astype(np.float32)

    def loss(anchor, key):
        everyone = jax.lax.all_gather(key, "batch")
        other = jnp.arange(7) != jax.lax.axis_index("batch")
        return losses.info_nce(anchor, key, everyone, temperature=0.5, where=other)

    found = jax.jit(jax.vmap(loss, axis_name="batch"))(anchors, keys)
    scaled = (1.0 - sk.pairwise.cosine_distances(anchors, keys)) / 0.5
    expected = jax.vmap(losses.cross_entropy)(scaled.astype(np.float32), np.arange(7))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_ordinal_probabilities_add_up_to_one():
    logits = -losses.non_crossing(jnp.array([-3.0, -8.0, 4.0]))
    ordinal, coral = (jax.jit(jax.vmap(loss, (None, 0))) for loss in (losses.ordinal, losses.coral))
    classes = jnp.arange(-1, 5)
    found = np.asarray(ordinal(logits, classes))
    np.testing.assert_allclose(np.exp(-found[1:5]).sum(), 1.0, rtol=1e-5)
    assert np.isnan(found[[0, 5]]).all() and np.isnan(ordinal(-logits, classes)[2])
    assert np.isnan(coral(logits, classes)).tolist() == [True, *4 * [False], True]


def read(alignment):
    """What an alignment says: repeats merged, blanks taken out."""
    merged = [c for c, before in zip(alignment, (None, *alignment[:-1]), strict=True) if c != before]
    return tuple(c for c in merged if c != 1)


def test_ctc_sums_over_all_alignments():
    logits = RNG.normal(size=(4, 3)).astype(np.float32)
    probability = np.exp(jax.nn.log_softmax(logits))
    totals = {}
    for alignment in product(range(3), repeat=4):
        weight = np.prod([probability[t, c] for t, c in enumerate(alignment)])
        totals[read(alignment)] = totals.get(read(alignment), 0.0) + weight
    targets = np.full((len(totals), 4), -1)
    for row, target in zip(targets, totals, strict=True):
        row[: len(target)] = target
    found = jax.jit(jax.vmap(lambda target: losses.ctc(logits, target, blank=1)))(targets)
    np.testing.assert_allclose(np.exp(-found), list(totals.values()), rtol=1e-5)


def test_ctc_of_what_cannot_be():
    both = jax.jit(
        jax.value_and_grad(lambda logits, target, length: losses.ctc(logits, target, length=length))
    )
    value, gradient = both(LOGITS[:3], jnp.array([1, 1]), 2)
    assert value == np.inf and not gradient.any()  # a repeat needs a blank between
    assert both(LOGITS[:3], jnp.array([1, 1]), 3)[0] < np.inf
    assert both(LOGITS[:3], jnp.array([1, -1]), 0)[0] == np.inf
    for wrong in ([5, -1], [0, 1]):
        assert np.isnan(both(LOGITS[:3], jnp.array(wrong), 3)[0])
    ruled_out = jnp.array(LOGITS[:3]).at[:, 4].set(-jnp.inf)
    value, gradient = both(ruled_out, jnp.array([1, 2]), 3)
    assert np.isfinite(value) and np.isfinite(gradient[:, :4]).all()


def test_cox_without_weight_zero_and_without_events():
    time, event = np.array([1.0, 2.0, 2.0, 5.0, 3.0]), np.array([1, 0, 1, 1, 0])
    weight = np.array([1.0, 1.0, 1.0, 0.0, 1.0])
    both = jax.jit(jax.value_and_grad(losses.cox))
    value, gradient = both(LOGITS[0], time, event, weight=weight)
    live = weight > 0
    expected, alone = both(LOGITS[0][live], time[live], event[live], weight=weight[live])
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient[live], alone, rtol=1e-5, atol=1e-7)
    assert gradient[~live] == 0.0
    value, gradient = both(LOGITS[0], time, 0 * event, weight=weight)
    assert value == 0.0 and not gradient.any()
