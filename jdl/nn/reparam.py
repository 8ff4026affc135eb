"""Kernels under another parametrisation: by length and direction, or divided by the greatest stretch."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.adapt import adapted
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, as_layer
from jdl.nn.linear import positive
from jdl.nn.scope import Scope, held, own


@constructor
def weight_norm(part: Any, *patterns: str, eps: float = 1e-12) -> Layer:
    r"""Learn the length and the direction of every kernel column apart: :math:`w = g\, v / \lVert v \rVert`.

    The kernels are the parameters of two axes or more whose path fits one of ``patterns`` (default
    ``"*/w"``); a column is what leads to one output, the last axis. The part's ``w`` is the direction
    :math:`v`; the length :math:`g` is ``w_length`` ``(outputs,)`` and begins at one, near which the default
    initializers put it anyway.

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868.

    Raises:
        LayerError: a pattern that no parameter's path fits.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.weight_norm(nn.dense(2)).init(jax.random.key(0), jnp.zeros(3))
    >>> jax.tree.map(jnp.shape, params)
    {'b': (2,), 'w': (3, 2), 'w_length': (2,)}
    """
    part, patterns = as_layer(part), patterns or ("*/w",)

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        outer = my._live().read or own

        def read(fits: bool, inner: Scope, name: str, shape: tuple, init: Any, dtype: Any) -> Any:
            value = outer(inner, name, shape, init, dtype)
            if len(shape) < 2 or not fits:
                return value
            length = outer(inner, f"{name}_length", shape[-1:], inits.ones, dtype)
            squares = jnp.sum(jnp.square(value), tuple(range(len(shape) - 1)))
            return value * (length * jax.lax.rsqrt(squares + eps**2))

        return adapted(my, part, patterns, inputs, keywords, read)

    return Layer(forward, name="weight_norm", parts=part.parts, inputs=part.inputs)


@constructor
def spectral_norm(part: Any, *patterns: str, iterations: int = 1, eps: float = 1e-12) -> Layer:
    r"""Divide every kernel by its spectral norm, the most it stretches a vector: :math:`w / \sigma(w)`.

    Kernels are found as by ``weight_norm`` and read as matrices of all axes but the last by the last.
    :math:`\sigma` is estimated by power iteration from the state ``w_v`` ``(rows,)``, ``iterations`` in
    each pass; a stochastic pass keeps where it arrived, so training sharpens the estimate. No gradient passes
    through the iteration, only through :math:`\sigma = u^\top w v` at its end.

    Source: Miyato et al. 2018, https://arxiv.org/abs/1802.05957.

    Raises:
        LayerError: a pattern that no parameter's path fits; iterations that are not a positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.spectral_norm(nn.dense(2, bias=False), iterations=50)
    >>> _, state = net.init(jax.random.key(0), jnp.zeros(2))
    >>> y, _ = net.apply({"w": jnp.diag(jnp.array([4.0, 1.0]))}, state, jnp.ones(2))
    >>> y.round(3).tolist()
    [1.0, 0.25]
    """
    part, patterns = as_layer(part), patterns or ("*/w",)
    positive("spectral_norm: iterations", iterations)

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        outer = my._live().read or own

        def read(fits: bool, inner: Scope, name: str, shape: tuple, init: Any, dtype: Any) -> Any:
            value = outer(inner, name, shape, init, dtype)
            if len(shape) < 2 or not fits:
                return value
            matrix = value.reshape(-1, shape[-1])
            v = held(inner, f"{name}_v", (len(matrix),), inits.normal(1.0), jnp.float32)
            u, v = _stretched(jax.lax.stop_gradient(matrix), v.astype(matrix.dtype), iterations, eps)
            if inner.stochastic:
                inner.update(**{f"{name}_v": v})
            return value / jnp.maximum(v @ matrix @ u, eps)

        return adapted(my, part, patterns, inputs, keywords, read)

    return Layer(forward, name="spectral_norm", parts=part.parts, inputs=part.inputs)


def _stretched(matrix: Any, v: Any, iterations: int, eps: float) -> tuple[Any, Any]:
    """Turn the input ``v``, and the output ``u`` that it leads to, towards the direction stretched most."""

    def turn(_: Any, vectors: tuple[Any, Any]) -> tuple[Any, Any]:
        u = _unit(vectors[1] @ matrix, eps)
        return u, _unit(matrix @ u, eps)

    return jax.lax.fori_loop(0, iterations, turn, (jnp.zeros(matrix.shape[1], matrix.dtype), v))


def _unit(vector: Any, eps: float) -> Any:
    return vector / jnp.maximum(jnp.linalg.norm(vector), eps)
