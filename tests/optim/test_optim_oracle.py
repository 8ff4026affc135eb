"""Optimizers and schedules against PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jdl import optim
from tests.optim.problem import CENTRE, PARAMS, train


def train_torch(make, steps=20):
    leaves = [torch.nn.Parameter(torch.tensor(p)) for p in jax.tree.leaves(PARAMS)]
    optimizer = make(leaves)
    for _ in range(steps):
        for p, c in zip(leaves, jax.tree.leaves(CENTRE), strict=True):
            difference = p.detach() - torch.tensor(c)
            p.grad = torch.sin(3.0 * difference) + difference
        optimizer.step()
    return jax.tree.unflatten(jax.tree.structure(PARAMS), [p.detach().numpy() for p in leaves])


def assert_close(found, expected, rtol=1e-5, atol=1e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), found, expected)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (optim.gradient_descent(0.1), lambda p: torch.optim.SGD(p, 0.1)),
        (optim.sgd(0.05, 0.9), lambda p: torch.optim.SGD(p, 0.05, momentum=0.9)),
        (optim.sgd(0.05, 0.9, nesterov=True), lambda p: torch.optim.SGD(p, 0.05, 0.9, nesterov=True)),
        (
            optim.adamw(0.02, 0.8, 0.95, 1e-3, 0.1),
            lambda p: torch.optim.AdamW(p, 0.02, (0.8, 0.95), 1e-3, weight_decay=0.1),
        ),
        (optim.adamw(0.02, weight_decay=0.0), lambda p: torch.optim.Adam(p, 0.02)),
        (optim.rmsprop(0.02, 0.9, 1e-3), lambda p: torch.optim.RMSprop(p, 0.02, 0.9, 1e-3)),
        (optim.rmsprop(0.02, momentum=0.8), lambda p: torch.optim.RMSprop(p, 0.02, momentum=0.8)),
        (optim.adagrad(0.1), lambda p: torch.optim.Adagrad(p, 0.1)),
        (optim.radam(0.02, b2=0.99), lambda p: torch.optim.RAdam(p, 0.02, (0.9, 0.99))),
    ],
    ids=[
        "gradient_descent",
        "momentum",
        "nesterov",
        "adamw",
        "adam",
        "rmsprop",
        "rmsprop_momentum",
        "adagrad",
        "radam",
    ],
)
def test_optimizers_equal_torch(ours, theirs):
    assert_close(train(ours), train_torch(theirs))


def torch_rates(make, steps):
    """The learning rates of a schedule of torch, from a base of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], 1.0)
    schedule, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return np.array(rates)


def test_schedules_equal_torch():
    lr, steps = torch.optim.lr_scheduler, jnp.arange(100)
    restarts = lambda first, factor: lambda o: lr.CosineAnnealingWarmRestarts(o, first, factor, eta_min=0.1)
    for ours, theirs in [
        (optim.cosine_restarts(1.0, 10, end=0.1), restarts(10, 2)),
        (optim.cosine_restarts(1.0, 7, factor=1.0, end=0.1), restarts(7, 1)),
        (optim.cosine_restarts(1.0, 3, factor=3.0, end=0.1), restarts(3, 3)),
        (optim.one_cycle(1.0, 99), lambda o: lr.OneCycleLR(o, 1.0, 100, pct_start=30.7 / 100)),
        (optim.polynomial(1.0, 0.0, 60, power=3.0), lambda o: lr.PolynomialLR(o, 60, 3.0)),
    ]:
        found = jax.jit(jax.vmap(ours))(steps)
        np.testing.assert_allclose(found, torch_rates(theirs, 100), rtol=1e-5, atol=1e-6)
