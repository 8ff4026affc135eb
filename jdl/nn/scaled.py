"""Maps whose size is a matter of its own: a factor for each feature, and weights of order one."""

from typing import Any

import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.constructor import constructor
from jdl.nn.init import Initializer
from jdl.nn.layer import Layer, layer
from jdl.nn.linear import last_axis, positive, product
from jdl.nn.scope import Scope


@constructor
def scale(*, init: Initializer = inits.ones) -> Layer:
    r"""Multiply each feature by a learned factor: :math:`y_i = s_i x_i`.

    Input and output ``(…, n)``; parameter ``scale`` ``(n,)``, ones. Before the first dense layer, and with a
    higher learning rate than the rest, it lets a network turn single features up and down.

    Source: the scaling layer of Holzmüller, Grinsztajn and Steinwart 2024, https://arxiv.org/abs/2407.04491.

    Raises:
        LayerError: the input is a scalar.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.scale()({"scale": jnp.array([2.0, 0.5])}, jnp.array([3.0, 4.0])).tolist()
    [6.0, 2.0]
    """

    @layer
    def scale(my: Scope, x: Any) -> Any:
        return x * my.param("scale", (last_axis(my, x),), init)

    return scale


@constructor
def ntk_dense(width: int, *, bias: bool = True, init: Initializer | None = None) -> Layer:
    r"""Affine map of the last axis with weights of order one: :math:`y = x W / \sqrt{n} + b`.

    Input ``(…, n)``, output ``(…, width)``; parameters ``w`` ``(n, width)``, drawn by ``init`` (default
    ``init.normal(1.0)``), and ``b`` ``(width,)``, zeros. It computes what ``dense`` does, but an optimizer
    such as Adam, whose steps do not depend on the gradient's size, moves the product by
    :math:`\sqrt{n}` times less, so that one learning rate fits wide and narrow layers.

    Source: the neural tangent parametrisation of Jacot, Gabriel and Hongler 2018,
    https://arxiv.org/abs/1806.07572.

    Raises:
        LayerError: the input is a scalar; a width that is not a positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.ntk_dense(1, bias=False)({"w": jnp.ones((4, 1))}, jnp.ones(4)).tolist()
    [2.0]
    """
    positive("ntk_dense: width", width)

    @layer
    def ntk_dense(my: Scope, x: Any) -> Any:
        n = last_axis(my, x)
        w = my.param("w", (n, width), init or inits.normal(1.0))
        y = jnp.asarray(max(n, 1) ** -0.5, w.dtype) * product(my, x, w)
        return y + my.param("b", (width,), inits.zeros) if bias else y

    return ntk_dense
