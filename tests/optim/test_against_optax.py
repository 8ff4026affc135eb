"""Optimizers and what wraps them, against optax and their papers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jdl import optim
from tests.optim.problem import CENTRE, PARAMS, RNG, assert_close, gradient, train

H = {"rate": np.array([0.02, 0.1], np.float32), "b1": np.array([0.7, 0.9], np.float32),
     "b2": np.array([0.9, 0.95], np.float32), "decay": np.array([0.3, 0.0], np.float32)}  # fmt: skip


MASK = {"dense": {"w": True, "b": False}, "head": {"w": True, "b": False}}


NO_BIAS = {"*/b": 0.0}


def ours(h):
    """The optimizers that optax has too, of traced numbers."""
    rate, b1, b2, decay = (h[name] for name in ("rate", "b1", "b2", "decay"))
    scheduled = lambda step: rate / (1.0 + step)
    return {
        "adam": optim.adam(rate, b1, b2),
        "lion": optim.lion(rate, b1, b2, decay, decay=NO_BIAS),
        "rmsprop": optim.rmsprop(rate, b2, momentum=b1),
        "adagrad": optim.adagrad(rate),
        "nadam": optim.nadam(scheduled, b1, b2, weight_decay=decay, decay=NO_BIAS),
        "radam": optim.radam(rate, b1, b2),
        "adabelief": optim.adabelief(rate, b1, b2),
        "lamb": optim.lamb(rate, b1, b2, weight_decay=decay, decay=NO_BIAS),
        "adafactor": optim.adafactor(rate, smallest=3),
        "prodigy": optim.prodigy(rate, b1, b2, weight_decay=decay),
        "schedule_free": optim.schedule_free(optim.adamw(rate, 0.0, b2), rate, b1),
        "lookahead": optim.lookahead(optim.adam(rate), 3, b1),
        "muon": optim.muon(rate, b1, decay, others=optim.nadam(rate)),
    }


def theirs(h):
    rate, b1, b2, decay = (float(h[name]) for name in ("rate", "b1", "b2", "decay"))
    scheduled = lambda step: rate / (1.0 + step)
    decayed = {"weight_decay": decay, "mask": MASK}
    contrib = optax.contrib
    return {
        "adam": optax.adam(rate, b1, b2),
        "lion": optax.lion(rate, b1, b2, **decayed),
        "rmsprop": optax.rmsprop(rate, b2, eps_in_sqrt=False, momentum=b1),
        "adagrad": optax.adagrad(rate, 0.0, 1e-10),
        "nadam": optax.nadamw(scheduled, b1, b2, **decayed),
        "radam": optax.radam(rate, b1, b2),
        "adabelief": optax.adabelief(rate, b1, b2),
        "lamb": optax.lamb(rate, b1, b2, **decayed),
        "adafactor": optax.adafactor(rate, min_dim_size_to_factor=3),
        "prodigy": contrib.prodigy(rate, (b1, b2), weight_decay=decay),
        "schedule_free": contrib.schedule_free(optax.adamw(rate, 0.0, b2), rate, b1),
        "muon": contrib.muon(rate, beta=b1, weight_decay=decay, consistent_rms=0.2, adam_b2=0.999),
    }


@pytest.fixture(scope="module")
def trained():
    """Ten steps of every optimizer for two settings at once, and of optax's, one after the other."""
    every = jax.jit(jax.vmap(lambda h: {name: train(one, 10) for name, one in ours(h).items()}))(H)
    settings = [{name: values[i] for name, values in H.items()} for i in range(2)]
    expected = jax.jit(lambda: [{n: train(one, 10) for n, one in theirs(h).items()} for h in settings])()
    return every, expected


@pytest.mark.parametrize("name", sorted(theirs({name: values[0] for name, values in H.items()})))
def test_traced_optimizers_equal_optax(name, trained):
    found, expected = trained
    for i in range(2):
        assert_close(jax.tree.map(lambda x, i=i: x[i], found[name]), expected[i][name], rtol=2e-4, atol=1e-5)


def test_lookahead_returns_to_the_slow_parameters(trained):
    params, fast = PARAMS, optim.adam(float(H["rate"][1]))
    slow, state, rate = PARAMS, fast.init(PARAMS), float(H["b1"][1])
    for step in range(10):
        updates, state = fast.update(gradient(params), state, params)
        params = optax.apply_updates(params, updates)
        if step % 3 == 2:
            slow = jax.tree.map(lambda s, p: s + rate * (p - s), slow, params)
            params = slow
    assert_close(jax.tree.map(lambda x: x[1], trained[0]["lookahead"]), params, rtol=1e-4, atol=1e-5)


