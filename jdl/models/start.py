"""Weights and biases that begin where the training rows are."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn.layer import Layer, batched, kind

SAMPLE = 16384  # rows that a start looks at, at most
CORNERS = 5  # rows of which a bias is a mixture


def start_from_rows(net: Layer, at: tuple[str, ...] = ()) -> Callable[..., Any]:
    r"""Make ``Recipe.start`` for a network of parts ``features`` and ``body``, a chain with ``nn.ntk_dense``.

    Layer after layer, on the training rows as they come out of the layers before, without dropout:

    * each column of the weights is divided by the spread of its outputs, which then have variance one;
    * each bias is minus a random mixture of ``CORNERS`` of its outputs, the shares uniform on the simplex, so
      that every unit's kink lies among the rows.

    Rows count by their weight, those of weight zero not at all; of a large table, ``SAMPLE`` random rows are
    looked at. ``at`` are the names under which the parameters of ``net`` lie in those of the whole network.

    Source: Holzmüller, Grinsztajn and Steinwart 2024, https://arxiv.org/abs/2407.04491, the biases ("he+5")
    after Steinwart 2019, https://arxiv.org/abs/1903.11482.
    """

    def start(params: Any, state: Any, key: Any, rows: Any, weight: Any) -> tuple[Any, Any]:
        if at:
            inner, _ = start_from_rows(net, at[1:])(params[at[0]], state.get(at[0], {}), key, rows, weight)
            return {**params, at[0]: inner}, state
        few_key, body_key = jax.random.split(key)
        rows, weight = some_rows(few_key, rows, weight)
        x, _ = batched(net.parts["features"])(params.get("features", {}), {}, rows)
        body = started(net.parts["body"], params["body"], state.get("body", {}), body_key, x, weight)
        return {**params, "body": body}, state

    return start


def some_rows(key: Any, rows: Any, weight: Any) -> tuple[Any, Any]:
    """Choose at most ``SAMPLE`` rows of positive weight at random."""
    if len(weight) <= SAMPLE:
        return rows, weight
    draws = jnp.where(weight > 0, jax.random.uniform(key, weight.shape), 2.0)
    chosen = jnp.argsort(draws)[:SAMPLE]
    return jax.tree.map(lambda leaf: leaf[chosen], rows), weight[chosen]


def started(body: Layer, params: Any, state: Any, key: Any, x: Any, weight: Any) -> Any:
    """Give a chain's parameters, each ``nn.ntk_dense`` begun from its inputs; ``x`` ``(n, …)`` enters."""
    params = dict(params)
    for i, (name, part) in enumerate(body.parts.items()):
        own, part_key = params.get(name, {}), jax.random.fold_in(key, i)
        if kind(part) == "ntk_dense":
            index, shares = draw_corners(part_key, weight, own["w"].shape[1])
            params[name], x = dense_from_rows(own, x, weight, index, shares)
        else:
            x, _ = batched(part)(own, state.get(name, {}), x)
    return params


def dense_from_rows(params: Any, x: Any, weight: Any, index: Any, shares: Any) -> tuple[dict[str, Any], Any]:
    """Scale the weights and set the biases of a dense layer by its inputs ``x``; give its outputs too."""
    y = x @ params["w"] * x.shape[1] ** -0.5
    mass = (weight / jnp.sum(weight))[:, None]
    centred = y - jnp.sum(mass * y, 0)
    spread = jnp.sqrt(jnp.sum(mass * centred**2, 0))
    spread = jnp.where(spread > 0, spread, 1.0)  # a unit that sees constants alone stays as it was drawn
    y = y / spread
    b = -jnp.sum(y[index, jnp.arange(y.shape[1])[:, None]] * shares, 1)
    return {"w": params["w"] / spread, "b": b}, y + b


def draw_corners(key: Any, weight: Any, units: int) -> tuple[Any, Any]:
    """Draw for each unit ``CORNERS`` rows by weight, and their shares: ``(units, CORNERS)`` each."""
    row_key, share_key = jax.random.split(key)
    total = jnp.cumsum(weight)
    draws = jax.random.uniform(row_key, (units, CORNERS)) * total[-1]
    index = jnp.minimum(jnp.searchsorted(total, draws, side="right"), jnp.argmax(total))
    shares = jax.random.exponential(share_key, (units, CORNERS))
    return index, shares / jnp.sum(shares, 1, keepdims=True)
