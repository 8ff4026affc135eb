"""The networks in plain JAX, in the formulations measured fastest on a CPU.

Every product with weights is two-dimensional: over more axes the weight gradient contracts several, and XLA
copies a whole transposed operand first. The gradients of a convolution are convolutions with their operands
transposed by hand: the ones JAX derives permute the dimension numbers instead, and in a loop XLA then takes
a path 30 times slower.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from sizes import CLASSES, DEPTH, DROPOUT, HEADS, LENGTH, VOCABULARY, Size

Array = jax.Array


def dense_init(rng: np.random.Generator, inputs: int, outputs: int) -> dict:
    """Weights with variance one over the inputs."""
    return {"w": drawn(rng, inputs, inputs, outputs), "b": jnp.zeros(outputs)}


def drawn(rng: np.random.Generator, inputs: int, *shape: int) -> Array:
    """Draw normal weights for so many inputs."""
    return jnp.asarray(rng.normal(size=shape) / inputs**0.5, jnp.float32)


def flat(x: Array) -> Array:
    """Merge all axes but the last."""
    return x.reshape(-1, x.shape[-1])


def dense(p: dict, x: Array) -> Array:
    """Affine map of the last axis."""
    return (flat(x) @ p["w"]).reshape(*x.shape[:-1], p["w"].shape[-1]) + p["b"]


def mlp_init(size: Size) -> tuple[Any, Any]:
    """Parameters and (no) state."""
    rng, widths = np.random.default_rng(0), (30, size.width, size.width, 2)
    return [dense_init(rng, a, b) for a, b in zip(widths, widths[1:], strict=False)], ()


def mlp_loss(params: Any, state: Any, x: Array, y: Array, key: Array, axis: str | None) -> tuple[Array, Any]:
    """Cross-entropy of the batch."""
    for p in params[:-1]:
        x = jax.nn.relu(dense(p, x))
    return cross_entropy(dense(params[-1], x), y), state


def cross_entropy(logits: Array, y: Array) -> Array:
    """Mean over all targets."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def convolution(x: Array, w: Array, padding: Any = "SAME") -> Array:
    """XLA's convolution of ``(b, h, w, c)`` with ``(kh, kw, c, o)``."""
    return lax.conv_general_dilated(x, w, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


@jax.custom_vjp
def conv(x: Array, w: Array) -> Array:
    """Convolve with a 3 by 3 kernel, padded with zeros."""
    return convolution(x, w)


def conv_forward(x: Array, w: Array) -> tuple[Array, Any]:
    """Convolve and keep the arguments."""
    return convolution(x, w), (x, w)


def conv_backward(kept: Any, g: Array) -> tuple[Array, Array]:
    """Convolve with the mirrored kernel; for the weights, convolve across the batch."""
    x, w = kept
    dx = convolution(g, w[::-1, ::-1].swapaxes(2, 3))
    dw = convolution(x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3), ((1, 1), (1, 1)))
    return dx, dw.transpose(1, 2, 0, 3)


conv.defvjp(conv_forward, conv_backward)


def batch_norm(p: dict, running: dict, x: Array, axis: str | None) -> tuple[Array, dict]:
    """Normalise over batch and pixels; move the running statistics."""
    mean, square = x.mean((0, 1, 2)), jnp.square(x).mean((0, 1, 2))
    if axis:
        mean, square = lax.pmean((mean, square), axis)
    var = square - jnp.square(mean)
    scale = p["scale"] * lax.rsqrt(var + 1e-5)
    moved = {"mean": 0.9 * running["mean"] + 0.1 * mean, "var": 0.9 * running["var"] + 0.1 * var}
    return x * scale + (p["bias"] - mean * scale), lax.stop_gradient(moved)


