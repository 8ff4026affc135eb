"""Losses of sequences whose alignment with the target is not known."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jdl.losses._checks import as_class_logits

IMPOSSIBLE = -1e30  # in place of -inf, whose differences are NaN in the gradient


def ctc(
    logits: ArrayLike, target: ArrayLike, *, length: ArrayLike | None = None, blank: ArrayLike = 0
) -> jax.Array:
    r"""Connectionist temporal classification: minus the log-probability of all alignments with the target.

    An alignment gives every frame a class or the blank; with repeats merged and blanks taken out it reads as
    the target. Equal to ``torch.nn.CTCLoss(reduction="none")`` of log-softmax logits.

    Args:
        logits: ``(t, k)``: a row of class logits for each frame.
        target: ``(n,)`` integer classes, without the blank, filled up with -1 at the end.
        length: How many frames count, ``t`` if not given.
        blank: The class that stands for none.

    Returns:
        A float32 scalar: infinite, with a gradient of zero, where the frames are too few for the target; NaN
        for a class above ``k - 1`` or equal to the blank.

    Raises:
        ValueError: Shapes or dtypes that do not fit.

    Reference: Graves et al., 2006, https://doi.org/10.1145/1143844.1143891.

    >>> print(f"{ctc(jnp.zeros((2, 2)), jnp.array([1, -1])):.4f}")
    0.2877
    """
    logits = as_class_logits("ctc", logits, "more classes: the blank is one")
    target = jnp.asarray(target)
    if logits.ndim != 2 or target.ndim != 1 or jnp.issubdtype(target.dtype, jnp.inexact):
        raise ValueError(
            f"ctc: logits have shape {logits.shape}, the target is {target.dtype} of shape {target.shape};"
            " needs (frames, classes) and integers (n,)"
        )
    length = logits.shape[0] if length is None else length
    path = _with_blanks(target, blank)
    emitted = _emitted(jax.nn.log_softmax(logits), path)
    total = _sum_of_alignments(emitted, path, length, 2 * jnp.sum(target >= 0))
    loss = jnp.where(total < 0.5 * IMPOSSIBLE, jnp.inf, -total)
    wrong = jnp.any((target >= logits.shape[1]) | ((target >= 0) & (target == blank)))
    return jnp.where(wrong, jnp.nan, loss)


def _with_blanks(target: jax.Array, blank: ArrayLike) -> jax.Array:
    """Put the blank before, between and after the classes: ``(2 n + 1,)``."""
    apart = jnp.stack([jnp.full_like(target, blank), target], axis=1).reshape(-1)
    return jnp.append(apart, blank)


def _emitted(log_softmax: jax.Array, path: jax.Array) -> jax.Array:
    """Give the log-probability of each place of the path in each frame, ``(t, 2 n + 1)``."""
    # As a product with a one-hot matrix, not by indexing: the gradient of a gather is a scatter.
    chosen = (path == jnp.arange(log_softmax.shape[1])[:, None]).astype(jnp.float32)
    finite = jnp.maximum(log_softmax, IMPOSSIBLE)
    return jnp.matmul(finite, chosen, precision=jax.lax.Precision.HIGHEST)


def _sum_of_alignments(emitted: jax.Array, path: jax.Array, length: ArrayLike, last: jax.Array) -> jax.Array:
    """Go over the frames with the log-probability of being at each place; end at the last two places."""
    places = jnp.arange(path.size)
    skips = (places % 2 == 1) & (path != jnp.roll(path, 2))

    def shifted(at: jax.Array, by: int) -> jax.Array:
        return jnp.pad(at, (by, 0), constant_values=IMPOSSIBLE)[: at.size]

    def frame(at: jax.Array, numbered: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        t, emitted = numbered
        jumped = jnp.where(skips, shifted(at, 2), IMPOSSIBLE)
        moved = jax.nn.logsumexp(jnp.stack([at, shifted(at, 1), jumped]), axis=0) + emitted
        return jnp.where(t < length, jnp.maximum(moved, IMPOSSIBLE), at), None

    start = jnp.where(places == 0, 0.0, IMPOSSIBLE).astype(jnp.float32)
    at, _ = jax.lax.scan(frame, start, (jnp.arange(len(emitted)), emitted))
    return jax.nn.logsumexp(jnp.where((places == last) | (places == last - 1), at, -jnp.inf))
