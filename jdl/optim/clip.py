"""Changes of updates that hold no state: clipping, centring, factors by path."""

from collections.abc import Mapping
from functools import reduce

import jax
import jax.numpy as jnp
import optax

from jdl import tree
from jdl.optim.core import Number, check_patterns, stateless


def scale_by_path(factors: Mapping[str, Number]) -> optax.GradientTransformation:
    """Multiply updates by factors chosen by parameter path: learning rates by layer, 0 to hold a part still.

    Args:
        factors: Factors by path pattern (``jdl.tree.matches``), the first that matches, 1 where none does.

    Raises:
        ValueError: A pattern matches no parameter.

    >>> from jdl.optim import chain, sgd
    >>> optimizer = chain(sgd(1.0), scale_by_path({"*/b": 0.1}))
    >>> params = {"dense": {"w": jnp.array(1.0), "b": jnp.array(1.0)}}
    >>> updates, _ = optimizer.update(params, optimizer.init(params))
    >>> print(updates["dense"]["b"], updates["dense"]["w"])
    -0.1 -1.0
    """

    def init(params: optax.Params) -> optax.EmptyState:
        check_patterns("scale_by_path", factors, params)
        return optax.EmptyState()

    def scale(path: str, u: jax.Array) -> jax.Array:
        return (tree.lookup(factors, path, 1.0) * u).astype(u.dtype)

    return stateless(lambda updates: tree.map_by_path(scale, updates), init)


def clip_by_norm(max_norm: Number) -> optax.GradientTransformation:
    r"""Shrink updates whose global norm exceeds ``max_norm``: :math:`u \min(1, c / \lVert u \rVert)`.

    A gradient of zero stays zero, its derivative finite; one NaN or infinite element makes all updates NaN.

    Reference: Pascanu et al., 2013, https://arxiv.org/abs/1211.5063.

    >>> clip = clip_by_norm(1.0)
    >>> print(clip.update(jnp.array([3.0, 4.0]), clip.init(None))[0])
    [0.6 0.8]
    """

    def clip(updates: optax.Updates) -> optax.Updates:
        # The largest element is divided out first: squares of a gradient that explodes overflow at 1.8e19.
        leaves = [u.astype(jnp.float32) for u in jax.tree.leaves(updates)]
        largest = reduce(jnp.maximum, [jnp.max(jnp.abs(u), initial=0.0) for u in leaves], jnp.zeros(()))
        unit = jax.lax.stop_gradient(jnp.where(largest == 0.0, 1.0, largest))
        squares = sum(jnp.sum(jnp.square(u / unit)) for u in leaves)
        norm = unit * jnp.sqrt(jnp.where(largest == 0.0, 1.0, squares))
        factor = jnp.minimum(1.0, max_norm / norm)
        return jax.tree.map(lambda u: (factor * u).astype(u.dtype), updates)

    return stateless(clip)


def clip_by_value(limit: Number) -> optax.GradientTransformation:
    """Clip every element of the updates to the range from ``-limit`` to ``limit``; NaN stays NaN.

    >>> clip = clip_by_value(1.0)
    >>> clip.update(jnp.array([3.0, -0.5]), clip.init(None))[0].tolist()
    [1.0, -0.5]
    """
    clip = optax.clip(limit)
    return stateless(lambda updates: clip.update(updates, optax.EmptyState())[0])


def centralize() -> optax.GradientTransformation:
    """Take from the gradient of every weight its mean over the inputs, that is over all axes but the last.

    Vectors and numbers, such as biases, stay as they are.

    Reference: Yong et al., 2020, https://arxiv.org/abs/2004.01461.

    >>> centre = centralize()
    >>> print(centre.update(jnp.array([[1.0, 5.0], [3.0, 5.0]]), centre.init(None))[0])
    [[-1.  0.]
     [ 1.  0.]]
    """

    def centred(u: jax.Array) -> jax.Array:
        return u - jnp.mean(u, axis=range(u.ndim - 1), keepdims=True) if u.ndim > 1 else u

    return stateless(lambda updates: jax.tree.map(centred, updates))
