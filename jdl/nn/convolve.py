"""How a batch is convolved: the formulations, and which of them is fast where.

Images are ``(b, …, c)`` with one to three spatial axes, kernels ``(…, c / groups, o)``; ``strides``,
``dilation`` and ``pads`` have an entry for each spatial axis.
"""

from functools import partial
from itertools import product
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jdl.nn.product import rows_by_matrix
from jdl.nn.window import Pair, tiles

Sizes = tuple[int, ...]
Pads = tuple[Pair, ...]

AXES = {1: "W", 2: "HW", 3: "DHW"}
MERGED = 32  # channels: fewer leave a matrix product idle
SHIFTS = 64  # terms: more take long to compile


def convolve(xs: Any, w: Any, strides: Sizes, dilation: Sizes, pads: Pads, groups: int = 1) -> Any:
    """Convolve a batch in the way that is fastest for the window, the groups and the backend."""
    how, size = (strides, dilation, pads), w.shape[:-2]
    if groups == 1 and _never_overlap(size, *how):
        return _by_tiles(xs, w, strides)
    if jax.default_backend() != "cpu":
        return by_xla(xs, w, *how, groups=groups)
    if groups == 1:
        return _on_cpu(xs, w, *how)
    # XLA:CPU's own grouped convolution takes 8 to 200 times as long in a loop body, forward and backward.
    if groups == xs.shape[-1] and prod(size) <= SHIFTS:
        return by_shifts(xs, w, *how)
    return by_blocks(xs, w, *how, groups)


def _never_overlap(size: Sizes, strides: Sizes, dilation: Sizes, pads: Pads) -> bool:
    apart = all(k == 1 or (k == s and d == 1) for k, s, d in zip(size, strides, dilation, strict=True))
    return apart and not any(sum(pads, ()))


def _by_tiles(xs: Any, w: Any, strides: Sizes) -> Any:
    """Multiply each window, laid out as a row, with the kernel, where no two windows overlap."""
    size = w.shape[:-2]
    every = (slice(None, None, s if k == 1 else 1) for k, s in zip(size, strides, strict=True))
    cut = tiles(xs[(slice(None), *every)], size)
    places, within = range(1, 2 * len(size), 2), range(2, 2 * len(size) + 1, 2)
    rows = cut.transpose(0, *places, *within, cut.ndim - 1)
    rows = rows.reshape(*rows.shape[: 1 + len(size)], -1)
    return rows_by_matrix(rows, w.reshape(-1, w.shape[-1]))


def by_xla(
    xs: Any,
    w: Any,
    strides: Sizes,
    dilation: Sizes,
    pads: Pads,
    layout: tuple[str, str, str] | None = None,
    groups: int = 1,
) -> Any:
    """Convolve with XLA's own operation."""
    layout = layout or _layout("N.C", ".IO", "N.C", len(strides))
    return lax.conv_general_dilated(
        xs, w, strides, pads, rhs_dilation=dilation, dimension_numbers=layout, feature_group_count=groups
    )


def _layout(images: str, kernel: str, outputs: str, axes: int) -> tuple[str, str, str]:
    of_images, of_kernel, of_outputs = (how.replace(".", AXES[axes]) for how in (images, kernel, outputs))
    return of_images, of_kernel, of_outputs


def _on_cpu(xs: Any, w: Any, strides: Sizes, dilation: Sizes, pads: Pads) -> Any:
    if len(strides) == 3:
        return _by_depth(xs, w, strides, dilation, pads)
    size, within = w.shape[:-2], xs.shape[1:-1]
    if any(n < m for n, m in zip(within, _lengths(within, size, strides, dilation, pads), strict=True)):
        # The gradient by the kernel is a convolution with the outputs, which XLA:CPU is slow in where they
        # are larger than the image: 20 times.
        xs, pads = jnp.pad(xs, ((0, 0), *pads, (0, 0))), ((0, 0),) * len(pads)
    if xs.shape[-1] > 1 and xs.shape[-1] % 2:  # XLA is up to twice as fast for an even number of channels
        xs, w = _longer(xs, xs.ndim - 1), _longer(w, w.ndim - 2)
    return by_plain_layouts(xs, w, strides, dilation, pads)


def _longer(x: Any, axis: int) -> Any:
    return jnp.pad(x, [(0, int(i == axis)) for i in range(x.ndim)])


def _lengths(lengths: Sizes, size: Sizes, strides: Sizes, dilation: Sizes, pads: Pads) -> Sizes:
    """Give the output's spatial lengths."""
    each = zip(lengths, size, strides, dilation, pads, strict=True)
    return tuple((n + low + high - d * (k - 1) - 1) // s + 1 for n, k, s, d, (low, high) in each)


def _by_depth(xs: Any, w: Any, strides: Sizes, dilation: Sizes, pads: Pads) -> Any:
    """Convolve in 3-D as in 2-D: what a window sees at its several depths becomes channels.

    XLA:CPU has no fast convolution in 3-D: its own takes 20 times as long in a loop body.
    """
    count, depths = _lengths(xs.shape[1:2], w.shape[:1], strides[:1], dilation[:1], pads[:1])[0], len(w)
    xs = jnp.pad(xs, ((0, 0), pads[0], *((0, 0),) * 3))
    seen = [_every(xs, 1, i * dilation[0], count, strides[0]) for i in range(depths)]
    flat = jnp.concatenate(seen, -1).reshape(-1, *xs.shape[2:4], depths * xs.shape[-1])
    kernel = jnp.moveaxis(w, 0, 2).reshape(*w.shape[1:3], -1, w.shape[-1])
    y = convolve(flat, kernel, strides[1:], dilation[1:], pads[1:])
    return y.reshape(-1, count, *y.shape[1:])


def _every(x: Any, axis: int, start: int, count: int, stride: int) -> Any:
    return lax.slice_in_dim(x, start, start + (count - 1) * stride + 1, stride, axis)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4))
