"""Windows over the spatial axes of one example: size, stride, dilation and padding."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jdl.nn.layer import LayerError
from jdl.nn.scope import Scope

Pair = tuple[int, int]
Each = int | tuple[int, ...]  # a number for every axis, or one for each
Padding = str | int | tuple[Pair, ...]

NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
COUNTS = {1: "one", 2: "two", 3: "three"}


class Window(NamedTuple):
    """Settings that were checked, one for each spatial axis; ``padding`` is a name or a pair for each."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str | tuple[Pair, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """How many positions a window spans, those that dilation leaves out included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.size, self.dilation, strict=True))


def checked(window: Each, stride: Each, dilation: Each, padding: Padding) -> Window:
    """Check settings; the length of ``window`` is the number of spatial axes, a number means two."""
    size = each("window", window)
    axes = len(size)
    return Window(size, each("stride", stride, axes), each("dilation", dilation, axes), _sides(padding, axes))


def each(name: str, value: Each, axes: int | None = None, least: int = 1) -> tuple[int, ...]:
    """Read a number for every axis, or one for each; without ``axes`` as many as given, two of a number."""
    if axes is None:
        axes = len(value) if isinstance(value, Sequence) else 2
    given = tuple(value) if isinstance(value, Sequence) else (value,) * axes
    whole = all(isinstance(number, int) and number >= least for number in given)
    if axes not in NAMES or len(given) != axes or not whole:
        kind = "a positive integer" if least else "an integer from 0"
        wanted = "two (one in 1-D, three in 3-D)" if name == "window" else COUNTS[axes]
        raise LayerError(f"{name} is {value!r}, needs {kind} or {wanted}")
    return given


def _sides(padding: Padding, axes: int) -> str | tuple[Pair, ...]:
    if isinstance(padding, str) and padding in ("SAME", "VALID"):
        return padding
    pads = pairs(padding, axes)
    if pads is None:
        raise LayerError(
            f"padding is {padding!r}, needs 'SAME', 'VALID', a number, or {_example(NAMES[axes])}"
        )
    return pads


def pairs(widths: Any, axes: int) -> tuple[Pair, ...] | None:
    """Read a number for every side, or ``(low, high)`` for each axis; None where it is neither."""
    widths = ((widths, widths),) * axes if isinstance(widths, int) else widths
    nested = isinstance(widths, Sequence) and all(isinstance(side, Sequence) for side in widths)
    if not nested or [len(side) for side in widths] != [2] * axes:
        return None
    if not all(isinstance(width, int) and width >= 0 for side in widths for width in side):
        return None
    return tuple((low, high) for low, high in widths)


def _example(names: tuple[str, ...]) -> str:
    sides = {"length": "(left, right)", "depth": "(front, back)", "height": "(top, bottom)"}
    return f"({', '.join(sides.get(name, '(left, right)') for name in names)}{',' * (len(names) == 1)})"


def spatial(my: Scope, x: Any, axes: int) -> tuple[int, ...]:
    """Check that an input is one example with so many spatial axes, and give their lengths."""
    if jnp.ndim(x) != axes + 1:
        raise LayerError(
            f"{my._where()}: has shape {jnp.shape(x)}, needs ({', '.join(NAMES[axes])}, channels); "
            "one example, without a batch axis (nn.batched maps a batch)"
        )
    return jnp.shape(x)[:-1]


def pad_widths(my: Scope, x: Any, over: Window) -> tuple[Pair, ...]:
    """Check an example against a window, and give its padding as ``(low, high)`` for each axis."""
    lengths = spatial(my, x, len(over.size))
    if isinstance(over.padding, str):
        pads = tuple(jax.lax.padtype_to_pads(lengths, over.reach, over.strides, over.padding))
    else:
        pads = over.padding
    padded = tuple(n + low + high for n, (low, high) in zip(lengths, pads, strict=True))
    if any(n < span for n, span in zip(padded, over.reach, strict=True)):
        names = " and ".join(", ".join(NAMES[len(padded)]).rsplit(", ", 1))
        raise LayerError(
            f"{my._where()}: has {names} {padded}, padding included; the window needs at least {over.reach}"
        )
    return pads


def tiles(x: Any, size: tuple[int, ...]) -> Any:
    """Cut spatial axes into windows that do not overlap: ``(…, n, …, c)`` to ``(…, n / k, k, …, c)``.

    A reshape; positions that fill no window are left out.
    """
    lead, channels = x.shape[: x.ndim - 1 - len(size)], x.shape[-1]
    counts = [n // k for n, k in zip(x.shape[len(lead) : -1], size, strict=True)]
    whole = tuple(slice(count * k) for count, k in zip(counts, size, strict=True))
    cut = [length for both in zip(counts, size, strict=True) for length in both]
    return x[(*(slice(None),) * len(lead), *whole)].reshape(*lead, *cut, channels)
