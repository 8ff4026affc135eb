"""Blocks of transformers: attention and a feed-forward network, each on a residual branch."""

from collections.abc import Callable
from typing import Any

import jax

from jdl.nn.attention import attention, dropping, projection
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, layer
from jdl.nn.linear import last_axis, positive
from jdl.nn.norm import layer_norm
from jdl.nn.scope import Scope


@constructor
def feed_forward(
    hidden: int | None = None,
    *,
    activation: Any = jax.nn.gelu,
    dropout: Any = 0.0,
    bias: bool = True,
    init: Any = None,
) -> Layer:
    r"""Two affine maps of each position and what lies between: :math:`y = W_2 f(W_1 x + b_1) + b_2`.

    Input and output ``(…, n)``; ``hidden`` (default ``4 n``) is the width after the first map. The activation
    may be a gated one, which halves that: ``hidden`` then counts the values and their gates together.
    ``dropout``, which may be traced, is the rate after the activation. Parameters ``up/w`` ``(n, hidden)``,
    ``down/w`` ``(hidden, n)`` (half as many rows where it is gated) and, with ``bias``, their ``b``.

    Sources: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Shazeer 2020 (gated),
    https://arxiv.org/abs/2002.05202.

    Raises:
        LayerError: the input is a scalar; a ``hidden`` that is not a positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.feed_forward(activation=jax.nn.glu)
    >>> params, _ = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((3, 2)))
    >>> params["up"]["w"].shape, params["down"]["w"].shape
    ((2, 8), (4, 2))
    """
    if hidden is not None:
        positive("feed_forward: hidden", hidden)
    project, drops = projection(bias, init), dropping(dropout)

    @layer(up=project, activation=activation, down=project, **drops)
    def feed_forward(my: Scope, x: Any) -> Any:
        n = last_axis(my, x)
        y = my.activation(my.up(x, width=hidden or 4 * n))
        return my.down(my.drop(y) if drops else y, width=n)

    return feed_forward


@constructor
def encoder_block(
    heads: int,
    feed_forward: Any = None,
    *,
    dropout: Any = 0.0,
    norm: Any = None,
    post_norm: bool = False,
    **options: Any,
) -> Layer:
    r"""Attention, then a feed-forward network, each added to its input: one block of an encoder.

    .. math:: x \leftarrow x + \mathrm{attention}(\mathrm{norm}_1(x)), \quad
        x \leftarrow x + \mathrm{feed\_forward}(\mathrm{norm}_2(x))

    Input and output ``(length, n)``; keyword input ``mask`` as in ``nn.attention``, which also gets
    ``options``: ``kv_heads``, ``window``, ``rotary``, ``alibi``, ``bias``, ``init``. ``feed_forward`` is any
    layer (default ``nn.feed_forward(dropout=dropout)``, four times as wide), ``norm`` too (default
    ``nn.layer_norm()``); each use has its own parameters. ``dropout``, which may be traced, is the rate for
    attention weights and for both branches. After the last block of a network normalise once more.

    With ``post_norm`` the sum is normalised instead, :math:`x \leftarrow \mathrm{norm}(x + f(x))`, as in the
    first transformer: that trains deep networks only with a warm-up of the learning rate.

    Sources: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Xiong et al. 2020 (where to normalise),
    https://arxiv.org/abs/2002.04745.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.repeat(3, nn.encoder_block(2, nn.feed_forward(16)))
    >>> params, _ = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((5, 4)))
    >>> sorted(params), params["feed_forward"]["up"]["w"].shape
    (['attention', 'feed_forward', 'norm1', 'norm2'], (3, 4, 16))
    """
    norm, ahead, drops = norm or layer_norm(), _ahead(feed_forward, dropout), dropping(dropout)
    add = _then_norm if post_norm else _norm_first

    @layer(
        norm1=norm,
        attention=attention(heads, dropout=dropout, **options),
        norm2=norm,
        feed_forward=ahead,
        **drops,
    )
    def encoder_block(my: Scope, x: Any, *, mask: Any = None) -> Any:
        drop = my.drop if drops else lambda y: y
        x = add(my.norm1, x, lambda x: drop(my.attention(x, mask=mask)))
        return add(my.norm2, x, lambda x: drop(my.feed_forward(x)))

    return encoder_block


@constructor
def decoder_block(
    heads: int,
    feed_forward: Any = None,
    *,
    dropout: Any = 0.0,
    norm: Any = None,
    post_norm: bool = False,
    **options: Any,
) -> Layer:
    """An ``encoder_block`` whose attention is causal: a position sees itself and those before.

    It decodes with a cache, as its ``nn.attention`` does.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.repeat(3, nn.decoder_block(2, rotary=10_000.0))
    >>> cache = jax.eval_shape(net.init_cache, jnp.zeros((5, 4)))
    >>> cache["attention"]["keys"].shape
    (3, 5, 2, 2)
    """
    return encoder_block(
        heads, feed_forward, dropout=dropout, norm=norm, post_norm=post_norm, causal=True, **options
    )


@constructor
def encoder_decoder_block(
    heads: int,
    feed_forward: Any = None,
    *,
    dropout: Any = 0.0,
    norm: Any = None,
    post_norm: bool = False,
    **options: Any,
) -> Layer:
    """Causal attention, attention over a context, then a feed-forward network, each added to its input.

    Inputs ``(length, n)`` and the context ``(length', m)``, such as an encoder's output; output as the first.
    Keyword inputs: ``mask`` for the first and ``context_mask`` for the second attention, as in
    ``nn.attention``. The rest is as in ``nn.encoder_block``; of the options the second attention gets
    ``kv_heads``, ``bias`` and ``init``, for the others compare positions of one sequence. ``nn.repeat`` gives
    the same context to every block. A cache holds nothing of the context, which is given with every piece.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net, x, context = nn.encoder_decoder_block(2), jnp.zeros((3, 4)), jnp.zeros((5, 6))
    >>> params, _ = jax.eval_shape(net.init, jax.random.key(0), x, context)
    >>> params["cross"]["k"]["w"].shape, jax.eval_shape(net, params, x, context).shape
    ((6, 4), (3, 4))
    """
    norm, ahead, drops = norm or layer_norm(), _ahead(feed_forward, dropout), dropping(dropout)
    add = _then_norm if post_norm else _norm_first
    plain = {name: options[name] for name in ("kv_heads", "bias", "init") if name in options}

    @layer(
        norm1=norm,
        attention=attention(heads, dropout=dropout, causal=True, **options),
        norm2=norm,
        cross=attention(heads, dropout=dropout, **plain),
        norm3=norm,
        feed_forward=ahead,
        **drops,
    )
    def encoder_decoder_block(
        my: Scope, x: Any, context: Any, *, mask: Any = None, context_mask: Any = None
    ) -> Any:
        drop = my.drop if drops else lambda y: y
        x = add(my.norm1, x, lambda x: drop(my.attention(x, mask=mask)))
        x = add(my.norm2, x, lambda x: drop(my.cross(x, context, mask=context_mask)))
        return add(my.norm3, x, lambda x: drop(my.feed_forward(x)))

    return encoder_decoder_block


def _norm_first(norm: Callable[..., Any], x: Any, branch: Callable[..., Any]) -> Any:
    return x + branch(norm(x))


def _then_norm(norm: Callable[..., Any], x: Any, branch: Callable[..., Any]) -> Any:
    return norm(x + branch(x))


def _ahead(part: Any, dropout: Any) -> Any:
    return feed_forward(dropout=dropout) if part is None else part
