"""Weights and padding: a row of weight zero touches nothing, whatever it holds (design rule 1)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn

KEY = jax.random.key(0)
ROWS = np.random.default_rng(0)
X = ROWS.normal(size=(6, 3)).astype(np.float32)
TOKENS = ROWS.integers(0, 5, size=(6, 3)).astype(np.int32)
WEIGHT = np.array([1.0, 0, 2, 0, 0.5, 1], np.float32)
PADDING = np.flatnonzero(WEIGHT == 0)


@nn.layer(
    embed=nn.embed(5, 3), attn=nn.attention(1), norm=nn.batch_norm(), drop=nn.dropout(0.3), out=nn.dense(2)
)
def net(my, x, tokens):
    mixed = my.norm(my.attn(my.embed(tokens)).mean(0) + jnp.log(jnp.abs(x)))
    return my.out(my.drop(mixed) / jnp.linalg.norm(x))


PARAMS, STATE = net.init(KEY, X[0], TOKENS[0])


@jax.jit
def step(x, tokens, weight):
    def loss(params):
        ys, state = nn.batched(net)(params, STATE, x, tokens, key=KEY, weight=weight)
        kept = jnp.where(weight[:, None] > 0, ys, 0.0)
        return jnp.sum(weight * jnp.sum(ys**2, -1)), (kept, state)

    return jax.value_and_grad(loss, has_aux=True)(PARAMS)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def finite(tree):
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    ("number", "token"),
    [(np.nan, -1), (np.inf, 2**31 - 1), (-np.inf, -(2**31)), (3e38, 7), (0.0, 0), (1.0, 4)],
)
def test_what_a_row_of_weight_zero_holds_changes_no_bit(number, token):
    x, tokens = X.copy(), TOKENS.copy()
    x[PADDING], tokens[PADDING] = number, token
    result = step(x, tokens, WEIGHT)
    assert bits(result) == bits(step(X, TOKENS, WEIGHT))
    assert finite(result)


def test_padding_and_leaving_out_agree():
    norm = nn.chain(nn.dense(3), nn.batch_norm(), nn.dense(2))
    params, state = norm.init(KEY, X[0])

    @jax.jit
    def gradient(x, weight):
        def loss(params):
            ys, new = nn.batched(norm)(params, state, x, key=KEY, weight=weight)
            return jnp.sum(weight * jnp.sum(ys**2, -1)), new

        return jax.grad(loss, has_aux=True)(params)

    kept = np.flatnonzero(WEIGHT > 0)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    jax.tree.map(close, gradient(X, WEIGHT), gradient(X[kept], WEIGHT[kept]))


def test_a_batch_without_weight_leaves_the_state_and_gives_no_nan():
    empty = np.full_like(X, np.nan)
    still = nn.chain(nn.dense(3), nn.batch_norm(), nn.dense(2))
    params, state = still.init(KEY, X[0])
    _, state = nn.batched(still)(params, state, X, key=KEY)

    def loss(params):
        ys, new = nn.batched(still)(params, state, empty, key=KEY, weight=np.zeros(6))
        return jnp.sum(jnp.zeros(6) * jnp.sum(ys**2, -1)), (ys, new)

    (total, (ys, new)), gradient = jax.value_and_grad(loss, has_aux=True)(params)
    assert finite((ys, gradient)) and total == 0
    assert bits(new) == bits(state)


def test_batch_mean_is_weighted():
    @nn.layer
    def mean(my, x):
        return my.batch_mean(x)

    expected = (WEIGHT[:, None] * X).sum(0) / WEIGHT.sum()
    ys, _ = nn.batched(mean)({}, {}, X, weight=WEIGHT)
    np.testing.assert_allclose(ys, np.tile(expected, (6, 1)), rtol=1e-6)
    plain, _ = nn.batched(mean)({}, {}, X)
    np.testing.assert_allclose(plain[0], X.mean(0), rtol=1e-5, atol=1e-6)


def test_weights_scale_away_and_whole_ones_are_copies():
    norm = nn.batch_norm()
    params, state = norm.init(KEY, X[0])
    run = jax.jit(lambda xs, weight: nn.batched(norm)(params, state, xs, key=KEY, weight=weight)[1])
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    weight = np.array([1, 2, 1, 3, 1, 1], np.float32)
    jax.tree.map(close, run(X, weight), run(X, weight * 7))
    copies = np.repeat(X, weight.astype(int), 0)
    jax.tree.map(close, run(X, weight), run(copies, np.ones(9, np.float32)))


@pytest.mark.parametrize("weight", [[1, 0, 2, 0, 0, 1], np.array([True, False, True, False, False, True])])
def test_weights_may_be_integers_or_marks(weight):
    norm = nn.batch_norm()
    params, state = norm.init(KEY, X[0])
    x = X.copy()
    x[1] = np.nan
    _, new = nn.batched(norm)(params, state, x, key=KEY, weight=np.asarray(weight))
    exact = nn.batched(norm)(params, state, X, key=KEY, weight=np.asarray(weight, np.float32))[1]
    assert bits(new) == bits(exact)


def test_lengths_that_differ_are_an_error():
    needs = r"a batch: needs one common leading axis; found the lengths .*'inputs/0': \(6,\).*'mask': \(5,\)"

    @nn.layer
    def masked(my, x, *, mask):
        return x * mask

    with pytest.raises(nn.LayerError, match=needs):
        nn.batched(masked)({}, {}, X, mask=np.ones(5))
    with pytest.raises(nn.LayerError, match=r"'weight': \(5,\)"):
        nn.batched(nn.dense(2))({}, {}, X, weight=np.ones(5))
    with pytest.raises(nn.LayerError, match=r"'inputs/0': \(\)"):
        nn.batched(nn.dense(2))({}, {}, jnp.float32(1))
