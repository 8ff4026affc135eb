"""Periodic features of numbers: what lets a network bend sharply along one column."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.init import Initializer
from jdl.nn.layer import Layer, LayerError, Scope, layer
from jdl.nn.linear import positive
from jdl.nn.waves import cosine, sine


@constructor
def periodic(width: int = 8, *, frequencies: int = 32, lowest: Any = 0.05, highest: Any = 30.0) -> Layer:
    r"""Embed each number by trained waves: :math:`y_j = \mathrm{relu}(v_j W_j + b_j)`,
    :math:`v_j = [\cos 2\pi f_j x_j, \sin 2\pi f_j x_j]`.

    Input ``(p,)``, numbers of about unit variance; output ``(p, width)``. Parameters: ``f``
    ``(p, frequencies)``, normal, with standard deviations from ``lowest`` to ``highest`` (which may be
    traced) in geometric steps; ``w`` ``(p, 2 * frequencies, width)``, uniform within
    :math:`\pm 1 / \sqrt{2\,\mathrm{frequencies}}`; ``b`` ``(p, width)``, zeros.

    Source: Gorishniy, Rubachev and Babenko 2022, "On Embeddings for Numerical Features in Tabular Deep
    Learning", https://arxiv.org/abs/2203.05556 (PLR). There one scale for all frequencies is tuned for each
    table; a ladder of scales needs no tuning.

    Raises:
        LayerError: the input is not a vector; a width or a number of frequencies below 1.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.periodic(4).init(jax.random.key(0), jnp.zeros(3))
    >>> nn.periodic(4)(params, jnp.zeros(3)).shape
    (3, 4)
    """
    positive("periodic: width", width)
    positive("periodic: frequencies", frequencies)
    bound = (2 * frequencies) ** -0.5

    @layer
    def periodic(my: Scope, x: Any) -> Any:
        p = _columns(my, x)
        f = my.param("f", (p, frequencies), ladder(lowest, highest))
        w = my.param("w", (p, 2 * frequencies, width), inits.uniform(-bound, bound))
        b = my.param("b", (p, width), inits.zeros)
        turns = f * x[:, None]
        # Not as one vector: XLA:CPU makes a concatenation element by element, and with each of them anew
        # what the number was prepared by.
        mixed = lambda waves, weights: jnp.einsum("pf,pfw->pw", waves, weights)
        return jax.nn.relu(
            mixed(cosine(turns), w[:, :frequencies]) + mixed(sine(turns), w[:, frequencies:]) + b
        )

    return periodic


@constructor
def periodic_densenet(width: int = 4, *, frequencies: int = 16, sigma: Any = 0.1) -> Layer:
    r"""Embed each number by trained waves beside the number itself:
    :math:`y_j = [\cos(2\pi f_j x_j + \varphi_j) W_j + b_j,\; x_j]`.

    Input ``(p,)``, numbers of about unit variance; output ``(p, width)``, its last column the numbers.
    Parameters, with :math:`u` uniform in [-1, 1]: ``f`` ``(p, frequencies)``, normal with standard deviation
    ``sigma``, which may be traced; ``phase`` ``(p, frequencies)``, :math:`\pi u`; ``w``
    ``(p, frequencies, width - 1)`` and ``b`` ``(p, width - 1)``, :math:`u / \sqrt{\mathrm{frequencies}}`.

    Source: PBLD ("periodic bias linear DenseNet") of Holzmüller, Grinsztajn and Steinwart 2024,
    https://arxiv.org/abs/2407.04491.

    Raises:
        LayerError: the input is not a vector; a width below 2; a number of frequencies below 1.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net, x = nn.periodic_densenet(), jnp.array([0.5, -2.0])
    >>> params, _ = net.init(jax.random.key(0), x)
    >>> net(params, x).shape, net(params, x)[:, -1].tolist()
    ((2, 4), [0.5, -2.0])
    """
    positive("periodic_densenet: width", width)
    positive("periodic_densenet: frequencies", frequencies)
    if width < 2:
        raise LayerError(f"periodic_densenet: width is {width}, needs 2 or more: waves and the number itself")
    bound = frequencies**-0.5

    @layer
    def periodic_densenet(my: Scope, x: Any) -> Any:
        p = _columns(my, x)
        f = my.param("f", (p, frequencies), inits.normal(sigma))
        phase = my.param("phase", (p, frequencies), inits.uniform(-math.pi, math.pi))
        w = my.param("w", (p, frequencies, width - 1), inits.uniform(-bound, bound))
        b = my.param("b", (p, width - 1), inits.uniform(-bound, bound))
        waves = cosine(f * x[:, None] + phase / (2 * math.pi))
        return jnp.concatenate([jnp.einsum("pf,pfw->pw", waves, w) + b, x[:, None]], -1)

    return periodic_densenet


def _columns(my: Scope, x: Any) -> int:
    if jnp.ndim(x) != 1:
        raise LayerError(f"{my._where()}: has shape {jnp.shape(x)}, needs (p,): one number a column")
    return x.size


@constructor
def ladder(lowest: Any, highest: Any) -> Initializer:
    r"""Draw from :math:`\mathcal{N}(0, s_i^2)` at place :math:`i` of the last axis.

    The :math:`s_i` go from ``lowest`` to ``highest`` in geometric steps.
    """

    def draw(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        steps = jnp.linspace(0.0, 1.0, shape[-1])
        scale = lowest * (highest / lowest) ** steps
        return (jax.random.normal(key, shape) * scale).astype(dtype)

    return Initializer(draw, "ladder")
