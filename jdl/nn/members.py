"""Dense layers of an ensemble's members: each with its own weights, or all with one matrix in common."""

from typing import Any

import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.linear import last_axis, positive
from jdl.nn.product import rows_by_matrix, shared
from jdl.nn.scope import Scope


@constructor
def batch_ensemble(
    width: int, members: int, *, bias: bool = True, r: Any = None, s: Any = None, init: Any = None
) -> Layer:
    r"""Affine maps of an ensemble's members, which differ by elementwise factors alone:
    :math:`y_i = s_i \odot ((r_i \odot x_i) W) + b_i`.

    Input ``(members, n)``, one vector a member, or ``(n,)``, the same for all; output ``(members, width)``.
    Parameters: ``w`` ``(n, width)``, shared, drawn by ``init`` (default uniform within
    :math:`\pm 1 / \sqrt{n}`); ``r`` ``(members, n)`` and ``s`` ``(members, width)``, drawn by ``r`` and ``s``
    (default ``init.random_signs``); with ``bias`` ``b`` ``(members, width)``, drawn within the same bounds
    once for all members. All members of all examples of a batch are the rows of one matrix product. Keyword
    input ``chunks``, the lengths of parts of ``n`` such as the columns' embeddings: each begins with one
    factor in ``r``, so that it is scaled as a whole.

    Sources: Wen, Tran and Ba 2020, https://arxiv.org/abs/2002.06715, equation 5; Gorishniy, Kotelnikov and
    Babenko 2025, https://arxiv.org/abs/2410.24210, for the beginning (``LinearBatchEnsemble`` of the package
    ``tabm``).

    Raises:
        LayerError: an input of another shape; a width or a number of members below 1.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.batch_ensemble(4, 3, s=nn.init.ones)
    >>> params, _ = net.init(jax.random.key(0), jnp.ones(2))
    >>> net(params, jnp.ones(2)).shape, params["w"].shape, params["r"].shape
    ((3, 4), (2, 4), (3, 2))
    """
    positive("batch_ensemble: width", width)
    positive("batch_ensemble: members", members)

    @layer
    def batch_ensemble(my: Scope, x: Any, *, chunks: tuple[int, ...] | None = None) -> Any:
        if jnp.ndim(x) not in (1, 2) or x.shape[:-1] not in ((), (members,)):
            raise LayerError(f"{my._where()}: has shape {jnp.shape(x)}, needs ({members}, n) or (n,)")
        n = last_axis(my, x)
        narrow = within(n)
        w = my.param("w", (n, width), init or narrow)
        x = x * my.param("r", (members, n), by_chunk(r or inits.random_signs, chunks))
        y = shared(my, rows_by_matrix, x, w) * my.param("s", (members, width), s or inits.random_signs)
        alike = inits.chunked(narrow, (members,), axis=0)
        return y + my.param("b", (members, width), alike) if bias else y

    return batch_ensemble


@constructor
def linear_ensemble(width: int, *, bias: bool = True, init: Any = None) -> Layer:
    r"""Affine maps of an ensemble's members, each with its own weights: :math:`y_i = x_i W_i + b_i`.

    Input ``(members, n)``, output ``(members, width)``; parameters ``w`` ``(members, n, width)`` and, with
    ``bias``, ``b`` ``(members, width)``, drawn by ``init`` (default uniform within :math:`\pm 1 / \sqrt{n}`).

    Source: ``LinearEnsemble`` of the package ``tabm``, https://arxiv.org/abs/2410.24210.

    Raises:
        LayerError: an input that is not ``(members, n)``; a width below 1.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.linear_ensemble(4).init(jax.random.key(0), jnp.ones((3, 2)))
    >>> nn.linear_ensemble(4)(params, jnp.ones((3, 2))).shape, params["w"].shape
    ((3, 4), (3, 2, 4))
    """
    positive("linear_ensemble: width", width)

    @layer
    def linear_ensemble(my: Scope, x: Any) -> Any:
        if jnp.ndim(x) != 2:
            raise LayerError(f"{my._where()}: has shape {jnp.shape(x)}, needs (members, n)")
        members, n = x.shape
        w = my.param("w", (members, n, width), init or within(n))
        y = jnp.einsum("kn,knm->km", x, w)
        return y + my.param("b", (members, width), within(n)) if bias else y

    return linear_ensemble


def by_chunk(init: Any, chunks: tuple[int, ...] | None) -> Any:
    """Draw one value for each chunk of the last axis; without chunks, as ``init`` does."""
    return init if chunks is None else inits.chunked(init, tuple(chunks))


def within(n: int) -> inits.Initializer:
    r"""Draw uniformly within :math:`\pm 1 / \sqrt{n}`: PyTorch's default for n inputs."""
    bound = max(n, 1) ** -0.5
    return inits.uniform(-bound, bound)
