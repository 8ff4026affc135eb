"""One training step as a pure function."""

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from jdl.nn.layer import batch_size
from jdl.nn.trees import ema
from jdl.optim import Skipping
from jdl.train.objective import Batch, empty_metrics, merge_metrics, sum_of_losses
from jdl.train.recipe import Health, Recipe, TrainState

SCALE_PERIOD = 2000  # finite steps after which the loss scale doubles, as in torch.amp


def start(recipe: Recipe, params: Any, state: Any, key: Any) -> TrainState:
    """Make the state of a run that has taken no step.

    >>> import jax, jax.numpy as jnp, jdl
    >>> recipe = jdl.Recipe(jdl.nn.dense(1), jdl.losses.squared_error, jdl.optim.sgd(0.1), 4, 1)
    >>> params, state = recipe.network.init(jax.random.key(0), jnp.zeros(2))
    >>> begun = jdl.train.start(recipe, params, state, jax.random.key(1))
    >>> begun, metrics = jdl.train.step(recipe, begun, {"x": jnp.ones((4, 2)), "y": jnp.ones((4, 1))})
    >>> begun.step.item()
    1
    """
    return TrainState(
        step=jnp.int32(0),
        params=params,
        state=state,
        opt_state=recipe.optimizer.init(params),
        key=key,
        average=None if recipe.ema is None else params,
        scale=None if recipe.loss_scale is None else (jnp.float32(recipe.loss_scale), jnp.int32(0)),
    )


def step(
    recipe: Recipe,
    train: TrainState,
    batch: Batch,
    *,
    stats: Any = None,
    class_weight: Any = None,
    across: tuple[str, ...] = (),
) -> tuple[TrainState, Any]:
    """Take one optimizer step on a batch: ``(train_state, metrics)``.

    ``batch`` is ``{"x": …, "y": …, "weight": …}`` with one leading axis, ``weight`` optional. A step whose
    loss or gradient is not finite changes nothing but ``health`` (and the loss scale). ``across`` names the
    mesh axes over which the batch is spread, each device having its part; the step is the same on all.
    """

    def evaluate(params: Any) -> Evaluated:
        return _evaluate(recipe, train._replace(params=params), batch, stats, class_weight, across)

    now = evaluate(train.params)
    good = now.finite & (train.health.streak < recipe.max_bad_steps)
    params, opt_state = _update(recipe, train, now, evaluate, good)
    average = _average(recipe, train, params, good)
    state = jax.tree.map(lambda a, b: jnp.where(good, a, b), now.state, train.state)
    metrics = jax.tree.map(lambda a, b: jnp.where(good, a, b), now.metrics, empty_metrics(recipe))
    health, scale = _health(recipe, train, now.finite), _scale(train.scale, now.finite)
    return TrainState(train.step + 1, params, state, opt_state, train.key, average, scale, health), metrics


class Evaluated(NamedTuple):
    """The loss of the whole batch and its gradient, whether both are finite, the state and metrics after."""

    value: Any
    gradient: Any
    finite: Any
    state: Any
    metrics: Any


def _evaluate(
    recipe: Recipe, train: TrainState, batch: Batch, stats: Any, class_weight: Any, across: tuple[str, ...]
) -> Evaluated:
    evaluate = sum_of_losses(recipe, stats, class_weight, across)
    weighted = class_weight is not None or "weight" in batch
    rows = batch_size(batch["y"]) * math.prod(jax.lax.axis_size(axis) for axis in across)
    factor = (1.0 if train.scale is None else train.scale[0]) / rows
    key = jax.random.fold_in(train.key, train.step)

    def scaled(params: Any, state: Any, part: Batch, key: Any) -> Any:
        total, rest = evaluate(params, state, part, key)
        return total * factor, rest

    differentiate = jax.grad(scaled, has_aux=True)
    if recipe.accumulate == 1:
        gradient, (state, metrics) = differentiate(train.params, train.state, batch, key)
    else:
        gradient, state, metrics = _accumulate(recipe, differentiate, train, batch, key)
    # As one vector the gradient is checked by one reduction, and summed over devices by one collective.
    vector, unravel = ravel_pytree((gradient, metrics["loss"]))
    if across:
        vector = jax.lax.psum(vector, across)
    gradient, (total, mass) = unravel(vector)
    mass = jnp.where(mass > 0, mass, 1.0)
    finite = jnp.all(jnp.isfinite(vector))
    if weighted:
        gradient = jax.tree.map(lambda leaf: leaf * (rows / mass), gradient)
    if train.scale is not None:
        gradient = jax.tree.map(lambda leaf: leaf / train.scale[0], gradient)
    return Evaluated(total / mass, gradient, finite, state, metrics)


