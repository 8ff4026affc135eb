"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jdl import tree
from jdl.optim.core import Number, Schedule, any_matches, at, check_patterns
from jdl.optim.descent import Decay, descend


def soap(
    learning_rate: Number | Schedule,
    b1: Number = 0.95,
    b2: Number = 0.95,
    eps: Number = 1e-8,
    weight_decay: Number | Schedule = 1e-2,
    *,
    every: Number = 10,
    largest: int = 4096,
    stacked: Sequence[str] = (),
    decay: Decay = None,
) -> optax.GradientTransformation:
    r"""Adam in the eigenbasis of Shampoo's preconditioner, for every weight of two axes or more.

    .. math:: C_a \leftarrow b_2 C_a + (1 - b_2)\, g_{(a)} g_{(a)}^\top \approx Q_a \Lambda_a Q_a^\top

    for every axis :math:`a`. Adam's running square is that of the gradient turned by all :math:`Q_a`, and its
    step is turned back. The first step only finds the bases, by eigenvalues; then they follow by one step of
    power iteration and a QR decomposition every ``every`` steps. Numbers and vectors get Adam.

    Args:
        learning_rate: A number or a schedule.
        b1: Decay of the running mean.
        b2: Decay of the running square and of the covariances.
        eps: Added to the root of the running square.
        weight_decay: As for ``adamw``.
        every: Steps between two changes of the bases.
        largest: Axes longer than this are not turned.
        stacked: Path patterns of weights whose first axis counts layers, as in ``nn.repeat``.
        decay: Factors of the weight decay by path pattern, as for ``adamw``.

    Raises:
        ValueError: A pattern matches no parameter.

    Reference: Vyas et al., 2024, https://arxiv.org/abs/2409.11321.

    >>> optimizer, params = soap(0.1, weight_decay=0.0), {"w": jnp.eye(2)}
    >>> _, state = optimizer.update(params, optimizer.init(params), params)
    >>> updates, state = optimizer.update(params, state, params)
    >>> print(f"{updates['w'][0, 0]:.2f} {updates['w'][1, 1]:.2f}")
    -0.10 -0.10
    """

    def axes(path: str, g: jax.Array) -> tuple[int, ...]:
        """Give the axes of one layer's weight that are turned."""
        shape = g.shape[any_matches(stacked, path) :]
        return tuple(a for a, size in enumerate(shape) if size <= largest) if len(shape) > 1 else ()

    def each_layer(path: str, function: Any) -> Any:
        return jax.vmap(function) if any_matches(stacked, path) else function

    def init(params: optax.Params) -> SoapState:
        check_patterns("soap(stacked=…)", stacked, params)
        begin = lambda path, p: each_layer(path, partial(_begin, axes(path, p)))(p)
        return SoapState(jnp.zeros((), jnp.int32), tree.map_by_path(begin, params))

    def update(updates: Any, state: SoapState, params: Any = None) -> Any:
        structure: Any = jax.tree.structure(updates)
        olds, both = structure.flatten_up_to(state.weights), []
        for (path, g), old in zip(tree.items(updates), olds, strict=True):
            one = partial(_step, axes(path, g), state.step, b1, b2, eps, every)
            both.append(each_layer(path, one)(g, old))
        direction, weights = (structure.unflatten(part) for part in zip(*both, strict=True))
        return direction, SoapState(state.step + 1, weights)

    shrink = lambda step: jnp.where(step > 0, at(weight_decay, step), 0.0)
    return descend("soap", optax.GradientTransformation(init, update), learning_rate, shrink, decay)


class SoapState(NamedTuple):
    """The state of the direction of ``soap``: steps taken, and a ``SoapWeight`` for every parameter."""

    step: jax.Array
    weights: Any


class SoapWeight(NamedTuple):
    """Running means of a gradient and of its turned square; for each axis turned a covariance and a basis."""

    mean: jax.Array
    square: jax.Array
    covariance: tuple[jax.Array, ...]
    basis: tuple[jax.Array, ...]


def _begin(axes: tuple[int, ...], p: jax.Array) -> SoapWeight:
    zeros, bases = jnp.zeros_like(p), tuple(jnp.eye(p.shape[a], dtype=p.dtype) for a in axes)
    return SoapWeight(zeros, zeros, jax.tree.map(jnp.zeros_like, bases), bases)


def _step(
    axes: tuple[int, ...],
    step: jax.Array,
    b1: Number,
    b2: Number,
    eps: Number,
    every: Number,
    g: jax.Array,
    old: SoapWeight,
) -> tuple[jax.Array, SoapWeight]:
    """Give the direction of one weight and what is kept of it; the first step gives none."""
    begun = (step > 0).astype(g.dtype)
    mean = b1 * old.mean + (1.0 - b1) * begun * g
    square = b2 * old.square + (1.0 - b2) * begun * jnp.square(_turn(g, axes, old.basis))
    covariance = tuple(b2 * c + (1.0 - b2) * _gram(g, a) for a, c in zip(axes, old.covariance, strict=True))
    count = jnp.maximum(step, 1).astype(g.dtype)
    first, second = 1.0 - jnp.asarray(b1) ** count, 1.0 - jnp.asarray(b2) ** count
    turned = _turn(mean, axes, old.basis) / (jnp.sqrt(square) + eps) * (jnp.sqrt(second) / first)
    direction = _turn(turned, axes, [q.T for q in old.basis])
    if axes:
        branch = jnp.where(step == 0, 0, jnp.where(step % every == 0, 1, 2))
        choices = [partial(change, axes) for change in (_found, _followed)]
        square, basis = jax.lax.switch(
            branch, [*choices, lambda square, _, basis: (square, basis)], square, covariance, old.basis
        )
        old = old._replace(basis=basis)
    return direction, SoapWeight(mean, square, covariance, old.basis)


def _found(axes: Any, square: jax.Array, covariance: Any, basis: Any) -> tuple[jax.Array, Any]:
    """Find the bases by eigenvectors, of the greatest eigenvalue first."""
    return square, tuple(jnp.linalg.eigh(c)[1][:, ::-1] for c in covariance)


def _followed(axes: Any, square: jax.Array, covariance: Any, basis: Any) -> tuple[jax.Array, Any]:
    """Bring the bases after the covariances, the running square along with their order."""
    after = []
    for axis, c, q in zip(axes, covariance, basis, strict=True):
        order = jnp.argsort(-jnp.sum(q * _matmul(c, q), axis=0))
        square = jnp.take(square, order, axis=axis)
        after.append(jnp.linalg.qr(_matmul(c, q[:, order]))[0])
    return square, tuple(after)


def _turn(x: jax.Array, axes: tuple[int, ...], bases: Any) -> jax.Array:
    for axis, q in zip(axes, bases, strict=True):
        x = jnp.moveaxis(_matmul(jnp.moveaxis(x, axis, -1), q), -1, axis)
    return x


def _gram(x: jax.Array, axis: int) -> jax.Array:
    rows = jnp.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)
    return _matmul(rows, rows.T)


# In the full precision of float32: products of half as many digits do not give orthogonal bases.
_matmul = partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
