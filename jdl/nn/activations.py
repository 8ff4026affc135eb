"""Activations: plain functions of an array, and so layers.

Those of ``jax.nn`` are here under their own names (``hard_silu`` is also called hard swish, ``silu`` swish).
``gelu`` is therefore the tanh approximation, as in Flax; ``gelu_exact`` is PyTorch's default. Activations
that learn are constructors, in ``parametric.py``; options go by ``functools.partial(nn.elu, alpha=0.5)``.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.nn import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    identity,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softmax,
    softplus,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    standardize,
)

__all__ = [
    "celu",
    "elu",
    "geglu",
    "gelu",
    "gelu_exact",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "identity",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "reglu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "soft_sign",
    "softmax",
    "softplus",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "standardize",
    "swiglu",
    "tanh",
    "tanh_shrink",
    "threshold",
]

tanh = jnp.tanh


def gelu_exact(x: Any) -> Any:
    r"""Gaussian error linear unit with the exact distribution function: :math:`x \Phi(x)`.

    Source: Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.gelu_exact(jnp.array([-1.0, 0.0, 1.0])).round(4).tolist()
    [-0.1587, 0.0, 0.8413]
    """
    return jax.nn.gelu(x, approximate=False)


def tanh_shrink(x: Any) -> Any:
    r"""Give :math:`x - \tanh x`, which is flat around zero.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.tanh_shrink(jnp.array([0.0, 2.0])).round(4).tolist()
    [0.0, 1.036]
    """
    return x - jnp.tanh(x)


def hard_shrink(x: Any, limit: Any = 0.5) -> Any:
    r"""Zero what is at most ``limit`` in size, and leave the rest: the proximal map of counting non-zeros.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.hard_shrink(jnp.array([-2.0, 0.3, 0.6])).round(4).tolist()
    [-2.0, 0.0, 0.6]
    """
    return jnp.where(jnp.abs(x) > limit, x, 0)


def soft_shrink(x: Any, limit: Any = 0.5) -> Any:
    r"""Move towards zero by ``limit``, at most to zero: :math:`\mathrm{sign}(x) \max(|x| - \lambda, 0)`.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.soft_shrink(jnp.array([-2.0, 0.3, 0.75])).round(4).tolist()
    [-1.5, 0.0, 0.25]
    """
    return jnp.where(x > limit, x - limit, jnp.where(x < -limit, x + limit, 0 * x))


def threshold(x: Any, limit: Any = 0.0, value: Any = 0.0) -> Any:
    """Give ``value`` where ``x`` is at most ``limit``, and ``x`` itself above.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.threshold(jnp.array([0.0, 2.0, 3.0]), 2.0, -1.0).tolist()
    [-1.0, -1.0, 3.0]
    """
    return jnp.where(x > limit, x, jnp.asarray(value, jnp.result_type(x)))


def swiglu(x: Any) -> Any:
    r"""Gate one half of the last axis with the swish of the other: :math:`a \odot \mathrm{silu}(b)`.

    ``(…, 2 n)`` to ``(…, n)``, halves in the order of ``glu``, whose gate is a sigmoid. As a layer with its
    projections: ``nn.feed_forward(hidden, activation=nn.swiglu)``.

    Source: Shazeer 2020, https://arxiv.org/abs/2002.05202.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.swiglu(jnp.array([2.0, 1.0])).round(4).tolist()
    [1.4621]
    """
    return _gated(x, jax.nn.silu)


def geglu(x: Any) -> Any:
    r"""Gate one half of the last axis with the GELU of the other: :math:`a \odot \mathrm{gelu}(b)`.

    Shapes and source as for ``swiglu``; the tanh approximation, as ``nn.gelu``.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.geglu(jnp.array([2.0, 1.0])).round(4).tolist()
    [1.6824]
    """
    return _gated(x, jax.nn.gelu)


def reglu(x: Any) -> Any:
    r"""Gate one half of the last axis with the rectified other: :math:`a \odot \max(b, 0)`.

    Shapes and source as for ``swiglu``.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.reglu(jnp.array([2.0, 3.0, 1.0, -1.0])).tolist()
    [2.0, 0.0]
    """
    return _gated(x, jax.nn.relu)


def _gated(x: Any, gate: Callable[[Any], Any]) -> Any:
    value, control = jnp.split(x, 2, axis=-1)
    return value * gate(control)