def _accumulate(recipe: Recipe, differentiate: Any, train: TrainState, batch: Batch, key: Any) -> Any:
    """Add up the gradients of a batch's parts, one after the other."""
    parts = jax.tree.map(lambda leaf: leaf.reshape(recipe.accumulate, -1, *leaf.shape[1:]), batch)

    def body(carry: Any, numbered: Any) -> Any:
        (state, sums, seen), (i, part) = carry, numbered
        gradient, (state, metrics) = differentiate(train.params, state, part, jax.random.fold_in(key, i))
        return (state, jax.tree.map(jnp.add, sums, gradient), merge_metrics(recipe, seen, metrics)), None

    begun = train.state, jax.tree.map(jnp.zeros_like, train.params), empty_metrics(recipe)
    (state, gradient, metrics), _ = jax.lax.scan(body, begun, (jnp.arange(recipe.accumulate), parts))
    return gradient, state, metrics


def _update(
    recipe: Recipe, train: TrainState, now: Evaluated, evaluate: Callable[[Any], Evaluated], good: Any
) -> tuple[Any, Any]:
    """Give the new parameters and optimizer state, or the old ones where the step is not ``good``."""
    optimizer = recipe.optimizer
    more: dict[str, Any] = {}
    if isinstance(optimizer, optax.GradientTransformationExtraArgs):
        given = {"value": now.value, "grad": now.gradient, **_functions(evaluate)}
        more = _named(optimizer.update, given)

    def take(**given: Any) -> tuple[Any, Any]:
        updates, opt_state = optimizer.update(now.gradient, train.opt_state, train.params, **given)
        return optax.apply_updates(train.params, updates), opt_state

    if isinstance(optimizer, Skipping):
        return take(good=good, **more)
    return jax.lax.cond(good, lambda: take(**more), lambda: (train.params, train.opt_state))


def _named(function: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """Choose the keyword arguments that a function has a place for."""
    places = inspect.signature(function).parameters
    anything = any(place.kind is place.VAR_KEYWORD for place in places.values())
    return given if anything else {name: value for name, value in given.items() if name in places}


def _functions(evaluate: Callable[[Any], Evaluated]) -> dict[str, Callable[..., Any]]:
    """Make what optimizers that evaluate the batch elsewhere (L-BFGS, SAM) call, under the names of optax."""

    @jax.custom_vjp  # the gradient is at hand, and right on several devices too
    def value(params: Any) -> Any:
        return evaluate(params).value

    def forward(params: Any) -> tuple[Any, Any]:
        there = evaluate(params)
        return there.value, there.gradient

    value.defvjp(forward, lambda gradient, by: (jax.tree.map(lambda leaf: by * leaf, gradient),))

    def grad_fn(params: Any, *_: Any) -> Any:
        return evaluate(params).gradient

    # The line searches of optax hand value_fn all that they are given, and refuse what it does not name.
    def value_fn(params: Any, grad_fn: Any = None) -> Any:
        return value(params)

    return {"value_fn": value_fn, "grad_fn": grad_fn}


def _average(recipe: Recipe, train: TrainState, params: Any, good: Any) -> Any:
    """Move the parameters' average, faster in the first steps than ``recipe.ema`` says."""
    if recipe.ema is None:
        return None
    warm = (1.0 + train.step) / (10.0 + train.step)
    return ema(train.average, params, jnp.where(good, jnp.minimum(recipe.ema, warm), 1.0))


def _health(recipe: Recipe, train: TrainState, finite: Any) -> Health:
    """Count skipped steps; after too many in a row the count stands, and no further step is taken."""
    skipped, streak, since = train.health
    over = streak >= recipe.max_bad_steps
    return Health(
        skipped=skipped + (~finite & ~over),
        streak=jnp.where(over, streak, jnp.where(finite, 0, streak + 1)),
        since=jnp.where(over, since, jnp.where(finite, -1, jnp.where(streak == 0, train.step, since))),
    )


def _scale(scale: Any, finite: Any) -> Any:
    """Halve the loss scale at a non-finite gradient; double it after a long finite stretch."""
    if scale is None:
        return None
    factor, run = scale
    long = run + 1 >= SCALE_PERIOD
    grown = jnp.where(long, jnp.minimum(factor * 2, 2.0**24), factor)
    return (
        jnp.where(finite, grown, jnp.maximum(factor / 2, 1.0)),
        jnp.where(finite & ~long, run + 1, 0),
    )
