"""Mixture of experts: each position goes through a few of many networks."""

from math import ceil
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.carry import sequence
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, as_layer, layer
from jdl.nn.linear import positive
from jdl.nn.product import rows_by_matrix, shared
from jdl.nn.scope import Scope
from jdl.nn.spec import wide
from jdl.nn.transform import ensemble, members


@constructor
def mixture_of_experts(
    expert: Any, count: int, *, k: int = 2, capacity: float | None = None, balance: Any = 0.01
) -> Layer:
    r"""Send each position through the ``k`` of ``count`` experts that a router chooses for it.

    .. math:: y_t = \sum_{e \in \mathrm{top}_k(r_t)} g_{te}\, f_e(x_t), \quad r_t = x_t W

    Input ``(length, n)``, output what the expert makes of it. ``expert`` is any layer that treats the rows of
    a ``(rows, n)`` input alike and apart, such as ``nn.feed_forward()``. The weights :math:`g_t` are the
    softmax of the chosen scores; with ``k = 1``, where that would be always one, they are the chosen score's
    share in the softmax of all, so that the router learns. Scores are computed in float32.

    Without a capacity every expert sees every position and nothing is lost, at the cost of ``count`` experts
    a position. With one, each expert takes at most ``ceil(capacity * k * length / count)`` positions of an
    example: first choices before second ones, and among these the earlier positions. A choice that finds
    no place adds zero to the output. A capacity of at least ``count / k`` has place for all.

    In a stochastic pass the layer adds the loss ``balance``, the factor ``balance`` (which may be traced)
    times :math:`\mathrm{count} \sum_e F_e P_e`, where over the positions of the batch :math:`F_e` is the
    share of choices that fall on an expert and :math:`P_e` its mean share in the softmax of all: at least the
    factor, reached when the load is even. Parameters: ``router`` ``(n, count)``, float32, and the expert's
    below ``experts``, stacked on a leading axis of ``count``.

    Sources: Shazeer et al. 2017, https://arxiv.org/abs/1701.06538; Lepikhin et al. 2020 (capacity),
    https://arxiv.org/abs/2006.16668; Fedus, Zoph and Shazeer 2021 (``k = 1``, balance),
    https://arxiv.org/abs/2101.03961.

    Raises:
        LayerError: the input is not ``(length, n)``; a ``k`` beyond ``count``; a capacity that is not
            positive; an expert that changes the number of rows.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.mixture_of_experts(nn.feed_forward(16), 4)
    >>> params, _ = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((5, 3)))
    >>> params["experts"]["up"]["w"].shape, jax.eval_shape(net, params, jnp.zeros((5, 3))).shape
    ((4, 3, 16), (5, 3))
    """
    expert = as_layer(expert)
    positive("mixture_of_experts: count", count)
    positive("mixture_of_experts: k", k)
    if k > count:
        raise LayerError(f"mixture_of_experts: k is {k}, needs at most the number of experts, {count}")
    if capacity is not None and not capacity > 0:
        raise LayerError(f"mixture_of_experts: capacity is {capacity}, needs a number above zero")

    experts = ensemble(expert, count) if capacity is None else _apart(expert, count)

    @layer(experts=experts)
    def mixture_of_experts(my: Scope, x: Any) -> Any:
        _, n = sequence(my, x)
        w = my.param("router", (n, count), inits.lecun_normal(), jnp.float32)
        scores = shared(my, rows_by_matrix, wide(x), w)
        shares = jax.nn.softmax(scores)
        best, choices = jax.lax.top_k(scores if k > 1 else shares, k)
        weights = jax.nn.softmax(best) if k > 1 else best
        chosen = jax.nn.one_hot(choices, count, dtype=weights.dtype)
        if my.stochastic:
            load, share = my.batch_mean(jnp.mean(chosen, (0, 1))), my.batch_mean(jnp.mean(shares, 0))
            my.loss("balance", balance * count * jnp.sum(load * share))
        if capacity is None:
            y = _checked(my, my.experts(x), (count, len(x)))
            return jnp.einsum("tk,tke,etm->tm", weights.astype(y.dtype), chosen.astype(y.dtype), y)
        places = min(len(x), ceil(capacity * k * len(x) / count))
        seats = _seats(choices, chosen, places)
        guests = jnp.full(count * places, len(x)).at[seats].set(jnp.arange(len(x))[:, None], mode="drop")
        rows = x.at[guests].get(mode="fill", fill_value=0).reshape(count, places, -1)
        y = _checked(my, my.experts(rows), (count, places))
        found = y.reshape(count * places, -1).at[seats].get(mode="fill", fill_value=0)
        return jnp.einsum("tk,tkm->tm", weights.astype(y.dtype), found)

    return mixture_of_experts


def _seats(choices: Any, chosen: Any, places: int) -> Any:
    """Give each choice ``(length, k)`` its place among those of all experts; past the end where none is left.

    Places go to first choices before second ones, and among these to earlier positions.
    """
    length, k, count = chosen.shape
    in_turn = jnp.swapaxes(chosen, 0, 1).reshape(k * length, count).astype(jnp.int32)
    turn = jnp.sum(in_turn * (jnp.cumsum(in_turn, 0) - 1), -1).reshape(k, length).T
    return jnp.where(turn < places, choices * places + turn, count * places)


def _apart(expert: Layer, count: int) -> Layer:
    """Run ``count`` experts, each on rows of its own: ``(count, rows, n)``; see ``nn.ensemble``."""

    def forward(my: Scope, rows: Any) -> Any:
        return members(my, expert, count, (rows,), {}, axis=0)

    return Layer(forward, name="experts", parts=expert.parts)


def _checked(my: Scope, y: Any, needed: tuple[int, int]) -> Any:
    if jnp.ndim(y) != 3 or y.shape[:2] != needed:
        raise LayerError(
            f"{my._where()}: the experts gave shape {jnp.shape(y)} in all, needs {needed} and a last axis"
        )
    return y
