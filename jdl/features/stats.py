"""Weighted statistics of one column, in which a row of weight zero has no part."""

import jax
import jax.numpy as jnp


def moments(values: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Give the weighted mean and standard deviation of ``values`` (n,), missing ones left out.

    ``mean = sum w x / sum w`` and ``std = sqrt(sum w (x - mean)^2 / sum w)``, over the finite values of
    positive weight, in passes about an ever better mean, so that float32 keeps its digits under a large
    offset. The std of equal values is exactly 0; a column without usable values gives 0 and 0.

    >>> mean, std = moments(jnp.array([1.0, 3.0, jnp.nan, 99.0]), jnp.array([1.0, 1.0, 1.0, 0.0]))
    >>> float(mean), float(std)
    (2.0, 1.0)
    """
    there = (weight > 0) & jnp.isfinite(values)
    share = jnp.where(there, weight, 0.0)
    share = share / jnp.maximum(share.sum(), jnp.finfo(share.dtype).tiny)
    low = jnp.where(there, values, jnp.inf).min()
    high = jnp.where(there, values, -jnp.inf).max()
    rough = (share * jnp.where(there, values, 0.0)).sum()
    shifted = jnp.where(there, values - rough, 0.0)
    step = (share * shifted).sum()
    centered = jnp.where(there, shifted - step, 0.0)
    std = jnp.sqrt((share * centered**2).sum())
    varies = low < high
    return jnp.where(varies, rough + step, jnp.where(there.any(), low, 0.0)), jnp.where(varies, std, 0.0)
