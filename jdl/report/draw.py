"""Figures as SVG: each has a title that says in words what it shows, and colours of the page's own."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

WIDTH, HEIGHT = 320, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 38
SMALL_WIDTH, SMALL_HEIGHT = 96, 22

Line = tuple[str, NDArray, NDArray]  # name, x, y
Span = tuple[float, float]


def lines(
    shown: Sequence[Line],
    says: str,
    labels: tuple[str, str],
    x: Span | None = None,
    y: Span | None = None,
    *,
    diagonal: bool = False,
    dots: bool = False,
) -> str:
    """Draw curves over one pair of axes; points that are not finite part a curve."""
    whole_x, whole_y = (np.concatenate([np.asarray(line[i], float) for line in shown]) for i in (1, 2))
    x, y = x or _span(whole_x), y or _span(whole_y)
    body = [_axes(x, y, labels)]
    if diagonal:
        body.append(_path(np.array(x), np.array(y), x, y, "guide"))
    for i, (_, xs, ys) in enumerate(shown):
        body.append(_path(np.asarray(xs, float), np.asarray(ys, float), x, y, f"line c{i}"))
        if dots:
            body += _dots(xs, ys, x, y, f"dot c{i}")
    if len(shown) > 1:
        body += [
            f'<text class="c{i} key" x="{WIDTH - RIGHT - 4}" y="{HEIGHT / 2 - 8 + 14 * i}" text-anchor="end">'
            f"{escape(name)}</text>"
            for i, (name, _, _) in enumerate(shown)
        ]
    return _figure("".join(body), says)


def points(xs: ArrayLike, ys: ArrayLike, says: str, labels: tuple[str, str]) -> str:
    """Draw points, and the line on which both are the same."""
    xs, ys = np.asarray(xs, float), np.asarray(ys, float)
    span = _span(np.concatenate([xs, ys]))
    body = [_axes(span, span, labels), _path(np.array(span), np.array(span), span, span, "guide")]
    return _figure("".join([*body, *_dots(xs, ys, span, span, "dot faint c0")]), says)


def histogram(values: ArrayLike, says: str, label: str, bins: int = 24) -> str:
    """Draw how often values occur."""
    counts, edges = np.histogram(np.asarray(values, float), bins)
    x, y = (float(edges[0]), float(edges[-1])), (0.0, float(counts.max()) or 1.0)
    body = [_axes(x, y, (label, "rows"))]
    for count, (low, high) in zip(counts, pairwise(edges), strict=True):
        left, right, top = _x(low, x), _x(high, x), _y(count, y)
        body.append(_bar(left, top, max(right - left - 1, 0.5), _y(0, y) - top))
    return _figure("".join(body), says)


def spark(counts: ArrayLike, says: str) -> str:
    """Draw counts as small bars, for a cell of a table."""
    counts = np.asarray(counts, float)
    height = SMALL_HEIGHT * counts / (counts.max() or 1.0)
    step = SMALL_WIDTH / max(len(counts), 1)
    bars = (_bar(i * step, SMALL_HEIGHT - tall, max(step - 1, 0.5), tall) for i, tall in enumerate(height))
    return (
        f'<svg class="spark" viewBox="0 0 {SMALL_WIDTH} {SMALL_HEIGHT}" role="img" '
        f'aria-label="{escape(says)}"><title>{escape(says)}</title>{"".join(bars)}</svg>'
    )


def grid(counts: NDArray, names: Sequence[str], says: str) -> str:
    """Draw a confusion matrix: rows what was true, columns what was predicted, shaded by share of the row."""
    size = len(names)
    cell = min(44.0, 250 / size)
    left, top = 64, 22
    body = [f'<text class="label" x="{left}" y="12">predicted</text>']
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    for i, name in enumerate(names):
        middle = top + (i + 0.6) * cell
        body.append(
            f'<text class="tick" x="{left - 4}" y="{middle:.1f}" text-anchor="end">'
            f"{escape(cut(name, 9))}</text>"
        )
        for j in range(size):
            x, y = left + j * cell, top + i * cell
            title = f"{name}, predicted {names[j]}: {counts[i, j]:,} rows"
            body.append(
                f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{cell - 1:.1f}" height="{cell - 1:.1f}" '
                f'fill-opacity="{0.06 + 0.8 * shares[i, j]:.2f}"><title>{escape(title)}</title></rect>'
            )
            if size <= 6:
                body.append(
                    f'<text class="count" x="{x + cell / 2:.1f}" y="{middle:.1f}" text-anchor="middle">'
                    f"{counts[i, j]:,}</text>"
                )
    high = top + size * cell + 16
    for j, name in enumerate(names if size <= 6 else ()):
        body.append(
            f'<text class="tick" x="{left + (j + 0.5) * cell:.1f}" y="{high - 2:.1f}" '
            f'text-anchor="middle">{escape(cut(name, 7))}</text>'
        )
    return _figure("".join(body), says, max(left + size * cell, 200), high + 4)


def _figure(body: str, says: str, width: float = WIDTH, height: float = HEIGHT) -> str:
    said = escape(says)
    return (
        f'<figure><svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{said}">'
        f"<title>{said}</title>{body}</svg></figure>"
    )


def _axes(x: Span, y: Span, labels: tuple[str, str]) -> str:
    low, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    found = [f'<path class="axis" d="M{LEFT} {TOP}V{low}H{right}"/>']
    for value in _ticks(x):
        at = _x(value, x)
        found.append(
            f'<text class="tick" x="{at:.1f}" y="{low + 14}" text-anchor="middle">{short(value)}</text>'
        )
    for value in _ticks(y):
        at = _y(value, y)
        found.append(f'<path class="rule" d="M{LEFT} {at:.1f}H{right}"/>')
        found.append(
            f'<text class="tick" x="{LEFT - 5}" y="{at + 3:.1f}" text-anchor="end">{short(value)}</text>'
        )
    middle, height = (LEFT + right) / 2, (TOP + low) / 2
    found.append(
        f'<text class="label" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(labels[0])}</text>'
    )
    found.append(
        f'<text class="label" transform="translate(10 {height}) rotate(-90)" text-anchor="middle">'
        f"{escape(labels[1])}</text>"
    )
    return "".join(found)


def _path(xs: NDArray, ys: NDArray, x: Span, y: Span, kind: str) -> str:
    command, parts = "M", []
    for a, b in zip(xs, ys, strict=True):
        if not (np.isfinite(a) and np.isfinite(b)):
            command = "M"
            continue
        parts.append(f"{command}{_x(a, x):.1f} {_y(b, y):.1f}")
        command = "L"
    return f'<path class="{kind}" d="{"".join(parts)}"/>'


def _dots(xs: ArrayLike, ys: ArrayLike, x: Span, y: Span, kind: str) -> list[str]:
    pairs = zip(np.asarray(xs, float), np.asarray(ys, float), strict=True)
    there = ((a, b) for a, b in pairs if np.isfinite(a) and np.isfinite(b))
    return [f'<circle class="{kind}" cx="{_x(a, x):.1f}" cy="{_y(b, y):.1f}" r="2.2"/>' for a, b in there]


def _bar(x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}"/>'


def _x(value: float, span: Span) -> float:
    return LEFT + (value - span[0]) / (span[1] - span[0]) * (WIDTH - LEFT - RIGHT)


def _y(value: float, span: Span) -> float:
    return HEIGHT - BOTTOM - (value - span[0]) / (span[1] - span[0]) * (HEIGHT - TOP - BOTTOM)


def _span(values: NDArray) -> Span:
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _ticks(span: Span) -> list[float]:
    """Give up to six round numbers within a span."""
    raw = (span[1] - span[0]) / 4
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    first = np.ceil(span[0] / step - 1e-9)
    count = int(np.floor(span[1] / step + 1e-9) - first) + 1
    return [float((first + i) * step) for i in range(count)]


def cut(text: str, most: int) -> str:
    """Shorten a text to so many characters.

    >>> cut("Self-employed", 8)
    'Self-em…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"


def short(value: float) -> str:
    """Write a number in few characters.

    >>> short(0.25), short(12000.0), short(1.5e6), short(-0.0)
    ('0.25', '12k', '1.5M', '0')
    """
    if value == 0:
        return "0"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
