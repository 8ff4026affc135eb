"""What a table's row needs: embeddings of its numbers, its columns as tokens, products of columns."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.linear import embed, positive
from jdl.nn.members import within
from jdl.nn.scope import Scope


@constructor
def linear_embedding(width: int, *, activation: Any = None) -> Layer:
    r"""Embed each number by a line of its own: :math:`y_j = f(x_j w_j + b_j)`.

    Input ``(p,)``, output ``(p, width)``; parameters ``w`` and ``b`` ``(p, width)``, uniform within
    :math:`\pm 1 / \sqrt{\mathrm{width}}`. ``activation`` is a function (default: none).

    Source: Gorishniy, Rubachev and Babenko 2022, https://arxiv.org/abs/2203.05556 (``LinearEmbeddings`` and,
    with ``jax.nn.relu``, ``LinearReLUEmbeddings`` of the package ``rtdl_num_embeddings``).

    Raises:
        LayerError: the input is not a vector; a width below 1.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.linear_embedding(4).init(jax.random.key(0), jnp.zeros(3))
    >>> nn.linear_embedding(4)(params, jnp.zeros(3)).shape
    (3, 4)
    """
    positive("linear_embedding: width", width)

    @layer
    def linear_embedding(my: Scope, x: Any) -> Any:
        _vector(my, x)
        w = my.param("w", (x.size, width), within(width))
        y = x[:, None] * w + my.param("b", (x.size, width), within(width))
        return y if activation is None else activation(y)

    return linear_embedding


@constructor
def piecewise_linear(width: int, *, activation: Any = None, line: bool = True) -> Layer:
    r"""Embed each number by a function of it that is linear within bins:
    :math:`y_j = f(e_j W_j) + x_j v_j + b_j`.

    Inputs: the numbers' places among the bins ``(p, bins)``, :math:`e = (1, …, 1, t, 0, …, 0)` with ``t`` the
    place within its bin, and the numbers :math:`x` ``(p,)`` themselves; output ``(p, width)``. Parameters:
    ``w`` ``(p, bins, width)``, zeros; ``v`` and ``b`` ``(p, width)``, uniform within
    :math:`\pm 1 / \sqrt{\mathrm{width}}`: it begins as a line, and learns to bend. That is version B of the
    package ``rtdl_num_embeddings``. Without ``line`` it is version A, :math:`y_j = f(e_j W_j + b_j)`, which
    takes the places alone, ``w`` and ``b`` uniform within :math:`\pm 1 / \sqrt{\mathrm{bins}}`.
    ``activation`` is a function (default: none).

    Sources: Gorishniy, Rubachev and Babenko 2022, https://arxiv.org/abs/2203.05556; version B: Gorishniy,
    Kotelnikov and Babenko 2025, https://arxiv.org/abs/2410.24210.

    Raises:
        LayerError: inputs of other shapes; a width below 1.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> places, x = jnp.array([[1.0, 0.5], [0.0, 0.0]]), jnp.array([1.2, -0.3])
    >>> params, _ = nn.piecewise_linear(4).init(jax.random.key(0), places, x)
    >>> nn.piecewise_linear(4)(params, places, x).shape, params["w"].shape
    ((2, 4), (2, 2, 4))
    """
    positive("piecewise_linear: width", width)

    @layer
    def piecewise_linear(my: Scope, places: Any, x: Any = None) -> Any:
        given = None if x is None else jnp.shape(x)
        if jnp.ndim(places) != 2 or (line and given != places.shape[:1]):
            found = f"{jnp.shape(places)} and {given}"
            needed = "(p, bins) and (p,)" if line else "(p, bins)"
            raise LayerError(f"{my._where()}: has shapes {found}, needs {needed}")
        p, bins = places.shape
        w = my.param("w", (p, bins, width), inits.zeros if line else within(bins))
        b = my.param("b", (p, width), within(width if line else bins))
        y = jnp.einsum("pb,pbw->pw", places, w)
        bent = lambda y: y if activation is None else activation(y)
        return bent(y) + x[:, None] * my.param("v", (p, width), within(width)) + b if line else bent(y + b)

    return piecewise_linear


@constructor
def feature_tokens(width: int, cardinalities: tuple[int, ...] = ()) -> Layer:
    r"""Make a row's columns tokens, for a transformer, after one of its own (CLS) that is to gather them.

    Inputs: numbers ``(p,)``, codes of categories ``(q,)`` below their ``cardinalities``, and, if there are
    others that are used as they are, ``(f,)``. Output ``(1 + p + q, width)``: the learned ``cls``, a line of
    each number, a vector of each code plus the column's own; the others together are one token more, an
    affine map. p, q and f may be 0.

    Parameters: ``cls`` ``(width,)``, ``w`` and ``b`` ``(p, width)``, ``table/w`` ``(all codes, width)``,
    ``column`` ``(q, width)``, ``flat_w`` ``(f, width)`` and ``flat_b`` ``(width,)``, all uniform within
    :math:`\pm 1 / \sqrt{\mathrm{width}}`, ``flat_w`` within :math:`\pm 1 / \sqrt{f}`.

    Source: Gorishniy, Rubachev, Khrulkov and Babenko 2021, https://arxiv.org/abs/2106.11959, section 3.3
    (``LinearEmbeddings``, ``CategoricalEmbeddings`` of the package ``rtdl_revisiting_models``).

    Raises:
        LayerError: codes that are not one for each of ``cardinalities``; a width below 1.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net, x, codes = nn.feature_tokens(4, (3, 5)), jnp.zeros(6), jnp.array([2, 0])
    >>> params, _ = net.init(jax.random.key(0), x, codes)
    >>> net(params, x, codes).shape, params["table"]["w"].shape
    ((9, 4), (8, 4))
    """
    positive("feature_tokens: width", width)
    near = within(width)
    starts = np.cumsum((0, *cardinalities))
    table = {"table": embed(int(starts[-1]), width, init=near)} if cardinalities else {}

    @layer(**table)
    def feature_tokens(my: Scope, numbers: Any, categories: Any, flat: Any = None) -> Any:
        if jnp.shape(categories) != (len(cardinalities),):
            found, needed = jnp.shape(categories), (len(cardinalities),)
            raise LayerError(f"{my._where()}: codes have shape {found}, needs {needed}: one a cardinality")
        tokens = [my.param("cls", (width,), near)[None]]
        if p := numbers.size:
            w, b = (my.param(name, (p, width), near) for name in "wb")
            tokens.append(numbers[:, None] * w + b)
        if cardinalities:
            column = my.param("column", (len(cardinalities), width), near)
            tokens.append(my.table(categories + starts[:-1]) + column)
        if flat is not None and flat.size:
            w = my.param("flat_w", (flat.size, width), within(flat.size))
            tokens.append((flat @ w + my.param("flat_b", (width,), near))[None])
        return jnp.concatenate(tokens)

    return feature_tokens


@constructor
def cross(*, rank: int | None = None, bias: bool = True, init: Any = None) -> Layer:
    r"""Multiply a row's columns with one another: :math:`y = x_0 \odot (x W + b) + x`.

    Inputs: ``(n,)``, what the layer before made, and ``(n,)``, the row itself (default: the same); output
    ``(n,)``. One layer gives products of two columns, each layer after it one degree more:
    ``nn.repeat(3, nn.cross())(x, x)``. Parameters ``w`` ``(n, n)``, drawn by ``init`` (default
    ``init.lecun_normal()``), and ``b`` ``(n,)``, zeros. With ``rank`` the matrix is one of low rank,
    :math:`W = U V`, with ``u`` ``(n, rank)`` and ``v`` ``(rank, n)`` in place of ``w``.

    Source: DCN-v2, Wang et al. 2020, https://arxiv.org/abs/2008.13535, equations 1 and 2.

    Raises:
        LayerError: inputs of different shapes, or that are not vectors; a rank below 1.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> params = {"w": jnp.array([[0.0, 1.0], [0.0, 0.0]]), "b": jnp.zeros(2)}
    >>> print(nn.cross()(params, jnp.array([2.0, 3.0])))  # the second column times the first, added
    [2. 9.]
    """
    if rank is not None:
        positive("cross: rank", rank)
    draw = init or inits.lecun_normal()

    @layer
    def cross(my: Scope, x: Any, x0: Any = None) -> Any:
        x0 = x if x0 is None else x0
        _vector(my, x)
        if jnp.shape(x0) != x.shape:
            raise LayerError(f"{my._where()}: has shapes {x.shape} and {jnp.shape(x0)}, needs one shape (n,)")
        n = x.size
        if rank is None:
            y = x @ my.param("w", (n, n), draw)
        else:
            y = x @ my.param("u", (n, rank), draw) @ my.param("v", (rank, n), draw)
        return x0 * (y + my.param("b", (n,), inits.zeros) if bias else y) + x

    return cross


def _vector(my: Scope, x: Any) -> None:
    if jnp.ndim(x) != 1:
        raise LayerError(f"{my._where()}: has shape {jnp.shape(x)}, needs (n,): one number a column")
