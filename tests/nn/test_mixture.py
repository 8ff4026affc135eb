"""Mixture of experts against a loop over positions and experts; capacity, balance, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
BATCH, LENGTH, N, COUNT = 3, 7, 4, 5
XS = RNG.normal(size=(BATCH, LENGTH, N))
EXPERT = nn.feed_forward(3, activation=nn.tanh)
PARAMS = {
    "router": RNG.normal(size=(N, COUNT)),
    "experts": {
        "up": {"w": RNG.normal(size=(COUNT, N, 3)), "b": RNG.normal(size=(COUNT, 3))},
        "down": {"w": RNG.normal(size=(COUNT, 3, N)), "b": RNG.normal(size=(COUNT, N))},
    },
}


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def one_expert(e, x):
    up, down = (PARAMS["experts"][name] for name in ("up", "down"))
    return np.tanh(x @ up["w"][e] + up["b"][e]) @ down["w"][e] + down["b"][e]


def by_loops(x, k, places):
    """Give the output of one example, and how many choices found no place."""
    shares = softmax(x @ PARAMS["router"])
    order = np.argsort(-shares, -1)[:, :k]
    y, taken, lost = np.zeros_like(x), np.zeros(COUNT, int), 0
    for choice in range(k):
        for t in range(len(x)):
            e = order[t, choice]
            if taken[e] == places:
                lost += 1
                continue
            taken[e] += 1
            weight = shares[t, e] if k == 1 else shares[t, e] / shares[t, order[t]].sum()
            y[t] += weight * one_expert(e, x[t])
    return y, lost


@pytest.mark.parametrize(
    ("k", "capacity", "places"),
    [(1, None, LENGTH), (3, None, LENGTH), (1, 1.0, 2), (2, 0.75, 3), (2, COUNT / 2, LENGTH)],
)
def test_equals_a_loop_over_positions_and_experts(k, capacity, places):
    net = nn.mixture_of_experts(EXPERT, COUNT, k=k, capacity=capacity)
    with jax.enable_x64(True):
        params, xs = jax.tree.map(jnp.asarray, (PARAMS, XS))
        found, _ = jax.jit(nn.batched(net))(params, {}, xs)
    expected, lost = zip(*(by_loops(x, k, places) for x in XS), strict=True)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert (sum(lost) > 0) == (places < LENGTH)  # these inputs do crowd an expert


def test_place_for_all_gives_the_gradients_of_no_capacity():
    def gradients(net):
        def loss(params, xs):
            (ys, losses), _ = nn.batched(nn.with_losses(net))(params, {}, xs, key=KEY)
            return jnp.sum(jnp.sin(ys)) + jnp.sum(losses["balance"])

        return jax.jit(jax.grad(loss, (0, 1)))(params, xs)

    with jax.enable_x64(True):
        params, xs = jax.tree.map(jnp.asarray, (PARAMS, XS))
        nets = (nn.mixture_of_experts(EXPERT, COUNT, capacity=given) for given in (None, COUNT / 2))
        dense, sparse = map(gradients, nets)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), dense, sparse)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(dense))


def test_the_balance_is_that_of_the_weighted_batch():
    weight = np.array([1.0, 0.0, 2.0])

    @jax.jit
    def run(params, xs, factor):
        net = nn.with_losses(nn.repeat(2, nn.mixture_of_experts(EXPERT, COUNT, k=2, balance=factor)))
        stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), params)
        (_, losses), _ = nn.batched(net)(stacked, {}, xs, key=KEY, weight=weight)
        return losses["balance"]

    with jax.enable_x64(True):
        found = run(*jax.tree.map(jnp.asarray, (PARAMS, XS)), 0.25)
    rows = XS[[0, 2, 2]].reshape(-1, N)
    shares = softmax(rows @ PARAMS["router"])
    load = np.bincount(np.argsort(-shares, -1)[:, :2].ravel(), minlength=COUNT) / (2 * len(rows))
    assert found.shape == (BATCH, 2)  # the same for every example; one for each block
    np.testing.assert_allclose(found[:, 0], 0.25 * COUNT * load @ shares.mean(0), rtol=1e-9)


def test_an_even_load_has_the_least_balance():
    net = nn.with_losses(nn.mixture_of_experts(EXPERT, 4, k=1))
    params, _ = jax.eval_shape(net.init, KEY, jnp.zeros((4, 4)))
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), params) | {"router": 9 * jnp.eye(4)}
    run = jax.jit(lambda xs: nn.batched(net)(params, {}, xs, key=KEY)[0][1]["balance"][0])
    even, one_sided = run(jnp.eye(4)[None]), run(jnp.eye(4)[None, :1].repeat(4, 1))
    np.testing.assert_allclose(even, 0.01, rtol=1e-5)
    assert 0.0399 < one_sided < 0.04


def test_prediction_adds_no_loss_and_needs_no_batch():
    net = nn.with_losses(nn.mixture_of_experts(EXPERT, COUNT))
    params = jax.tree.map(jnp.float32, PARAMS)
    _, losses = jax.eval_shape(net, params, jnp.zeros((LENGTH, N)))
    assert losses == {}


def test_experts_have_their_own_noise_and_keep_their_state():
    expert = nn.chain(nn.dropout(0.5), nn.batch_norm())
    net = nn.mixture_of_experts(expert, 2, k=2, capacity=1.0)

    @jax.jit
    def run():
        params, state = net.init(KEY, jnp.zeros((2, 64)))
        return nn.batched(net)(params, state, jnp.ones((1, 2, 64)), key=KEY)[1]

    one, other = run()["experts"]["batch_norm"]["mean"]
    assert set(np.round(10 * one, 4).tolist()) <= {0.0, 1.0, 2.0} and (one != other).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count is 0, needs a positive integer"),
        ({"k": 0}, "k is 0, needs a positive integer"),
        ({"k": 4}, "k is 4, needs at most the number of experts, 3"),
        ({"capacity": 0}, "capacity is 0, needs a number above zero"),
        ({"capacity": float("nan")}, "capacity is nan, needs a number above zero"),
    ],
)
def test_settings_that_make_no_sense(arguments, message):
    with pytest.raises(nn.LayerError, match=f"mixture_of_experts: {message}"):
        nn.mixture_of_experts(EXPERT, **{"count": 3, **arguments})


def test_inputs_and_experts_of_the_wrong_shape():
    with pytest.raises(nn.LayerError, match=r"mix: has shape \(4,\), needs \(length, n\)"):
        nn.chain(mix=nn.mixture_of_experts(EXPERT, 3)).specs(jnp.zeros(4))
    for capacity, rows in ((None, 6), (1.0, 4)):
        net = nn.mixture_of_experts(nn.flatten, 3, capacity=capacity)
        with pytest.raises(
            nn.LayerError, match=rf"experts gave shape \(3, \d+\) in all, needs \(3, {rows}\)"
        ):
            net.specs(jnp.zeros((6, 2)))
    net = nn.mixture_of_experts(EXPERT, 3, capacity=1.0)
    params = {"router": jnp.zeros((N, 3)), "experts": jax.tree.map(jnp.float32, PARAMS["experts"])}
    with pytest.raises(nn.LayerError, match=r"experts/\S+: has shape \(5, .*\), needs \(3, "):
        jax.eval_shape(net, params, jnp.zeros((LENGTH, N)))