def by_plain_layouts(xs: Any, w: Any, strides: Sizes, dilation: Sizes, pads: Pads) -> Any:
    """Convolve like ``by_xla``; the reverse mode's convolutions have the layouts that XLA:CPU is fast in.

    A tangent's layouts are chosen so that its transpose, which the reverse mode runs, is a convolution
    of NHWC images with an HWIO kernel. With the layouts that JAX chooses, XLA's gradient by the kernel is 10
    to 45 times slower inside a loop body, where a training run spends its time.
    """
    return by_xla(xs, w, strides, dilation, pads)


@by_plain_layouts.defjvp
def _tangent(strides: Sizes, dilation: Sizes, pads: Pads, primals: tuple, tangents: tuple) -> tuple:
    (xs, w), (dx, dw), how, axes = primals, tangents, (strides, dilation, pads), len(strides)
    along_x = by_xla(dx, w.swapaxes(-1, -2), *how, layout=_layout("N.C", ".OI", "N.C", axes))
    lifted, kernel = xs.swapaxes(0, -1), jnp.moveaxis(dw, -2, 0)
    along_w = by_xla(lifted, kernel, *how, layout=_layout("C.N", "I.O", ".NC", axes))
    return by_xla(xs, w, *how), along_x + jnp.moveaxis(along_w, -2, 0)


def by_blocks(xs: Any, w: Any, strides: Sizes, dilation: Sizes, pads: Pads, groups: int) -> Any:
    """Convolve groups in a loop, several at once where they are narrow.

    Groups are merged as long as the result has at most ``MERGED`` channels, with zeros in the kernel between
    them: the more products cost less than narrow matrices do. The program is of one size for any number of
    groups.
    """
    size, channels, width = w.shape[:-2], w.shape[-2], w.shape[-1] // groups
    fits = (m for m in range(1, groups + 1) if groups % m == 0 and m * max(channels, width) <= MERGED)
    merged = max(fits, default=1)
    kernel = w.reshape(*size, 1, channels, -1, merged, width)
    own = jnp.eye(merged, dtype=bool)[:, None, None, :, None]
    kernel = jnp.moveaxis(jnp.where(own, kernel, 0), -3, 0)
    kernel = kernel.reshape(-1, *size, merged * channels, merged * width)
    runs = jnp.moveaxis(xs.reshape(*xs.shape[:-1], len(kernel), -1), -2, 0)
    ys = lax.map(lambda run: convolve(run[0], run[1], strides, dilation, pads), (runs, kernel))
    return jnp.moveaxis(ys, 0, -2).reshape(*ys.shape[1:-1], w.shape[-1])


def by_shifts(xs: Any, w: Any, strides: Sizes, dilation: Sizes, pads: Pads) -> Any:
    """Convolve each channel by itself: a sum of shifted images times one weight for each channel.

    In a loop over the images, because XLA fuses what makes an image, an activation say, into every reader of
    it, of which there is one for each place in the window: without the loop the step around a 3 by 3 window
    computes that 27 times, and takes 5 times as long. The checkpoint keeps the image rather than its shifts.
    """
    wide = jnp.promote_types(xs.dtype, jnp.float32)  # of as many terms as the window has places

    def one(x: Any) -> Any:
        x = jnp.repeat(x, w.shape[-1] // x.shape[-1], -1).astype(wide)
        return _shifted(x, w[..., 0, :].astype(wide), strides, dilation, pads).astype(xs.dtype)

    return lax.map(jax.checkpoint(one, prevent_cse=False), xs)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4))
def _shifted(x: Any, w: Any, strides: Sizes, dilation: Sizes, pads: Pads) -> Any:
    counts = _lengths(x.shape[:-1], w.shape[:-1], strides, dilation, pads)
    x = jnp.pad(x, (*pads, (0, 0)))

    def term(*place: int) -> Any:
        part = x
        for axis, (u, d, count, s) in enumerate(zip(place, dilation, counts, strides, strict=True)):
            part = _every(part, axis, u * d, count, s)
        return part * w[place]

    return sum(term(*place) for place in product(*map(range, w.shape[:-1])))


@_shifted.defjvp
def _shifted_tangent(strides: Sizes, dilation: Sizes, pads: Pads, primals: tuple, tangents: tuple) -> tuple:
    (x, w), (dx, dw), how = primals, tangents, (strides, dilation, pads)
    y = _shifted(x, w, *how)
    return y, _spread(dx, w, *how, y.shape[:-1]) + _shifted(x, dw, *how)


def _spread(dx: Any, w: Any, strides: Sizes, dilation: Sizes, pads: Pads, counts: Sizes) -> Any:
    """Compute ``_shifted`` so that its transpose is a sum of slices, and not of padded images."""
    spans = [d * (k - 1) for k, d in zip(w.shape, dilation, strict=False)]
    zero = jnp.zeros((), dx.dtype)

    def term(*place: int) -> Any:
        ends = [(span - u * d, u * d, 0) for u, d, span in zip(place, dilation, spans, strict=True)]
        return lax.pad(dx * w[place], zero, (*ends, (0, 0, 0)))

    whole = sum(term(*place) for place in product(*map(range, w.shape[:-1])))
    for axis, (span, (low, _), count, s) in enumerate(zip(spans, pads, counts, strides, strict=True)):
        first, last = span - low, span - low + (count - 1) * s
        ends = [(-first, last + 1 - whole.shape[axis], 0) if i == axis else (0, 0, 0) for i in range(dx.ndim)]
        whole = _every(lax.pad(whole, zero, ends), axis, 0, count, s)
    return whole
