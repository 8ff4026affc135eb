"""JAX by hand: a jitted step per dispatch, a scan per epoch, and the scan with the batch over all devices."""

import os
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.flatten_util import ravel_pytree
from jax.sharding import PartitionSpec
from sizes import LEARNING_RATE, WEIGHT_DECAY, Size, batches, make_data

from peers.handwritten_networks import INITS, LOSSES

AXIS = "device"


def build(size: Size, loop: str):
    """Choose the loop: ``step``, ``scan``, or ``devices``, a scan whose batches are spread over the cores."""
    if loop == "devices":
        jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
    return {"step": step_per_dispatch, "scan": scan_on_one, "devices": scan_on_all}[loop](size)


def begin(size: Size) -> tuple[Any, Any, Any]:
    """Give the optimizer, the first carry, and the inverse of ravelling: parameters are one vector.

    AdamW on one vector takes a tenth less time than leaf by leaf in the smallest network.
    """
    tree, state = INITS[size.kind](size)
    params, unravel = ravel_pytree(tree)
    optimizer = optax.adamw(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    return optimizer, (params, state, optimizer.init(params)), unravel


def update(size: Size, optimizer: Any, unravel: Any, axis: str | None, carry: Any, batch: Any) -> Any:
    """Take one training step; with ``axis`` the gradient is averaged over the devices in one collective."""
    (params, state, moments), (x, y, key) = carry, batch

    def objective(params: Any) -> Any:
        return LOSSES[size.kind](unravel(params), state, x, y, key, axis)

    (loss, state), gradient = jax.value_and_grad(objective, has_aux=True)(params)
    if axis:
        gradient = lax.pmean(gradient, axis)
    change, moments = optimizer.update(gradient, moments, params)
    return (params + change, state, moments), loss


def step_per_dispatch(size: Size):
    """Loop in Python over one jitted step."""
    x, y = make_data(size)
    optimizer, carry, unravel = begin(size)
    step = jax.jit(partial(update, size, optimizer, unravel, None), donate_argnums=0)
    rng, root, count = np.random.default_rng(0), jax.random.key(1), 0
    fold = jax.jit(jax.random.fold_in)

    def train(epochs: int) -> float:
        nonlocal carry, count
        for rows, targets in batches(size, x, y, epochs, rng):
            count += 1
            key = fold(root, count) if size.kind == "cnn" else root  # only the CNN draws
            carry, loss = step(carry, (rows, targets, key))
        return float(loss)

    return train


def shuffled(key: jax.Array, rows: int) -> jax.Array:
    """Permute ``rows`` up to 65,536: random high bits above the row's number in one word, sorted."""
    low = jnp.uint32((1 << (rows - 1).bit_length()) - 1)
    words = (jax.random.bits(key, (rows,), jnp.uint32) & ~low) | jnp.arange(rows, dtype=jnp.uint32)
    return (lax.sort(words, is_stable=False) & low).astype(jnp.int32)


def run_epoch(
    size: Size, optimizer: Any, unravel: Any, axis: str | None, carry: Any, data: Any, key: Any
) -> Any:
    """Train for one epoch, a scan over its batches; with ``axis`` each device takes its part of each."""
    x, y = data
    order = shuffled(jax.random.fold_in(key, 0), size.rows)[: size.steps * size.batch]
    order = order.reshape(size.steps, size.batch)
    if axis:
        share = size.batch // lax.axis_size(axis)
        order = lax.dynamic_slice_in_dim(order, lax.axis_index(axis) * share, share, axis=1)
        key = jax.random.fold_in(key, lax.axis_index(axis))

    def step(carry: Any, now: Any) -> Any:
        number, rows = now
        batch = x[rows], y[rows], jax.random.fold_in(key, number)
        return update(size, optimizer, unravel, axis, carry, batch)

    carry, losses = lax.scan(step, carry, (jnp.arange(1, size.steps + 1), order))
    return carry, lax.pmean(losses[-1], axis) if axis else losses[-1]


def scan_on_one(size: Size):
    """One dispatch per epoch."""
    optimizer, carry, unravel = begin(size)
    epoch = partial(run_epoch, size, optimizer, unravel, None)
    return epochs_of(jax.jit(epoch, donate_argnums=0), carry, jax.tree.map(jnp.asarray, make_data(size)))


def scan_on_all(size: Size):
    """One dispatch per epoch, every batch spread over the devices."""
    mesh = jax.make_mesh((jax.device_count(),), (AXIS,), axis_types=(jax.sharding.AxisType.Auto,))
    everywhere = jax.sharding.NamedSharding(mesh, PartitionSpec())
    optimizer, carry, unravel = begin(size)
    epoch = jax.shard_map(
        partial(run_epoch, size, optimizer, unravel, AXIS),
        mesh=mesh,
        in_specs=PartitionSpec(),
        out_specs=PartitionSpec(),
        check_vma=False,
    )
    carry, data = jax.device_put((carry, make_data(size)), everywhere)
    return epochs_of(jax.jit(epoch, donate_argnums=0), carry, data)


def epochs_of(epoch: Any, carry: Any, data: Any):
    """Call a compiled epoch again and again, without waiting in between."""
    count = 0

    def train(epochs: int) -> float:
        nonlocal carry, count
        for _ in range(epochs):
            count += 1
            carry, loss = epoch(carry, data, jax.random.key(count))
        return float(loss)

    return train
