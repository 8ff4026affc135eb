"""Changing the size of an image: resampling, shuffling pixels and channels, padding."""

from typing import Any, Literal

import jax
import jax.numpy as jnp

from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, LayerError, layer
from jdl.nn.linear import positive
from jdl.nn.scope import Scope
from jdl.nn.spec import wide
from jdl.nn.window import NAMES, Each, Pair, each, pairs, spatial

METHODS = ("nearest", "linear", "cubic", "cubic-pytorch", "lanczos3", "lanczos5")
MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@constructor
def resize(shape: Each, method: str = "linear", *, antialias: bool = True) -> Layer:
    """Resample to the given spatial shape, each pixel being an area (``align_corners=False`` in PyTorch).

    The length of ``shape`` is the number of spatial axes; a number means two. Input
    ``(height, width, channels)``, output ``(*shape, channels)``. ``method``: ``"nearest"`` (in PyTorch
    ``"nearest-exact"``), ``"linear"``, ``"cubic"`` (Keys' kernel; PyTorch's with ``antialias``),
    ``"cubic-pytorch"`` (PyTorch's without), ``"lanczos3"``, ``"lanczos5"``. With ``antialias`` the kernel is
    widened where the image shrinks, so that every pixel counts; it changes nothing where it grows, and
    nothing for ``"nearest"``. Computed in float32. See ``jax.image.resize``.

    Raises:
        LayerError: the input has another number of axes; a shape or a method that means nothing.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.resize((4,))({}, jnp.array([[0.0], [4.0]]))[:, 0].tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    lengths = each("shape", shape)
    if method not in METHODS:
        raise LayerError(f"resize: method is {method!r}, needs one of {METHODS}")

    @layer
    def resize(my: Scope, x: Any) -> Any:
        spatial(my, x, len(lengths))
        y = jax.image.resize(wide(x), (*lengths, x.shape[-1]), method, antialias=antialias)
        return y.astype(jnp.result_type(x, 0.0))

    return resize


@constructor
def pixel_shuffle(factor: int) -> Layer:
    """Lay channels out as pixels: ``(height, width, f² channels)`` to ``(f height, f width, channels)``.

    Of the ``f²`` channels that become one, those of one row of pixels are neighbours, as in PyTorch. Any
    number of spatial axes.

    Source: Shi et al. 2016, https://arxiv.org/abs/1609.05158.

    Raises:
        LayerError: the channels are no multiple of ``f²``; a factor that is not a positive integer.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.pixel_shuffle(2)({}, jnp.arange(4.0).reshape(1, 1, 4))[..., 0].tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    positive("pixel_shuffle: factor", factor)

    @layer
    def pixel_shuffle(my: Scope, x: Any) -> Any:
        axes = _axes(my, x)
        if x.shape[-1] % factor**axes:
            raise LayerError(
                f"{my._where()}: has {x.shape[-1]} channels, needs a multiple of {factor}^{axes}"
            )
        y = x.reshape(*x.shape[:-1], -1, *(factor,) * axes)
        y = y.transpose(*(i for axis in range(axes) for i in (axis, axes + 1 + axis)), axes)
        return y.reshape(*(n * factor for n in x.shape[:-1]), -1)

    return pixel_shuffle


@constructor
def pixel_unshuffle(factor: int) -> Layer:
    """Lay pixels out as channels: ``(f height, f width, channels)`` to ``(height, width, f² channels)``.

    The inverse of ``nn.pixel_shuffle``.

    Raises:
        LayerError: the height or width is no multiple of ``f``; a factor that is not a positive integer.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.pixel_unshuffle(2)({}, jnp.arange(4.0).reshape(2, 2, 1)).tolist()
    [[[0.0, 1.0, 2.0, 3.0]]]
    """
    positive("pixel_unshuffle: factor", factor)

    @layer
    def pixel_unshuffle(my: Scope, x: Any) -> Any:
        axes, lengths = _axes(my, x), x.shape[:-1]
        if any(n % factor for n in lengths):
            raise LayerError(f"{my._where()}: has lengths {lengths}, needs multiples of {factor}")
        y = x.reshape(*(i for n in lengths for i in (n // factor, factor)), x.shape[-1])
        y = y.transpose(*range(0, 2 * axes, 2), 2 * axes, *range(1, 2 * axes, 2))
        return y.reshape(*(n // factor for n in lengths), -1)

    return pixel_unshuffle


@constructor
def pad(
    widths: int | tuple[Pair, ...],
    *,
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant",
    value: Any = 0.0,
) -> Layer:
    """Put a border around an image: a number for every side, or ``((top, bottom), (left, right))``.

    Input ``(height, width, channels)``, or of one or three spatial axes; channels get no border. ``mode``:
    ``"constant"`` (``value``, which may be traced), ``"reflect"`` (mirrored, without the edge itself),
    ``"replicate"`` (the edge), ``"circular"`` (the other side). Before a convolution with
    ``padding="VALID"`` it is what PyTorch calls the convolution's ``padding_mode``.

    Raises:
        LayerError: the input has another number of axes than ``widths``; widths or a mode that mean nothing.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.pad(((2, 1),), mode="reflect")({}, jnp.arange(3.0)[:, None])[:, 0].tolist()
    [2.0, 1.0, 0.0, 1.0, 2.0, 1.0]
    """
    if pairs(widths, 1 if isinstance(widths, int) else len(widths)) is None:
        raise LayerError(f"pad: widths are {widths!r}, needs a number or ((top, bottom), (left, right))")
    if mode not in MODES:
        raise LayerError(f"pad: mode is {mode!r}, needs one of {sorted(MODES)}")
    given = {"constant_values": value} if mode == "constant" else {}

    @layer
    def pad(my: Scope, x: Any) -> Any:
        axes = _axes(my, x) if isinstance(widths, int) else len(widths)
        spatial(my, x, axes)
        return jnp.pad(x, (*(pairs(widths, axes) or ()), (0, 0)), MODES[mode], **given)

    return pad


def _axes(my: Scope, x: Any) -> int:
    axes = jnp.ndim(x) - 1
    if axes not in NAMES:
        raise LayerError(
            f"{my._where()}: has shape {jnp.shape(x)}, needs (height, width, channels), or one or three "
            "spatial axes; one example, without a batch axis (nn.batched maps a batch)"
        )
    return axes
