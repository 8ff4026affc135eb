"""Losses of how near outputs are to one another: cosine, ranking, triplet, contrastive."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.losses._checks import labels, vectors


def cosine(outputs: ArrayLike, target: ArrayLike) -> jax.Array:
    r"""One less the cosine of the angle between two vectors: :math:`1 - \frac{o \cdot y}{\|o\| \|y\|}`.

    Args:
        outputs: ``(d,)``.
        target: ``(d,)``.

    Returns:
        A float32 scalar from 0 to 2; 1, with a gradient of zero, where a vector is zero.

    Raises:
        ValueError: The inputs are not vectors of one length.

    >>> cosine(jnp.array([1.0, 0.0]), jnp.array([0.0, 2.0])).item()
    1.0
    """
    outputs, target = vectors("cosine", outputs=outputs, target=target)
    return 1.0 - _similarity(outputs, target)


def cosine_embedding(
    first: ArrayLike, second: ArrayLike, target: ArrayLike, *, margin: ArrayLike = 0.0
) -> jax.Array:
    r"""Draw two vectors together where ``target`` is 1, and apart where it is 0.

    .. math:: y\,(1 - \cos) + (1 - y) \max(0, \cos - m)

    Equal to ``torch.nn.CosineEmbeddingLoss``, whose targets are 1 and -1.

    Args:
        first: ``(d,)``.
        second: ``(d,)``.
        target: ``()``, a boolean or a number from 0 to 1.
        margin: :math:`m`, from -1 to 1.

    Returns:
        A float32 scalar; NaN where the target lies outside 0 to 1.

    Raises:
        ValueError: Shapes that do not fit.

    >>> cosine_embedding(jnp.array([1.0, 0.0]), jnp.array([2.0, 0.0]), 0).item()
    1.0
    """
    first, second = vectors("cosine_embedding", first=first, second=second)
    similarity, target = labels("cosine_embedding", _similarity(first, second), target)
    apart = jnp.maximum(0.0, similarity - margin)
    return (target * (1.0 - similarity) + (1.0 - target) * apart).astype(jnp.float32)


def margin_ranking(
    first: ArrayLike, second: ArrayLike, target: ArrayLike, *, margin: ArrayLike = 0.0
) -> jax.Array:
    r"""Ask ``first`` to be greater where the target is 1, ``second`` where it is 0, averaged over elements.

    .. math:: \max(0, m - (2 y - 1)(a - b))

    Equal to ``torch.nn.MarginRankingLoss``, whose targets are 1 and -1.

    Args:
        first: Scores :math:`a` of any shape.
        second: Scores :math:`b` of the same shape.
        target: Booleans or numbers from 0 to 1, of the same shape.
        margin: :math:`m`.

    Returns:
        A float32 scalar; NaN where a target lies outside 0 to 1.

    Raises:
        ValueError: Shapes that do not fit.

    >>> margin_ranking(jnp.array(1.0), jnp.array(3.0), True).item()
    2.0
    """
    first, second = jnp.asarray(first, jnp.float32), jnp.asarray(second, jnp.float32)
    if first.shape != second.shape:
        raise ValueError(f"margin_ranking: found the shapes {first.shape} and {second.shape}, needs one")
    lead, target = labels("margin_ranking", first - second, target)
    return jnp.mean(jnp.maximum(0.0, margin - (2.0 * target - 1.0) * lead)).astype(jnp.float32)


def triplet(
    anchor: ArrayLike, positive: ArrayLike, negative: ArrayLike, *, margin: ArrayLike = 1.0
) -> jax.Array:
    r"""Ask a vector to be nearer to ``positive`` than to ``negative``, by a margin.

    .. math:: \max(0, \|a - p\| - \|a - n\| + m)

    in Euclidean distance. Equal to ``torch.nn.TripletMarginLoss``, which adds 1e-6 to every difference too:
    the gradient is finite where two vectors are the same. In a recipe the network gives all three:
    ``loss = lambda outputs, target: triplet(*outputs)``.

    Args:
        anchor: ``(d,)``.
        positive: ``(d,)``.
        negative: ``(d,)``.
        margin: :math:`m`.

    Raises:
        ValueError: The inputs are not vectors of one length.

    Reference: Schroff et al., 2015, https://arxiv.org/abs/1503.03832.

    >>> triplet(jnp.array([0.0, 0.0]), jnp.array([3.0, 4.0]), jnp.array([0.0, 5.5])).round(4).item()
    0.5
    """
    anchor, positive, negative = vectors("triplet", anchor=anchor, positive=positive, negative=negative)
    near, far = (jnp.linalg.norm(anchor - other + 1e-6) for other in (positive, negative))
    return jnp.maximum(0.0, near - far + margin).astype(jnp.float32)


def info_nce(
    anchor: ArrayLike,
    positive: ArrayLike,
    negatives: ArrayLike,
    *,
    temperature: ArrayLike = 0.1,
    where: ArrayLike = True,
) -> jax.Array:
    r"""Cross-entropy of telling a vector's positive from its negatives by their cosines.

    .. math:: -\log \frac{e^{\cos(a, p) / \tau}}{e^{\cos(a, p) / \tau} + \sum_j e^{\cos(a, n_j) / \tau}}

    The loss is of one anchor. For the other rows of a batch as its negatives, gather them over the axis
    ``"batch"``, which is there in training; rows that a run pads its last batch with count as negatives too:

    >>> def loss(outputs, target):
    ...     anchor, positive = outputs
    ...     everyone = jax.lax.all_gather(positive, "batch")
    ...     other = jnp.arange(len(everyone)) != jax.lax.axis_index("batch")
    ...     return info_nce(anchor, positive, everyone, where=other)
    >>> pairs = jnp.eye(3), jnp.eye(3)
    >>> jax.vmap(loss, axis_name="batch")(pairs, jnp.zeros(3)).round(4).tolist()
    [0.0001, 0.0001, 0.0001]

    Args:
        anchor: ``(d,)``.
        positive: ``(d,)``.
        negatives: ``(n, d)``.
        temperature: :math:`\tau`, above 0.
        where: ``(n,)`` booleans: which negatives count.

    Raises:
        ValueError: Shapes that do not fit.

    Reference: van den Oord et al., 2018, https://arxiv.org/abs/1807.03748.
    """
    anchor, positive = vectors("info_nce", anchor=anchor, positive=positive)
    negatives = jnp.asarray(negatives, jnp.float32)
    if negatives.shape[1:] != anchor.shape:
        raise ValueError(
            f"info_nce: the negatives have shape {negatives.shape}, needs (n, {anchor.size}) for an anchor of"
            f" shape {anchor.shape}"
        )
    own = _similarity(anchor, positive) / temperature
    cosines = jnp.matmul(_unit(negatives), _unit(anchor), precision=jax.lax.Precision.HIGHEST)
    others = jnp.where(where, cosines / temperature, -jnp.inf)
    return (jax.nn.logsumexp(jnp.append(others, own)) - own).astype(jnp.float32)


def _similarity(first: jax.Array, second: jax.Array) -> jax.Array:
    return jnp.sum(_unit(first) * _unit(second))


def _unit(x: jax.Array) -> jax.Array:
    """Scale vectors on the last axis to length one; zero stays zero, its gradient too."""
    squares = jnp.sum(x * x, axis=-1, keepdims=True)
    zero = squares == 0
    return jnp.where(zero, 0.0, x * jax.lax.rsqrt(jnp.where(zero, 1.0, squares)))