def max_pool(x: Array) -> Array:
    """Take the largest of each two by two pixels."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))


def cnn_init(size: Size) -> tuple[Any, Any]:
    """Parameters and running statistics."""
    rng, widths = np.random.default_rng(0), (size.width, 2 * size.width)
    params = {"dense": dense_init(rng, 49 * widths[1], 128), "out": dense_init(rng, 128, CLASSES)}
    for i, (inputs, width) in enumerate(zip((1, size.width), widths, strict=True)):
        params[f"conv{i}"] = {"w": drawn(rng, 9 * inputs, 3, 3, inputs, width), "b": jnp.zeros(width)}
        params[f"norm{i}"] = {"scale": jnp.ones(width), "bias": jnp.zeros(width)}
    return params, [{"mean": jnp.zeros(width), "var": jnp.ones(width)} for width in widths]


def cnn_loss(params: Any, state: Any, x: Array, y: Array, key: Array, axis: str | None) -> tuple[Array, Any]:
    """Cross-entropy of the batch, and the moved running statistics."""
    moved = []
    for i, running in enumerate(state):
        x = conv(x, params[f"conv{i}"]["w"]) + params[f"conv{i}"]["b"]
        x, now = batch_norm(params[f"norm{i}"], running, x, axis)
        x = max_pool(jax.nn.relu(x))
        moved.append(now)
    x = jax.nn.relu(dense(params["dense"], x.reshape(x.shape[0], -1)))
    x = jnp.where(jax.random.bernoulli(key, 1 - DROPOUT, x.shape), x / (1 - DROPOUT), 0)
    return cross_entropy(dense(params["out"], x), y), moved


def layer_norm(p: dict, x: Array) -> Array:
    """Normalise the last axis, from deviations: a mean of squares takes longer."""
    x = x - x.mean(-1, keepdims=True)
    return x * lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-5) * p["scale"] + p["bias"]


def attention(p: dict, x: Array) -> Array:
    """Causal multi-head attention; one product gives queries, keys and values."""
    b, length, width = x.shape
    q, k, v = jnp.split(dense(p["qkv"], x).reshape(b, length, 3 * HEADS, width // HEADS), 3, axis=2)
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * (width // HEADS) ** -0.5
    scores = jnp.where(jnp.tril(jnp.ones((length, length), bool)), scores, -1e30)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v)
    return dense(p["out"], mixed.reshape(x.shape))


def transformer_init(size: Size) -> tuple[Any, Any]:
    """Parameters and (no) state."""
    rng, width = np.random.default_rng(0), size.width

    def norm() -> dict:
        return {"scale": jnp.ones(width), "bias": jnp.zeros(width)}

    def block() -> dict:
        qkv, out = dense_init(rng, width, 3 * width), dense_init(rng, width, width)
        up, down = dense_init(rng, width, 4 * width), dense_init(rng, 4 * width, width)
        return {"norm1": norm(), "qkv": qkv, "out": out, "norm2": norm(), "up": up, "down": down}

    tables = {"tokens": drawn(rng, width, VOCABULARY, width), "positions": drawn(rng, width, LENGTH, width)}
    blocks = [block() for _ in range(DEPTH)]
    return {**tables, "blocks": blocks, "norm": norm(), "head": dense_init(rng, width, VOCABULARY)}, ()


def transformer_loss(
    params: Any, state: Any, x: Array, y: Array, key: Array, axis: str | None
) -> tuple[Array, Any]:
    """Cross-entropy of the next token; blocks unrolled, which is faster than scanned."""
    h = params["tokens"][x] + params["positions"]
    for p in params["blocks"]:
        h = h + attention(p, layer_norm(p["norm1"], h))
        h = h + dense(p["down"], jax.nn.gelu(dense(p["up"], layer_norm(p["norm2"], h))))
    return cross_entropy(dense(params["head"], layer_norm(params["norm"], h)), y), state


INITS = {"mlp": mlp_init, "cnn": cnn_init, "transformer": transformer_init}
LOSSES = {"mlp": mlp_loss, "cnn": cnn_loss, "transformer": transformer_loss}
