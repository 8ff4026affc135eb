"""Recurrent layers against torch, in float64: padded sequences, starts, last states, both ways, stacked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from jdl import nn

RNG = np.random.default_rng(0)
BATCH, LENGTH, N, WIDTH = 4, 5, 3, 2
LENGTHS = np.array([3, 5, 1, 4])


def normal(*shape):
    return RNG.normal(size=shape)


LAYERS = {
    "rnn": (nn.rnn, torch.nn.RNN),
    "rnn of relu": (
        lambda width: nn.rnn(width, nn.relu),
        lambda *args, **kw: torch.nn.RNN(*args, nonlinearity="relu", **kw),
    ),
    "lstm": (nn.lstm, torch.nn.LSTM),
    "gru": (nn.gru, torch.nn.GRU),
}


def params_of(module, read, suffix="l0"):
    """Give torch's weights, or with ``read`` their gradients, as ours."""
    w, u, b_w, b_u = (
        read(getattr(module, f"{name}_{suffix}")).T
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    if isinstance(module, torch.nn.GRU):
        rz = 2 * module.hidden_size
        return {"w": w, "u": u, "b": b_w + np.append(b_u[:rz], 0 * b_u[rz:]), "b_n": b_u[rz:]}
    return {"w": w, "u": u, "b": b_w + b_u}


def gradients_of(module, suffix="l0"):
    """Give torch's gradients as ours: what both biases have in common is the gradient of their sum."""
    grads = params_of(module, lambda leaf: leaf.grad.numpy(), suffix)
    return grads | {"b": getattr(module, f"bias_ih_{suffix}").grad.numpy()}


def values_of(module, suffix="l0"):
    return params_of(module, lambda leaf: leaf.detach().numpy(), suffix)


def close(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9), found, expected)


def run_torch(module, x, *start):
    """Give outputs, the last state and a function from their cotangents to the inputs' gradients."""
    leaves = [torch.tensor(leaf, requires_grad=True) for leaf in (x, *start)]
    packed = pack_padded_sequence(leaves[0], torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    given = [] if not start else [leaves[1] if len(start) == 1 else tuple(leaves[1:])]
    y, last = module(packed, *given)
    y, _ = pad_packed_sequence(y, batch_first=True, total_length=LENGTH)
    outputs = [y, *(last if isinstance(last, tuple) else [last])]

    def back(cotangents):
        torch.autograd.backward(outputs, [torch.tensor(each) for each in cotangents])
        return [leaf.grad.numpy() for leaf in leaves]

    return [each.detach().numpy() for each in outputs], back


@pytest.mark.parametrize("name", LAYERS)
def test_padded_sequences_with_a_start_equal_torchs_packed_ones(name):
    ours, theirs = LAYERS[name]
    torch.manual_seed(0)
    module = theirs(N, WIDTH, batch_first=True, dtype=torch.float64)
    count = 2 if name == "lstm" else 1
    x, start = normal(BATCH, LENGTH, N), [normal(1, BATCH, WIDTH) for _ in range(count)]
    expected, back = run_torch(module, x, *start)
    cotangents = [normal(*each.shape) for each in expected]
    dx, *dstart = back(cotangents)
    net = nn.with_carry(ours(WIDTH))

    def run(params, x, start):
        given = tuple(start) if count == 2 else start[0]
        y, last = nn.batched(net)(params, {}, x, given, length=LENGTHS)[0]
        return [y, *(last if count == 2 else [last])]

    with jax.enable_x64(True):

        @jax.jit
        def both(params, x, start, cotangents):
            y, back = jax.vjp(run, params, x, start)
            return y, back(cotangents)

        drop = lambda leaves: [leaf[0] for leaf in leaves]
        y, gradients = both(values_of(module), x, drop(start), [cotangents[0], *drop(cotangents[1:])])
        close(y, [expected[0], *drop(expected[1:])])
        close(gradients, (gradients_of(module), dx, drop(dstart)))


def test_two_layers_both_ways_equal_torchs():
    torch.manual_seed(1)
    module = torch.nn.LSTM(N, WIDTH, num_layers=2, bidirectional=True, batch_first=True, dtype=torch.float64)
    x = normal(BATCH, LENGTH, N)
    (expected, *_), back = run_torch(module, x)
    cotangent = normal(*expected.shape)
    (dx,) = back([cotangent, *[np.zeros((4, BATCH, WIDTH))] * 2])
    net = nn.chain(nn.bidirectional(nn.lstm(WIDTH)), nn.bidirectional(nn.lstm(WIDTH)))

    def ours(read):
        layer = lambda i: {"ahead": read(module, f"l{i}"), "back": read(module, f"l{i}_reverse")}
        return {"bidirectional": layer(0), "bidirectional_1": layer(1)}

    with jax.enable_x64(True):

        @jax.jit
        def both(params, x):
            y, back = jax.vjp(lambda params, x: nn.batched(net)(params, {}, x, length=LENGTHS)[0], params, x)
            return y, back(cotangent)

        y, gradients = both(ours(values_of), jnp.asarray(x))
        close(y, expected)
        close(gradients, (ours(gradients_of), dx))
