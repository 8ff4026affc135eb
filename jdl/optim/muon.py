"""Muon: momentum whose singular values are brought near one."""

from collections.abc import Sequence
from typing import Any

import jax
import optax
from optax import contrib

from jdl import tree
from jdl.optim.adamw import adamw
from jdl.optim.core import Number, Schedule, any_matches, check_patterns
from jdl.optim.descent import Decay, descend


def muon(
    learning_rate: Number | Schedule,
    momentum: Number = 0.95,
    weight_decay: Number | Schedule = 0.0,
    *,
    others: optax.GradientTransformation | None = None,
    exclude: Sequence[str] = (),
    stacked: Sequence[str] = (),
    decay: Decay = None,
) -> optax.GradientTransformation:
    r"""Step by the momentum with all singular values brought near one, in every weight of two axes or more.

    The last axis of a weight is its outputs, all others its inputs, as in ``nn.dense`` and ``nn.conv``. Five
    Newton-Schulz steps bring the singular values between about 0.7 and 1.2, and the update is multiplied by
    :math:`0.2 \sqrt{\max(m, n)}`, so that the learning rate and weight decay of ``adamw`` serve.

    Args:
        learning_rate: A number or a schedule.
        momentum: Decay of the running mean, with Nesterov's correction.
        weight_decay: As for ``adamw``, of the matrices.
        others: The optimizer of all else, ``adamw(learning_rate, weight_decay=weight_decay)`` if not given.
        exclude: Path patterns of matrices left to ``others``, such as embeddings and the last layer.
        stacked: Path patterns of weights whose first axis counts layers, as in ``nn.repeat``.
        decay: Factors of the matrices' weight decay by path pattern, as for ``adamw``.

    Raises:
        ValueError: A pattern matches no parameter.

    Reference: Jordan et al., 2024, https://kellerjordan.github.io/posts/muon; the factor is that of
    Liu et al., 2025, https://arxiv.org/abs/2502.16982.

    >>> import jax.numpy as jnp
    >>> optimizer, params = muon(0.1), {"w": jnp.eye(3), "b": jnp.ones(3)}
    >>> updates, state = optimizer.update(params, optimizer.init(params), params)
    >>> print(updates["b"])
    [-0.1 -0.1 -0.1]
    """
    if others is None:
        others = adamw(learning_rate, weight_decay=weight_decay)

    def kinds(params: optax.Params) -> Any:
        check_patterns("muon(exclude=…)", exclude, params)
        check_patterns("muon(stacked=…)", stacked, params)
        return tree.map_by_path(kind, params)

    def kind(path: str, p: jax.Array) -> str:
        matrix = p.ndim - any_matches(stacked, path) >= 2 and not any_matches(exclude, path)
        return "matrix" if matrix else "other"

    def dimensions(params: optax.Params) -> Any:
        def numbers(path: str, p: jax.Array) -> contrib.MuonDimensionNumbers:
            return contrib.MuonDimensionNumbers(
                tuple(range(any_matches(stacked, path), p.ndim - 1)), p.ndim - 1
            )

        return tree.map_by_path(numbers, params)

    def widths(path: str, u: jax.Array) -> jax.Array:
        inputs = u.size // u.shape[-1] // (u.shape[0] if any_matches(stacked, path) else 1)
        return 0.2 * max(inputs, u.shape[-1]) ** 0.5 * u

    direction = optax.chain(
        contrib.scale_by_muon(beta=momentum, weight_dimension_numbers=dimensions),
        optax.stateless(lambda updates, _: tree.map_by_path(widths, updates)),
    )
    matrices = descend("muon", direction, learning_rate, weight_decay, decay)
    return optax.partition({"matrix": matrices, "other": others}, kinds)