def soap_by_hand(params, pull, rate, b1, b2, eps, decay, every, steps):
    """The paper's third algorithm in NumPy, one matrix at a time, in double precision."""
    leaves, structure = jax.tree.flatten(jax.tree.map(lambda p: np.asarray(p, np.float64), params))
    kept = [None] * len(leaves)
    for step in range(steps):
        gradients = jax.tree.leaves(jax.tree.map(np.asarray, pull(structure.unflatten(leaves))))
        for i, (p, g) in enumerate(zip(leaves, gradients, strict=True)):
            g = g.reshape(len(g), -1).astype(np.float64)
            outer = [g @ g.T, g.T @ g]
            if step == 0:
                covariance = [(1 - b2) * c for c in outer]
                basis = [np.linalg.eigh(c)[1][:, ::-1] for c in covariance] if p.ndim > 1 else None
                kept[i] = [np.zeros_like(g), np.zeros_like(g), covariance, basis]
                continue
            mean, square, covariance, basis = kept[i]
            left, right = basis or (np.eye(len(g)), np.eye(g.shape[1]))
            mean = b1 * mean + (1 - b1) * g
            square = b2 * square + (1 - b2) * (left.T @ g @ right) ** 2
            scale = np.sqrt(1 - b2**step) / (1 - b1**step)
            direction = left @ (scale * (left.T @ mean @ right) / (np.sqrt(square) + eps)) @ right.T
            leaves[i] = p - rate * (direction.reshape(p.shape) + decay * p)
            covariance = [b2 * c + (1 - b2) * o for c, o in zip(covariance, outer, strict=True)]
            if basis and step % every == 0:
                for a in range(2):
                    order = np.argsort(-np.diag(basis[a].T @ covariance[a] @ basis[a]))
                    square = np.take(square, order, a)
                    basis[a] = np.linalg.qr(covariance[a] @ basis[a][:, order])[0]
            kept[i] = [mean, square, covariance, basis]
    return structure.unflatten(leaves)


def test_soap_is_its_paper():
    # The basis of directions in which the first gradient is zero is only one where they are one, and with a
    # smaller epsilon that one is divided rounding by rounding.
    rate, b1, b2, eps, decay, params = 0.05, 0.9, 0.8, 0.01, 0.1, PARAMS["dense"]
    pull = lambda p: jax.tree.map(lambda p, c: jnp.sin(3.0 * (p - c)) + (p - c), p, CENTRE["dense"])

    @jax.jit
    def found(rate):
        optimizer = optim.soap(rate, b1, b2, eps, decay, every=2)

        def step(carry, _):
            updates, state = optimizer.update(pull(carry[0]), carry[1], carry[0])
            return (optax.apply_updates(carry[0], updates), state), None

        return jax.lax.scan(step, (params, optimizer.init(params)), None, 8)[0][0]

    assert_close(found(rate), soap_by_hand(params, pull, rate, b1, b2, eps, decay, 2, 8), 1e-3, 1e-4)


@pytest.mark.parametrize("make", [optim.muon, optim.soap])
def test_stacked_layers_are_matrices_of_their_own(make):
    """A stack of layers is optimized as each layer alone."""
    centres = RNG.normal(size=(2, 5, 4, 3)).astype(np.float32)

    def last(optimizer, centre):
        params = jnp.zeros_like(centre)
        state = optimizer.init({"w": params})
        for _ in range(3):
            updates, state = optimizer.update({"w": jnp.sin(params - centre)}, state, {"w": params})
            params += updates["w"]
        return params

    stacked = jax.jit(lambda c: last(make(0.1, stacked=("w",)), c))(centres)
    alone = jax.jit(jax.vmap(lambda c: last(make(0.1), c)))(centres)
    np.testing.assert_allclose(stacked, alone, rtol=1e-4, atol=1e-5)
    assert np.abs(stacked).max() > 0.01


def test_muon_brings_singular_values_near_one_and_leaves_out_what_it_is_told():
    optimizer = optim.muon(1.0, exclude=("head/*",), others=optim.sgd(1.0))
    updates, _ = jax.jit(optimizer.update)(PARAMS, optimizer.init(PARAMS), PARAMS)
    values = np.linalg.svd(updates["dense"]["w"], compute_uv=False) / (0.2 * 4**0.5)
    assert (values > 0.6).all() and (values < 1.3).all()
    assert_close(updates["head"], jax.tree.map(np.negative, PARAMS["head"]))


