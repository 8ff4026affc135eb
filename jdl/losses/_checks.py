"""What every loss asks of its inputs: the shape, the type, float32."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def as_logits(name: str, logits: ArrayLike) -> jax.Array:
    """Give logits in float32."""
    logits = jnp.asarray(logits)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise ValueError(f"{name}: logits are {logits.dtype}, needs floating-point numbers")
    return logits.astype(jnp.float32)


def as_class_logits(name: str, logits: ArrayLike, single: str) -> jax.Array:
    """Give logits ``(..., k)`` of two classes or more in float32."""
    logits = as_logits(name, logits)
    if logits.ndim == 0 or logits.shape[-1] < 2:
        raise ValueError(
            f"{name}: logits have shape {logits.shape}, needs (..., classes) with two classes or more;"
            f" for a single logit use {single}"
        )
    return logits


def elementwise(name: str, outputs: ArrayLike, target: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Both in float32 and in one shape; a scalar target fits a single output."""
    outputs, target = jnp.asarray(outputs, jnp.float32), jnp.asarray(target, jnp.float32)
    if target.shape == () and outputs.shape == (1,):
        target = target[None]
    if outputs.shape != target.shape:
        raise ValueError(f"{name}: the target has shape {target.shape}, needs the outputs' {outputs.shape}")
    return outputs, target


def labels(name: str, logits: ArrayLike, target: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Logits and labels in one shape; a label outside 0 to 1 is NaN."""
    logits, target = elementwise(name, as_logits(name, logits), target)
    return logits, jnp.where((target >= 0) & (target <= 1), target, jnp.nan)


def class_probabilities(name: str, target: ArrayLike, shape: tuple[int, ...]) -> jax.Array:
    """Rows of probabilities from classes or probabilities; NaN for a class that does not exist."""
    target = jnp.asarray(target)
    if target.shape == shape:
        return target.astype(jnp.float32)
    if target.shape == shape[:-1] and not jnp.issubdtype(target.dtype, jnp.inexact):
        classes = jnp.arange(shape[-1])
        exists = (target >= 0) & (target < shape[-1])
        # Comparing, not indexing: the gradient of a gather is a scatter, slow inside a scan on a CPU.
        return jnp.where(exists[..., None], (target[..., None] == classes).astype(jnp.float32), jnp.nan)
    raise ValueError(
        f"{name}: the target is {target.dtype} of shape {target.shape}; logits of shape {shape} need"
        f" integer classes of shape {shape[:-1]} or probabilities of shape {shape}"
    )


def vectors(name: str, **given: ArrayLike) -> list[jax.Array]:
    """Give vectors ``(d,)`` of one length in float32."""
    arrays = [jnp.asarray(array, jnp.float32) for array in given.values()]
    if arrays[0].ndim != 1 or len({array.shape for array in arrays}) > 1:
        found = ", ".join(f"{key} {array.shape}" for key, array in zip(given, arrays, strict=True))
        raise ValueError(f"{name}: found the shapes {found}; needs vectors (d,) of one length")
    return arrays


def scalar_option(name: str, option: str, value: ArrayLike, shape: tuple[int, ...]) -> jax.Array:
    """Give an option in float32: a scalar, or one value for each output."""
    array = jnp.asarray(value, jnp.float32)
    if array.shape not in ((), shape):
        raise ValueError(f"{name}: {option} has shape {array.shape}, needs () or {shape}")
    return array
