"""Blocks of image networks, made of the layers. One example at a time: ``(height, width, channels)``."""

from typing import Any

from jdl.nn import init as inits
from jdl.nn.activations import gelu, identity, relu, relu6, sigmoid
from jdl.nn.constructor import constructor
from jdl.nn.conv import conv, depthwise_conv
from jdl.nn.dropout import never, stochastic_depth
from jdl.nn.layer import Layer, as_layer, chain, layer
from jdl.nn.linear import dense, positive
from jdl.nn.norm import batch_norm, layer_norm
from jdl.nn.pool import global_average_pool
from jdl.nn.scope import Scope, inline


@constructor
def squeeze_excite(ratio: int = 16, *, activation: Any = relu, gate: Any = sigmoid) -> Layer:
    r"""Scale each channel by what all positions say: :math:`y = x\, g(W_2\, a(W_1 \bar x + b_1) + b_2)`.

    Input and output ``(…, n)``; :math:`\bar x` is the mean over all positions, and the inner width
    ``n // ratio``, at least one. Parameters ``squeeze/w`` ``(n, n // ratio)``, ``excite/w``
    ``(n // ratio, n)``, and a ``b`` of each.

    Source: Hu, Shen and Sun 2018, https://arxiv.org/abs/1709.01507.

    Raises:
        LayerError: a ratio that is not a positive integer.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = nn.squeeze_excite(4).init(jax.random.key(0), jnp.zeros((3, 3, 8)))
    >>> params["squeeze"]["w"].shape, params["excite"]["w"].shape
    ((8, 2), (2, 8))
    """
    positive("squeeze_excite: ratio", ratio)

    @layer
    def squeeze_excite(my: Scope, x: Any) -> Any:
        n = x.shape[-1]
        net = chain(squeeze=dense(max(n // ratio, 1)), activation=activation, excite=dense(n), gate=gate)
        return x * inline(my, net, (global_average_pool(x),), {})

    return squeeze_excite


@constructor
def patch_embed(width: int, patch: int | tuple[int, ...], *, bias: bool = True, init: Any = None) -> Layer:
    """Cut an image into patches that do not overlap, and map each to a vector.

    Input ``(height, width, channels)``, or of one or three spatial axes, as many as ``patch`` has entries (a
    number means two); output ``(patches, width)``, row by row. Pixels that fill no patch are left out.
    Parameters are those of ``nn.conv``, with the patch for window and stride: ``w``
    ``(ph, pw, channels, width)`` and ``b`` ``(width,)``.

    Source: Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929.

    Raises:
        LayerError: the input has another number of axes, or is smaller than a patch.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> x = jnp.zeros((8, 12, 3))
    >>> params, _ = nn.patch_embed(16, 4).init(jax.random.key(0), x)
    >>> jax.eval_shape(nn.patch_embed(16, 4), params, x).shape
    (6, 16)
    """
    cut = conv(width, patch, stride=patch, padding="VALID", bias=bias, init=init)

    @layer
    def patch_embed(my: Scope, x: Any) -> Any:
        return inline(my, cut, (x,), {}).reshape(-1, width)

    return patch_embed


@constructor
def resnet_block(width: int, stride: int = 1) -> Layer:
    r"""Two 3 by 3 convolutions and a shortcut: :math:`y = \mathrm{relu}(s(x) + f(x))`.

    Each convolution is without bias and followed by batch norm. Input ``(height, width, channels)``, output
    ``(height / stride, width / stride, width)``. The shortcut is the input itself, or a 1 by 1 convolution
    and batch norm where the shape changes. Parameters and state of ``first``, ``second`` and, where it is a
    convolution, ``shortcut``, each of a ``conv`` and a ``norm``.

    Source: He et al. 2016, https://arxiv.org/abs/1512.03385.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> x = jnp.zeros((6, 6, 4))
    >>> params, state = jax.eval_shape(nn.resnet_block(8, 2).init, jax.random.key(0), x)
    >>> jax.eval_shape(nn.resnet_block(8, 2).apply, params, state, x)[0].shape
    (3, 3, 8)
    """
    steps = {"first": _normed(_same(width, 3, stride), relu), "second": _normed(_same(width, 3))}
    return _joined(width, stride, **steps)


@constructor
def bottleneck_block(width: int, stride: int = 1, *, ratio: int = 4, groups: int = 1) -> Layer:
    r"""A 3 by 3 convolution between two of 1 by 1, and a shortcut: :math:`y = \mathrm{relu}(s(x) + f(x))`.

    As ``nn.resnet_block``; inside there are ``width // ratio`` channels, and the 3 by 3 convolution has the
    stride and ``groups``: ``nn.bottleneck_block(256, ratio=2, groups=32)`` is of ResNeXt-50. Parameters and
    state of ``reduce``, ``middle``, ``expand`` and, where it is a convolution, ``shortcut``.

    Source: He et al. 2016, https://arxiv.org/abs/1512.03385; Xie et al. 2017,
    https://arxiv.org/abs/1611.05431; the stride as in Torchvision.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> block, x = nn.bottleneck_block(8, 2), jnp.zeros((6, 6, 4))
    >>> params, state = jax.eval_shape(block.init, jax.random.key(0), x)
    >>> params["middle"]["conv"]["w"].shape
    (3, 3, 2, 2)
    """
    inner = width // ratio
    steps = {
        "reduce": _normed(_same(inner, 1), relu),
        "middle": _normed(_same(inner, 3, stride, groups), relu),
        "expand": _normed(_same(width, 1)),
    }
    return _joined(width, stride, **steps)


@constructor
def convnext_block(*, window: int = 7, ratio: int = 4, rate: Any = 0.0, scale: float = 1e-6) -> Layer:
    r"""ConvNeXt's block: :math:`y = x + \gamma\, W_2\, \mathrm{gelu}(W_1\, \mathrm{norm}(\mathrm{conv}(x)))`.

    A depthwise convolution, layer norm, and a perceptron of ``ratio`` times the width at each position.
    Input and output ``(height, width, n)``. What is added is dropped with probability ``rate``, which may be
    traced (``nn.stochastic_depth``). Parameters of ``depthwise``, ``norm``, ``expand`` and ``project``, and
    ``scale`` ``(n,)``, which begins at ``scale``. ``gelu`` is the library's, the tanh approximation.

    Source: Liu et al. 2022, https://arxiv.org/abs/2201.03545.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> params, _ = jax.eval_shape(nn.convnext_block().init, jax.random.key(0), jnp.zeros((6, 6, 4)))
    >>> params["depthwise"]["w"].shape, params["expand"]["w"].shape
    ((7, 7, 1, 4), (4, 16))
    """

    @layer(depth=_depth(rate))
    def convnext_block(my: Scope, x: Any) -> Any:
        n = x.shape[-1]
        net = chain(
            depthwise=depthwise_conv(window),
            norm=layer_norm(eps=1e-6),
            expand=dense(ratio * n),
            gelu=gelu,
            project=dense(n),
        )
        y = inline(my, net, (x,), {})
        return x + my.depth(my.param("scale", (n,), inits.constant(scale)) * y)

    return convnext_block


@constructor
def inverted_residual(
    width: int,
    stride: int = 1,
    *,
    expand: float = 6,
    window: int = 3,
    excite: Any = None,
    activation: Any = relu6,
    rate: Any = 0.0,
) -> Layer:
    """MobileNetV2's block: widen by a 1 by 1 convolution, convolve depthwise, narrow by another.

    Each convolution is without bias and followed by batch norm; the first two by ``activation`` too. Input
    ``(height, width, n)``, output ``(height / stride, width / stride, width)``, inside ``expand * n``
    channels, rounded; with ``expand=1`` the first convolution is left out. Where the shape stays, the input
    is added, and what is added to it dropped with probability ``rate``, which may be traced
    (``nn.stochastic_depth``). ``excite`` is a part put before the last convolution: with
    ``nn.squeeze_excite(24, activation=nn.silu)``, ``activation=nn.silu`` it is EfficientNet's block, with
    ``nn.squeeze_excite(4, gate=nn.hard_sigmoid)`` MobileNetV3's. Parameters and state of ``expand``,
    ``depthwise`` and ``project``, each of a ``conv`` and a ``norm``, and of ``excite``.

    Source: Sandler et al. 2018, https://arxiv.org/abs/1801.04381; Howard et al. 2019,
    https://arxiv.org/abs/1905.02244; Tan and Le 2019, https://arxiv.org/abs/1905.11946.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> block, x = nn.inverted_residual(8, 2), jnp.zeros((6, 6, 4))
    >>> params, state = jax.eval_shape(block.init, jax.random.key(0), x)
    >>> params["depthwise"]["conv"]["w"].shape
    (3, 3, 1, 24)
    """

    @layer(depth=_depth(rate))
    def inverted_residual(my: Scope, x: Any) -> Any:
        n = x.shape[-1]
        kernel = depthwise_conv(window, stride=stride, padding=window // 2, bias=False)
        steps = {"expand": _normed(_same(round(expand * n), 1), activation)} if expand != 1 else {}
        steps["depthwise"] = _normed(kernel, activation)
        if excite is not None:
            steps["excite"] = as_layer(excite)
        y = inline(my, chain(**steps, project=_normed(_same(width, 1))), (x,), {})
        y = my.depth(y)
        return x + y if stride == 1 and n == width else y

    return inverted_residual


def _same(width: int, window: int, stride: int = 1, groups: int = 1) -> Layer:
    how = {"stride": stride, "groups": groups, "padding": window // 2}
    return conv(width, window, **how, bias=False, init=inits.he_normal())


def _normed(part: Layer, activation: Any = None) -> Layer:
    return chain(conv=part, norm=batch_norm(), **({} if activation is None else {"activation": activation}))


def _joined(width: int, stride: int, **steps: Layer) -> Layer:
    """Make a residual block of a chain, with a shortcut where the chain changes the shape."""
    body, projection = chain(**steps), _normed(conv(width, 1, stride=stride, bias=False))

    @layer
    def shortcut(my: Scope, x: Any) -> Any:
        same = stride == 1 and x.shape[-1] == width
        return x if same else inline(my, projection, (x,), {})

    @layer(shortcut=shortcut)
    def block(my: Scope, x: Any) -> Any:
        return relu(my.shortcut(x) + inline(my, body, (x,), {}))

    return block


def _depth(rate: Any) -> Any:
    return identity if never(rate) else stochastic_depth(rate)
