"""Recurrent layers: stacked, in both directions, from a given start; and single cells."""

from functools import partial

import jax.numpy as jnp

from jdl import nn
from tests.outside.torch_modules.layout import run


def params(weights, kind, suffix):
    """Give one layer's weights; torch's two biases are one of ours, but for a GRU's candidate."""
    found = {"w": weights[f"weight_ih{suffix}"].T, "u": weights[f"weight_hh{suffix}"].T}
    if f"bias_ih{suffix}" in weights:
        b, other = weights[f"bias_ih{suffix}"], weights[f"bias_hh{suffix}"]
        if kind == "GRU":
            width = found["u"].shape[0]
            inner = other[2 * width :]
            found["b_n"], other = inner, other.at[2 * width :].set(0.0)
        found["b"] = b + other
    return found


def layer(module, kind):
    bias = {"bias": bool(module.bias)}
    if kind == "RNN":
        return nn.rnn(module.hidden_size, {"tanh": nn.tanh, "relu": nn.relu}[module.nonlinearity], **bias)
    return {"LSTM": nn.lstm, "GRU": nn.gru}[kind](module.hidden_size, **bias)


def sequences(module, weights, x, start=None, *, kind):
    ways = ["", "_reverse"] if module.bidirectional else [""]
    flip = x.ndim == 3 and not module.batch_first
    x = jnp.swapaxes(x, 0, 1) if flip else x
    net = layer(module, kind)
    net = nn.with_carry(nn.bidirectional(net) if module.bidirectional else net)
    ends = []
    for i in range(module.num_layers):
        each = [params(weights, kind, f"_l{i}{way}") for way in ways]
        places = range(len(ways) * i, len(ways) * (i + 1))
        starts = [] if start is None else [start_of(start, place, kind) for place in places]
        if module.bidirectional:
            both = dict(zip(("ahead", "back"), each, strict=True))
            x, carries = run(net, both, x, *([tuple(starts)] if starts else []), axes=2)
            ends += carries
        else:
            x, carry = run(net, each[0], x, *starts, axes=2)
            ends.append(carry)
    x = jnp.swapaxes(x, 0, 1) if flip else x
    if kind == "LSTM":
        return x, tuple(jnp.stack(part) for part in zip(*ends, strict=True))
    return x, jnp.stack(ends)


def start_of(start, i, kind):
    """Give where one layer begins, in one of its directions."""
    return tuple(part[i] for part in start) if kind == "LSTM" else start[i]


def cell(module, weights, x, start, *, kind):
    net = nn.with_carry(layer(module, kind))
    _, carry = net(params(weights, kind, ""), x[None], start)
    return carry


KINDS = ("RNN", "LSTM", "GRU")
TWINS = {f"nn.{kind}": partial(sequences, kind=kind) for kind in KINDS}
TWINS |= {f"nn.{kind}Cell": partial(cell, kind=kind) for kind in KINDS}
