"""What the adapters share: torch's layouts, and a network on one example or on a batch."""

from typing import Any

import jax.numpy as jnp

from jdl import nn


def run(net: Any, params: Any, x: Any, *others: Any, axes: int, **keywords: Any) -> Any:
    """Run a network without state: on one example, where ``x`` has ``axes`` axes, else on a batch."""
    keywords = {name: value for name, value in keywords.items() if value is not None}
    if x.ndim == axes:
        return net(params, x, *others, **keywords)
    return nn.batched(net)(params, {}, x, *others, **keywords)[0]


def run_image(net: Any, params: Any, x: Any, spatial: int) -> Any:
    """Run a network of one image, channels last, on torch's ``(c, …)`` or ``(b, c, …)``."""
    y = run(net, params, jnp.moveaxis(x, -spatial - 1, -1), axes=spatial + 1)
    return jnp.moveaxis(y, -1, -spatial - 1)


def renamed(weights: Any, **names: str) -> dict[str, Any]:
    """Give weights other names, ``ours=theirs``, where torch's module has them."""
    return {ours: weights[theirs] for ours, theirs in names.items() if theirs in weights}


def below(weights: Any, part: str) -> dict[str, Any]:
    """Give the weights of a part, by their names inside it."""
    return {name.removeprefix(f"{part}."): w for name, w in weights.items() if name.startswith(f"{part}.")}


def each(value: Any, count: int) -> tuple:
    """Repeat a number for every axis."""
    return tuple(value) if isinstance(value, tuple | list) else (value,) * count


def pads(padding: Any, count: int) -> tuple[tuple[int, int], ...]:
    """Give torch's padding, the same on both sides of an axis, as ours."""
    return tuple((width, width) for width in each(padding, count))
