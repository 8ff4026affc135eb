"""Optimizers, schedules and updates by parameter path, for ``optax``.

Everything here is an ``optax.GradientTransformation``, or a schedule ``step -> value``, and composes with
what optax has; any optax transformation serves as an optimizer. Every number may be traced, so that a whole
training run can be mapped over its hyper-parameters. A learning rate is a number or a schedule.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

from jdl import tree

Number = float | jax.Array
Schedule = Callable[[ArrayLike], jax.Array]


class Skipping(optax.GradientTransformationExtraArgs):
    """A transformation whose ``update(…, good=…)`` gives zero updates and keeps its state where not ``good``.

    Skipping a step by scalars costs nothing; any other transformation is skipped by a conditional around it.
    """


def chain(*transformations: optax.GradientTransformation) -> optax.GradientTransformation:
    """Apply transformations one after the other, as ``optax.chain``; of ``Skipping`` ones it is one itself.

    >>> isinstance(chain(clip_by_norm(1.0), sgd(0.1)), Skipping)
    True
    >>> isinstance(chain(optax.adam(0.1)), Skipping)
    False
    """
    chained = optax.chain(*transformations)
    if all(isinstance(one, Skipping) for one in transformations):
        return Skipping(chained.init, chained.update)
    return chained


def gradient_descent(learning_rate: Number | Schedule) -> optax.GradientTransformation:
    r"""Plain gradient descent: :math:`p \leftarrow p - \eta g`.

    >>> optimizer = gradient_descent(0.1)
    >>> updates, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(1.0)))
    >>> print(f"{updates:.2f}")
    -0.20
    """

    def update(updates: Any, state: Any, params: Any = None, *, good: Any = True, **_: Any) -> Any:
        rate = jnp.where(good, _at(learning_rate, state), 0.0)
        change = jax.tree.map(lambda g: (-rate * g).astype(g.dtype), _masked(good, updates))
        return change, state + good

    return Skipping(lambda params: jnp.zeros((), jnp.int32), update)


def sgd(
    learning_rate: Number | Schedule, momentum: Number = 0.0, *, nesterov: bool = False
) -> optax.GradientTransformation:
    r"""Gradient descent with momentum: :math:`m \leftarrow \mu m + g,\; p \leftarrow p - \eta m`.

    With ``nesterov``, :math:`p \leftarrow p - \eta (g + \mu m)`. Both as in ``torch.optim.SGD``, with
    :math:`m` kept in float32 at least.

    Reference: Sutskever et al., 2013, https://proceedings.mlr.press/v28/sutskever13.html.

    >>> optimizer = sgd(0.1, momentum=0.9)
    >>> state = optimizer.init(jnp.array(1.0))
    >>> updates, state = optimizer.update(jnp.array(1.0), state)
    >>> updates, state = optimizer.update(jnp.array(1.0), state)
    >>> print(f"{updates:.2f}")
    -0.19
    """

    def init(params: optax.Params) -> SgdState:
        return SgdState(jnp.zeros((), jnp.int32), _accumulator(params))

    def update(updates: Any, state: Any, params: Any = None, *, good: Any = True, **_: Any) -> Any:
        rate = jnp.where(good, _at(learning_rate, state.step), 0.0)
        gradient = _masked(good, _flatten(updates))
        velocity = jnp.where(good, momentum, 1.0) * state.velocity + gradient
        direction = momentum * velocity + gradient if nesterov else velocity
        change = jax.tree.map(lambda m, g: (-rate * m).astype(g.dtype), _like(direction, updates), updates)
        return change, SgdState(state.step + good, velocity)

    return Skipping(init, update)


class SgdState(NamedTuple):
    """The state of ``sgd``: steps taken, and the velocity of all parameters as one vector."""

    step: jax.Array
    velocity: jax.Array


class AdamState(NamedTuple):
    """The state of ``adamw``: steps taken, running means of the gradient and of its square, as vectors."""

    step: jax.Array
    mean: jax.Array
    square: jax.Array


def adamw(
    learning_rate: Number | Schedule,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number | Schedule = 1e-4,
    *,
    decay: Mapping[str, Number] | None = None,
) -> optax.GradientTransformation:
    r"""Adam with decoupled weight decay.

    .. math:: m \leftarrow b_1 m + (1 - b_1) g, \quad v \leftarrow b_2 v + (1 - b_2) g^2, \quad
              p \leftarrow p - \eta \left( \frac{m / (1 - b_1^t)}{\sqrt{v / (1 - b_2^t)} + \epsilon}
              + \lambda f p \right)

    Equal to ``torch.optim.AdamW`` and ``optax.adamw``. The running means are kept in float32 at least, as one
    vector each: two loops for all parameters, where a small network's step is mostly the loops' overhead.

    Args:
        learning_rate: :math:`\eta`.
        b1: Decay of the running mean.
        b2: Decay of the running square.
        eps: :math:`\epsilon`.
        weight_decay: :math:`\lambda`, a number or a schedule.
        decay: Factors :math:`f` of the weight decay by path pattern, the first that matches, 1 where none
            does: ``{"*/b": 0.0}`` decays no bias.

    Raises:
        ValueError: A pattern of ``decay`` matches no parameter, or there are no parameters in ``update``.

    Reference: Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101.

    >>> optimizer = adamw(0.1, decay={"*/b": 0.0})
    >>> params = {"dense": {"w": jnp.ones(2), "b": jnp.ones(2)}}
    >>> updates, state = optimizer.update(params, optimizer.init(params), params)
    >>> print(updates["dense"]["b"])
    [-0.1 -0.1]
    """

    def init(params: optax.Params) -> AdamState:
        _check_patterns("adamw(decay=…)", decay or {}, params)
        zeros = _accumulator(params)
        return AdamState(jnp.zeros((), jnp.int32), zeros, zeros)

    def update(updates: Any, state: Any, params: Any = None, *, good: Any = True, **_: Any) -> Any:
        if params is None:
            raise ValueError("adamw: update needs the parameters: optimizer.update(gradient, state, params)")
        rate, strength = _at(learning_rate, state.step), _at(weight_decay, state.step)
        rate, step = jnp.where(good, rate, 0.0), jnp.asarray(state.step + 1, jnp.float32)
        first, second = jnp.asarray(b1, jnp.float32), jnp.asarray(b2, jnp.float32)
        # Both bias corrections are folded into scalars, so that a parameter costs one fused loop.
        root = jnp.sqrt(1.0 - second**step)
        scaled_rate, scaled_eps = rate * root / (1.0 - first**step), eps * root
        first, second = jnp.where(good, first, 1.0), jnp.where(good, second, 1.0)
        gradient = _masked(good, _flatten(updates))
        mean = first * state.mean + (1.0 - first) * gradient
        square = second * state.square + (1.0 - second) * gradient * gradient

        def change(path: str, m: jax.Array, v: jax.Array, p: jax.Array) -> jax.Array:
            shrink = rate * strength * tree.lookup(decay or {}, path, 1.0)
            return (-scaled_rate * m / (jnp.sqrt(v) + scaled_eps) - shrink * p).astype(p.dtype)

        changes = tree.map_by_path(change, _like(mean, params), _like(square, params), params)
        return changes, AdamState(state.step + good, mean, square)

    return Skipping(init, update)


def scale_by_path(factors: Mapping[str, Number]) -> optax.GradientTransformation:
    """Multiply updates by factors chosen by parameter path: learning rates by layer, 0 to hold a part still.

    Args:
        factors: Factors by path pattern (``jdl.tree.matches``), the first that matches, 1 where none does.

    Raises:
        ValueError: A pattern matches no parameter.

    >>> optimizer = chain(sgd(1.0), scale_by_path({"*/b": 0.1}))
    >>> params = {"dense": {"w": jnp.array(1.0), "b": jnp.array(1.0)}}
    >>> updates, _ = optimizer.update(params, optimizer.init(params))
    >>> print(updates["dense"]["b"], updates["dense"]["w"])
    -0.1 -1.0
    """

    def init(params: optax.Params) -> optax.EmptyState:
        _check_patterns("scale_by_path", factors, params)
        return optax.EmptyState()

    def scale(path: str, u: jax.Array) -> jax.Array:
        return (tree.lookup(factors, path, 1.0) * u).astype(u.dtype)

    return _stateless(lambda updates: tree.map_by_path(scale, updates), init)


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

    return _stateless(clip)


def clip_by_value(limit: Number) -> optax.GradientTransformation:
    """Clip every element of the updates to the range from ``-limit`` to ``limit``; NaN stays NaN.

    >>> clip = clip_by_value(1.0)
    >>> clip.update(jnp.array([3.0, -0.5]), clip.init(None))[0].tolist()
    [1.0, -0.5]
    """
    clip = optax.clip(limit)
    return _stateless(lambda updates: clip.update(updates, optax.EmptyState())[0])


def constant(value: Number) -> Schedule:
    """Give the same value at every step.

    >>> print(constant(0.1)(7))
    0.1
    """
    return lambda step: jnp.asarray(value, jnp.float32)


def linear(start: Number, end: Number, steps: Number, *, begin: Number = 0) -> Schedule:
    """Go from ``start`` to ``end`` on a straight line in ``steps`` steps from ``begin``; constant outside.

    >>> linear(0.0, 1.0, steps=10)(5).item()
    0.5
    """

    def schedule(step: ArrayLike) -> jax.Array:
        first, last = jnp.asarray(start, jnp.float32), jnp.asarray(end, jnp.float32)
        return first + (last - first) * _progress(step, begin, steps)

    return schedule


def cosine(peak: Number, steps: Number, *, end: Number = 0.0) -> Schedule:
    r"""Go from ``peak`` to ``end`` along half a cosine in ``steps`` steps, then stay.

    .. math:: e + (p - e) \tfrac12 (1 + \cos(\pi t / T))

    Reference: Loshchilov and Hutter, 2017, https://arxiv.org/abs/1608.03983.

    >>> cosine(1.0, steps=10)(5).round(4).item()
    0.5
    """

    def schedule(step: ArrayLike) -> jax.Array:
        first, last = jnp.asarray(peak, jnp.float32), jnp.asarray(end, jnp.float32)
        return last + (first - last) * 0.5 * (1.0 + jnp.cos(jnp.pi * _progress(step, 0, steps)))

    return schedule


def warmup_cosine(
    peak: Number, warmup: Number, steps: Number, *, start: Number = 0.0, end: Number = 0.0
) -> Schedule:
    """Go from ``start`` to ``peak`` on a straight line in ``warmup`` steps, then to ``end`` on half a cosine.

    ``steps`` counts all steps, those of the warm-up too.

    >>> schedule = warmup_cosine(1.0, warmup=10, steps=110)
    >>> [schedule(step).round(4).item() for step in (0, 5, 10, 60, 110)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def schedule(step: ArrayLike) -> jax.Array:
        falling = jnp.asarray(step) - jnp.asarray(warmup)
        fall = cosine(peak, jnp.asarray(steps) - jnp.asarray(warmup), end=end)
        return jnp.where(falling < 0, linear(start, peak, warmup)(step), fall(falling))

    return schedule


def exponential(start: Number, rate: Number, steps: Number = 1) -> Schedule:
    r"""Multiply by ``rate`` every ``steps`` steps, smoothly: :math:`s\, r^{t / T}`.

    >>> exponential(1.0, 0.5, steps=10)(20).item()
    0.25
    """

    def schedule(step: ArrayLike) -> jax.Array:
        return jnp.asarray(start, jnp.float32) * jnp.asarray(rate, jnp.float32) ** (jnp.asarray(step) / steps)

    return schedule


def piecewise(boundaries: Sequence[Number], values: Sequence[Number]) -> Schedule:
    """Give ``values[i]`` from step ``boundaries[i - 1]`` on; ``values[0]`` before the first boundary.

    Args:
        boundaries: Steps in increasing order.
        values: One value more than boundaries.

    Raises:
        ValueError: The lengths do not fit.

    >>> schedule = piecewise([10, 20], [1.0, 0.5, 0.25])
    >>> [schedule(step).item() for step in (9, 10, 20)]
    [1.0, 0.5, 0.25]
    """
    if len(values) != len(boundaries) + 1:
        raise ValueError(
            f"piecewise: {len(values)} values for {len(boundaries)} boundaries, needs {len(boundaries) + 1}"
        )

    def schedule(step: ArrayLike) -> jax.Array:
        value = jnp.asarray(values[0], jnp.float32)
        for boundary, following in zip(boundaries, values[1:], strict=True):
            value = jnp.where(jnp.asarray(step) >= boundary, following, value)
        return value

    return schedule


def _progress(step: ArrayLike, begin: Number, steps: Number) -> jax.Array:
    """From 0 at ``begin`` to 1 ``steps`` later, clipped; a length of 0 is a jump at ``begin``."""
    elapsed, steps = jnp.asarray(step) - begin, jnp.asarray(steps)
    return jnp.where(steps > 0, jnp.clip(elapsed / jnp.where(steps > 0, steps, 1), 0.0, 1.0), elapsed >= 0)


def _masked(good: Any, values: Any) -> Any:
    """Put zeros in place of all values where the step is skipped: what it holds may not be finite."""
    return jax.tree.map(lambda leaf: jnp.where(good, leaf, jnp.zeros_like(leaf)), values)


def _stateless(change: Callable[[Any], Any], init: Any = optax.init_empty_state) -> Skipping:
    """Make a transformation of a function of the updates alone, which takes zeros to zeros."""

    def update(updates: Any, state: Any, params: Any = None, *, good: Any = True, **_: Any) -> Any:
        return change(_masked(good, updates)), state

    return Skipping(init, update)


def _flatten(tree: Any) -> jax.Array:
    """Lay all leaves out as one vector, in float32 at least: in bfloat16 a running mean stops moving."""
    leaves = [jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)]
    dtype = jnp.result_type(jnp.float32, *leaves)
    return jnp.concatenate([leaf.astype(dtype) for leaf in leaves]) if leaves else jnp.zeros(0, dtype)


def _accumulator(params: optax.Params) -> jax.Array:
    return jnp.zeros_like(_flatten(params))


def _like(vector: jax.Array, tree: Any) -> Any:
    """Cut a vector into leaves of the shapes of ``tree``, in the vector's type."""
    leaves, structure = jax.tree.flatten(tree)
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    parts = jnp.split(vector, ends) if leaves else []
    shaped = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    return jax.tree.unflatten(structure, shaped)


def _at(value: Number | Schedule, step: jax.Array) -> Number:
    return value(step) if callable(value) else value


def _check_patterns(name: str, patterns: Mapping[str, Any], params: optax.Params) -> None:
    paths = [path for path, _ in tree.items(params)]
    for pattern in patterns:
        if not any(tree.matches(pattern, path) for path in paths):
            shown = ", ".join(paths[:5]) + (f", … ({len(paths)} in all)" if len(paths) > 5 else "")
            raise ValueError(f"{name}: the pattern {pattern!r} matches no parameter; the paths are {shown}")
