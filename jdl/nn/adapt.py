"""Training a part of a network: frozen parameters and low-rank adapters."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from jdl import tree
from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, as_layer
from jdl.nn.scope import Scope, held, inline, own
from jdl.nn.spec import LayerError
from jdl.nn.trees import nest


def adapted(
    my: Scope,
    net: Layer,
    patterns: tuple[str, ...],
    inputs: tuple,
    keywords: Mapping[str, Any],
    read: Callable[..., Any],
) -> Any:
    """Run ``net`` with ``read(fits, scope, name, shape, init, dtype)`` in place of reading a parameter."""
    seen, base = [], my._path

    def chosen(inner: Scope, name: str, *spec: Any) -> Any:
        path = inner._where(name).removeprefix(base).strip("/")
        seen.append(path)
        return read(any(tree.matches(pattern, path) for pattern in patterns), inner, name, *spec)

    outputs = inline(my, net, inputs, keywords, read=chosen)
    for pattern in patterns:
        if not any(tree.matches(pattern, path) for path in seen):
            raise LayerError(f"{my._where()}: no parameter's path fits {pattern!r}; the paths are {seen}")
    return outputs


@constructor
def freeze(net: Any, *patterns: str) -> Layer:
    """Hold the parameters whose path fits one of ``patterns`` in the state, where nothing trains them.

    No gradient is taken, and no optimizer, penalty or norm sees them. Without patterns all are held. The
    values begin as those of ``net``; to freeze trained ones, move them with ``nn.split`` and ``nn.join``.

    Raises:
        LayerError: a pattern that no parameter's path fits.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.chain(stem=nn.dense(4), head=nn.dense(2))
    >>> params, state = nn.freeze(net, "stem/*").init(jax.random.key(0), jnp.zeros(3))
    >>> sorted(params), sorted(state)
    (['head'], ['stem'])
    """
    net, patterns = as_layer(net), patterns or ("*",)

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        outer = my._live().read or own
        read = lambda fits, *asked: (held if fits else outer)(*asked)
        return adapted(my, net, patterns, inputs, keywords, read)

    return Layer(forward, name="freeze", parts=net.parts, inputs=net.inputs)


@constructor
def lora(net: Any, rank: int, *patterns: str, alpha: Any = None) -> Layer:
    r"""Adapt a frozen network by low-rank updates: :math:`W + \frac{\alpha}{r} A B`.

    Every parameter of ``net`` moves to the state (see ``freeze``). Each matrix ``(…, n, m)`` whose path fits
    one of ``patterns`` (default ``"*/w"``) gets trainable ``w_a`` ``(…, n, rank)``, normal of variance
    ``1 / n``, and ``w_b`` ``(…, rank, m)``, zeros; so training starts from the given network.
    ``alpha`` is ``rank`` unless given. ``lora_merge`` writes the adapted network back as plain parameters.

    Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685.

    Raises:
        LayerError: a pattern that no parameter's path fits.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.chain(nn.dense(4), nn.relu, nn.dense(2))
    >>> params, _ = net.init(jax.random.key(0), jnp.zeros(3))
    >>> adapted = nn.lora(net, 1)
    >>> adapters, _ = adapted.init(jax.random.key(1), jnp.zeros(3))
    >>> y, _ = adapted.apply(adapters, params, jnp.ones(3))
    >>> bool(jnp.array_equal(y, net(params, jnp.ones(3))))
    True
    """
    net, patterns = as_layer(net), patterns or ("*/w",)
    scale = 1.0 if alpha is None else alpha / rank

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        outer = my._live().read or own

        def read(fits: bool, inner: Scope, name: str, shape: tuple, init: Any, dtype: Any) -> Any:
            whole = held(inner, name, shape, init, dtype)
            if len(shape) < 2 or not fits:
                return whole
            *lead, n, m = shape
            a = outer(inner, f"{name}_a", (*lead, n, rank), inits.normal(n**-0.5), dtype)
            b = outer(inner, f"{name}_b", (*lead, rank, m), inits.zeros, dtype)
            return whole + scale * (a @ b)

        return adapted(my, net, patterns, inputs, keywords, read)

    return Layer(forward, name="lora", parts=net.parts, inputs=net.inputs)


def lora_merge(adapters: Any, params: Any, *, scale: Any = 1.0) -> dict:
    r"""Write adapters into a network's parameters: :math:`W + s A B`, where ``scale`` is ``alpha / rank``.

    Raises:
        LayerError: an adapter of no parameter.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> low = {"w_a": jnp.ones((2, 1)), "w_b": jnp.ones((1, 2))}
    >>> nn.lora_merge(low, {"w": jnp.zeros((2, 2))})["w"].tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    low = dict(tree.items(adapters))
    merged = {}
    for path, leaf in tree.items(params):
        a, b = low.pop(f"{path}_a", None), low.pop(f"{path}_b", None)
        merged[path] = leaf if a is None or b is None else jnp.asarray(leaf) + scale * (a @ b)
    if low:
        raise LayerError(f"no parameter for the adapters {sorted(low)}; the parameters are {sorted(merged)}")
    return nest(merged)
