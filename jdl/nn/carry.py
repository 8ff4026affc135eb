"""What layers over a sequence share: its shape and padding, what they begin with and what they keep."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from jdl.nn import init as inits
from jdl.nn.layer import Layer, LayerError, as_layer
from jdl.nn.recur import Carry
from jdl.nn.scope import Scope, join_path

CARRIED = ("h", "c")  # the names of what is carried, in order


@dataclass(frozen=True)
class Recurrent:
    """The forward function of a recurrent layer: ``run`` gives the outputs and the last carry."""

    run: Callable[..., tuple[Any, Any]]
    reversible: bool = True  # ``run`` takes ``reverse``

    def __call__(self, my: Scope, *inputs: Any, **keywords: Any) -> Any:
        return self.run(my, *inputs, **keywords)[0]


def recurrent(part: Any, owner: str) -> tuple[Layer, Recurrent]:
    """Give a part and its forward function, or refuse one that carries nothing."""
    part = as_layer(part)
    if not isinstance(part._forward, Recurrent):
        raise LayerError(f"{owner}: found {part!r}, needs a recurrent layer: rnn, lstm, gru, …")
    return part, part._forward


def sequence(my: Scope, x: Any) -> tuple[int, int]:
    """Give the length of a sequence, and that of its rows."""
    if jnp.ndim(x) != 2:
        raise LayerError(f"{my._where()}: has shape {jnp.shape(x)}, needs (length, n)")
    return x.shape


def kept(my: Scope, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """Give what a cache keeps of one sequence, in a layer that is used once a pass; None without a cache."""
    value = my.cache(name, shape, inits.zeros, dtype)
    if value is not None and join_path(my._path, name) in my._run.stored:
        raise LayerError(f"{my._where()}: used twice in one pass, but its cache keeps one sequence")
    return value


def check_sequence(my: Scope, x: Any, length: Any) -> None:
    """Refuse an input that is no sequence, and a length that is not one integer."""
    sequence(my, x)
    if length is None:
        return
    shape, dtype = jnp.shape(length), jnp.result_type(length)
    if shape or not jnp.issubdtype(dtype, jnp.integer):
        raise LayerError(f"{my._where()}: length has shape {shape} and dtype {dtype}, needs one integer")


def begin(my: Scope, carried: int, width: int, dtype: Any, start: Any, reverse: bool) -> Carry:
    """Give the arrays to begin with: of the cache, else what was given, else zeros."""
    carry = [kept(my, name, (width,), dtype) for name in CARRIED[:carried]]
    if carry[0] is not None:
        if reverse:
            raise LayerError(f"{my._where()}: runs backwards, and so cannot be decoded with a cache")
        if start is not None:
            raise LayerError(f"{my._where()}: found a start and a cache, which holds the state; give one")
        return tuple(each.astype(dtype) for each in carry)
    if start is None:
        return (jnp.zeros(width, dtype),) * carried
    given = tuple(start) if carried > 1 else (start,)
    found, needed = [jnp.shape(each) for each in given], [(width,)] * carried
    if found != needed:
        raise LayerError(f"{my._where()}: the start has shapes {found}, needs {needed}")
    return tuple(jnp.asarray(each, dtype) for each in given)


def time_first(batch: Any) -> tuple[Any, Any]:
    """Give the inputs ``(length, batch, n)``, and where they are real, ``(length, batch, 1)``, or None."""
    x = jnp.swapaxes(batch["x"], 0, 1)
    if "length" not in batch:
        return x, None
    live = (jnp.arange(x.shape[0])[:, None] < batch["length"])[..., None]
    return jnp.where(live, x, 0), live  # whatever the padding holds, no gradient meets it
