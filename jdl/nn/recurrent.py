"""Recurrent layers over one sequence ``(length, n)``: plain, LSTM, GRU; both ways; with their last state."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.carry import (
    CARRIED,
    Recurrent,
    begin,
    check_sequence,
    recurrent,
    time_first,
)
from jdl.nn.constructor import constructor
from jdl.nn.init import Initializer
from jdl.nn.layer import Layer, LayerError
from jdl.nn.linear import positive
from jdl.nn.product import shared
from jdl.nn.recur import GRU, LSTM, Carry, Cell, plain, product, recur
from jdl.nn.scope import Scope


@constructor
def rnn(
    width: int,
    activation: Callable[[Any], Any] = jnp.tanh,
    *,
    bias: bool = True,
    init: Any = None,
    recurrent_init: Any = None,
) -> Layer:
    r"""Plain recurrent network (Elman): :math:`h_t = \phi(x_t W + h_{t-1} U + b)`.

    Input ``(length, n)``, output ``(length, width)``: :math:`h_t` at every position. A second input is
    :math:`h_0` ``(width,)``, zeros unless given. Keyword input ``length``, an integer: the positions from
    there on are padding, which reaches nothing; the state stays as it is and the outputs are zeros.
    ``with_carry`` gives the last state too, which is also what a decoding cache keeps (``h``).
    Parameters ``w`` ``(n, width)``, drawn by ``init`` (default ``init.lecun_normal()``); ``u``
    ``(width, width)``, by ``recurrent_init`` (default: orthogonal); ``b`` ``(width,)``, zeros, the sum of
    PyTorch's two. ``activation`` acts on each element. The state is float32 or wider.

    Source: Elman 1990, https://doi.org/10.1207/s15516709cog1402_1.

    Raises:
        LayerError: the input is not ``(length, n)``; a start of another shape, or beside a cache; a
            ``length`` that is not one integer; a width that is not a positive integer, or an activation that
            is no plain function.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params = {"w": jnp.ones((1, 1)), "u": jnp.ones((1, 1)), "b": jnp.zeros(1)}
    >>> jax.jit(nn.rnn(1, nn.identity))(params, jnp.ones((4, 1)), length=3).ravel().tolist()
    [1.0, 2.0, 3.0, 0.0]
    """
    if isinstance(activation, Layer) or not callable(activation):
        raise LayerError(f"rnn: the activation is {activation!r}, needs a plain function of each element")
    return _layer("rnn", plain(activation), width, bias, init, recurrent_init)


@constructor
def lstm(width: int, *, bias: bool = True, init: Any = None, recurrent_init: Any = None) -> Layer:
    r"""Long short-term memory: :math:`c_t = f_t c_{t-1} + i_t g_t`, :math:`h_t = o_t \tanh c_t`.

    .. math:: (i_t, f_t, g_t, o_t) = (\sigma, \sigma, \tanh, \sigma)(x_t W + h_{t-1} U + b)

    Inputs, output and options as in ``rnn``; the state, and so the second input, is ``(h, c)``, each
    ``(width,)``. Parameters ``w`` ``(n, 4 * width)``, ``u`` ``(width, 4 * width)`` and ``b``
    ``(4 * width,)``, in the order of the gates above, which is PyTorch's; ``u`` begins orthogonal in each
    gate, ``b`` as zeros, but ones at the forget gate (Jozefowicz, Zaremba and Sutskever 2015).

    Source: Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735; the forget gate:
    Gers, Schmidhuber and Cummins 2000, https://doi.org/10.1162/089976600300015015.

    Raises:
        LayerError: as in ``rnn``.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.chain(nn.lstm(4), nn.lstm(4), nn.last, nn.dense(2))
    >>> params, _ = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((5, 3)))
    >>> params["lstm"]["w"].shape, jax.eval_shape(net, params, jnp.zeros((5, 3)), length=3).shape
    ((3, 16), (2,))
    """
    return _layer("lstm", LSTM, width, bias, init, recurrent_init)


@constructor
def gru(width: int, *, bias: bool = True, init: Any = None, recurrent_init: Any = None) -> Layer:
    r"""Gated recurrent unit: :math:`h_t = (1 - z_t)\, n_t + z_t h_{t-1}`.

    .. math:: (r_t, z_t) = \sigma(x_t W_{rz} + h_{t-1} U_{rz} + b_{rz}), \quad
        n_t = \tanh(x_t W_n + b_n + r_t (h_{t-1} U_n + b'_n))

    Inputs, output and options as in ``rnn``. Parameters ``w`` ``(n, 3 * width)``, ``u``
    ``(width, 3 * width)`` and ``b`` ``(3 * width,)``, in the order r, z, n, which is PyTorch's; ``b_n``
    ``(width,)`` is the candidate's :math:`b'_n`. The reset gate acts after the product, as in cuDNN,
    PyTorch and Flax; the paper has it before.

    Source: Cho et al. 2014, https://arxiv.org/abs/1406.1078.

    Raises:
        LayerError: as in ``rnn``.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = jax.eval_shape(nn.gru(4).init, jax.random.key(0), jnp.zeros((5, 3)))
    >>> jax.tree.map(jnp.shape, params)
    {'b': (12,), 'b_n': (4,), 'u': (4, 12), 'w': (3, 12)}
    """
    return _layer("gru", GRU, width, bias, init, recurrent_init)


@constructor
def with_carry(part: Any) -> Layer:
    """Give ``(outputs, carry)``: also the state in which a recurrent layer ends, for its second input.

    The state is ``h`` of ``rnn`` and ``gru``, ``(h, c)`` of ``lstm``, and a pair of these for
    ``bidirectional``; with ``length`` that after the last real position.

    Raises:
        LayerError: a part that carries nothing.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = jax.jit(nn.with_carry(nn.rnn(1, nn.identity)))
    >>> params = {"w": jnp.ones((1, 1)), "u": jnp.ones((1, 1)), "b": jnp.zeros(1)}
    >>> y, h = net(params, jnp.ones((3, 1)))
    >>> net(params, jnp.ones((3, 1)), h)[0].ravel().tolist()
    [4.0, 5.0, 6.0]
    """
    part, forward = recurrent(part, "with_carry")
    return Layer(forward.run, name="with_carry", parts=part.parts, inputs=part.inputs)


@constructor
def bidirectional(part: Any, backward: Any = None) -> Layer:
    """Run a recurrent layer forwards and one backwards, and join their outputs: ``(length, 2 * width)``.

    The second is of the same kind as the first unless given as ``backward``; it begins at the last position,
    or with ``length`` at the last real one. A second input is the pair of their starts. Parameters:
    ``ahead/…`` and ``back/…``.

    Source: Schuster and Paliwal 1997, https://doi.org/10.1109/78.650093.

    Raises:
        LayerError: a part that carries nothing; a decoding cache, for the last position comes first.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.bidirectional(nn.lstm(4))
    >>> params, _ = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((5, 3)))
    >>> sorted(params), jax.eval_shape(net, params, jnp.zeros((5, 3))).shape
    (['ahead', 'back'], (5, 8))
    """
    first, forward = recurrent(part, "bidirectional")
    second, other = recurrent(part if backward is None else backward, "bidirectional")
    if not (forward.reversible and other.reversible):
        raise LayerError("bidirectional: found a layer that runs both ways already, needs one that does not")
    against = Layer(partial(other.run, reverse=True), name=second.name, inputs=second.inputs)

    def run(my: Scope, x: Any, start: Any = None, *, length: Any = None) -> tuple[Any, Any]:
        starts = (None, None) if start is None else start
        if not isinstance(starts, tuple | list) or len(starts) != 2:
            raise LayerError(f"{my._where()}: the start is no pair, needs the first's and the second's")
        ahead, first = my.ahead(x, starts[0], length=length)
        back, second = my.back(x, starts[1], length=length)
        return jnp.concatenate([ahead, back], -1), (first, second)

    parts = {"ahead": with_carry(first), "back": against}
    forward = Recurrent(run, reversible=False)
    return Layer(forward, name="bidirectional", parts=parts, inputs=frozenset({"length"}))


def last(x: Any, *, length: Any = None) -> Any:
    """Give the last position of a sequence; with ``length`` the last real one, and zeros where there is none.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.last(jnp.arange(6.0).reshape(3, 2), length=2).tolist()
    [2.0, 3.0]
    """
    x = jnp.asarray(x)
    i = (len(x) if length is None else jnp.minimum(length, len(x))) - 1
    return x.at[i].get(mode="fill", fill_value=0, wrap_negative_indices=False)


def _layer(name: str, cell: Cell, width: int, bias: bool, init: Any, recurrent_init: Any) -> Layer:
    positive(f"{name}: width", width)
    init, recurrent_init = init or inits.lecun_normal(), recurrent_init or orthogonal_blocks(cell.blocks)

    def run(
        my: Scope, x: Any, start: Any = None, *, length: Any = None, reverse: bool = False
    ) -> tuple[Any, Any]:
        check_sequence(my, x, length)
        size = cell.blocks * width
        w = my.param("w", (x.shape[-1], size), init)
        weights = (w, my.param("u", (width, size), recurrent_init), *_biases(my, cell, width, bias))
        dtype = jnp.result_type(x, w)
        wide = jnp.promote_types(dtype, jnp.float32)
        carry = begin(my, cell.carried, width, wide, start, reverse)
        sequence = {"x": x, "start": carry} | ({} if length is None else {"length": length})
        y, carry = shared(my, partial(_sequences, cell, reverse, wide), sequence, weights)
        my.store(**dict(zip(CARRIED, carry, strict=False)))
        return y.astype(dtype), carry if cell.carried > 1 else carry[0]

    return Layer(Recurrent(run), name=name, inputs=frozenset({"length"}))


def _biases(my: Scope, cell: Cell, width: int, bias: bool) -> tuple[Any, Any]:
    """Give what is added to the input's part of the pre-activations, and to the carry's."""
    nothing = jnp.zeros(())
    if not bias:
        return nothing, nothing
    size = cell.blocks * width
    if cell is LSTM:
        return nothing, my.param("b", (size,), ones_in_block(1, 4))
    b = my.param("b", (size,), inits.zeros)
    if cell is GRU:
        return b, jnp.pad(my.param("b_n", (width,), inits.zeros), (2 * width, 0))
    return nothing, b


def _sequences(cell: Cell, reverse: bool, wide: Any, batch: Any, weights: tuple) -> tuple[Any, Carry]:
    """Run a cell over a batch of sequences, after one product of all positions with the input's weights."""
    w, u, b, r = weights
    x, live = time_first(batch)
    x = (product(x, w, wide) + b).astype(wide)
    y, carry = recur(cell, reverse, x, u, r.astype(wide), batch["start"], live)
    y = y if live is None else jnp.where(live, y, 0)
    return jnp.swapaxes(y, 0, 1), carry


@constructor
def orthogonal_blocks(blocks: int) -> Initializer:
    """Draw an orthogonal square for each block of columns (Saxe, McClelland and Ganguli 2014)."""

    def draw(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        squares = jax.random.orthogonal(key, shape[0], (blocks,), dtype)
        return jnp.swapaxes(squares, 0, 1).reshape(shape)

    return Initializer(draw, "orthogonal_blocks")


@constructor
def ones_in_block(block: int, blocks: int) -> Initializer:
    """Fill one of ``blocks`` equal blocks with ones, and the others with zeros."""

    def draw(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        return jnp.repeat((jnp.arange(blocks) == block).astype(dtype), shape[0] // blocks)

    return Initializer(draw, "ones_in_block")