def bowl(params):
    return sum(jnp.sum((p - c) ** 2 * (1 + jnp.arange(p.size).reshape(p.shape))) for p, c in
               zip(jax.tree.leaves(params), jax.tree.leaves(CENTRE), strict=True))  # fmt: skip


def descend(optimizer, steps):
    """Values of the objective at the start and at the parameters to evaluate after some steps."""

    def step(carry, _):
        params, state = carry
        value, grad = jax.value_and_grad(bowl)(params)
        # The line search of optax hands the objective all that it is given itself.
        given = {"value": value, "grad": grad, "value_fn": lambda p, grad_fn=None: bowl(p)}
        given |= {"grad_fn": lambda p, _: jax.grad(bowl)(p)}
        given = given if isinstance(optimizer, optax.GradientTransformationExtraArgs) else {}
        updates, state = optimizer.update(grad, state, params, **given)
        return (optax.apply_updates(params, updates), state), None

    (params, state), _ = jax.lax.scan(step, (PARAMS, optimizer.init(PARAMS)), None, steps)
    return bowl(PARAMS), bowl(optim.evaluation_params(state, params))


def test_those_that_evaluate_the_objective_learn():
    inside = optim.chain(optim.clip_by_norm(10.0), optim.sam(optim.adam(0.1), 0.01))
    both = jax.jit(lambda: (descend(inside, 100), descend(optim.lbfgs(), 25)))()
    for begun, ended in both:
        assert ended < 1e-2 * begun
    assert both[1][1] < 1e-6


def test_sam_equals_optax_and_skips_what_is_not_finite():
    grad = jax.grad(bowl)(PARAMS)
    ours, inner = optim.sam(optim.sgd(0.01, 0.9), 0.3), optax.sgd(0.01, 0.9)
    theirs = optax.contrib.sam(
        inner, optax.chain(optax.contrib.normalize(), optax.sgd(0.3)), opaque_mode=True
    )
    found, state = ours.update(grad, ours.init(PARAMS), PARAMS, grad_fn=lambda p, _: jax.grad(bowl)(p))
    expected, _ = theirs.update(grad, theirs.init(PARAMS), PARAMS, grad_fn=lambda p, _: jax.grad(bowl)(p))
    assert_close(found, expected)
    found, after = ours.update(
        grad, state, PARAMS, grad_fn=lambda p, _: jax.grad(lambda p: jnp.nan * bowl(p))(p)
    )
    assert not any(u.any() for u in jax.tree.leaves(found))
    jax.tree.map(np.testing.assert_array_equal, after, state)


def test_schedule_free_evaluates_its_average():
    optimizer = optim.schedule_free(optim.adamw(0.1, b1=0.0, weight_decay=0.0), 0.1)
    begun, ended = jax.jit(lambda: descend(optim.chain(optim.clip_by_value(1e3), optimizer), 200))()
    assert ended < 1e-2 * begun
    state = optimizer.init(PARAMS)
    jax.tree.map(np.testing.assert_allclose, optim.evaluation_params(state, PARAMS), PARAMS)
    assert optim.evaluation_params(optim.sgd(0.1).init(PARAMS), PARAMS) is PARAMS


def test_centralize_equals_optax_on_transposed_weights():
    turned = jax.tree.map(np.transpose, PARAMS)
    expected, _ = optax.centralize().update(turned, optax.EmptyState())
    centre = optim.centralize()
    found, _ = centre.update(PARAMS, centre.init(PARAMS))
    assert isinstance(centre, optim.Skipping)
    assert_close(found, jax.tree.map(np.transpose, expected))


def without_params(optimizer):
    return optimizer.update(PARAMS, optimizer.init(PARAMS))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: optim.lion(0.1, decay={"tail/*": 0.0}).init(PARAMS),
            r"lion\(decay=…\).*'tail/\*' matches no",
        ),
        (
            lambda: optim.lamb(0.1, decay={"tail/*": 0.0}).init(PARAMS),
            r"lamb\(decay=…\).*'tail/\*' matches no",
        ),
        (
            lambda: optim.soap(0.1, stacked=["tail/*"]).init(PARAMS),
            r"soap\(stacked=…\).*'tail/\*' matches no",
        ),
        (
            lambda: optim.muon(0.1, exclude=["tail/*"]).init(PARAMS),
            r"muon\(exclude=…\).*'tail/\*' matches no",
        ),
        (lambda: without_params(optim.lion(0.1)), "lion: update needs the parameters"),
        (lambda: without_params(optim.lookahead(optim.sgd(0.1))), "lookahead: update needs the parameters"),
    ],
)
def test_what_does_not_fit_is_an_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()
