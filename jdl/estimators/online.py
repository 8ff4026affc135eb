"""One pass after another over rows that come in parts, the optimizer's state kept."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jdl import optim
from jdl.train.fit import begin
from jdl.train.hyper import identified, of_identity, parted
from jdl.train.prepared import applied, prepare, settled
from jdl.train.recipe import Recipe, Run, TrainState
from jdl.train.step import step


class Pending(NamedTuple):
    """Nothing has been seen."""


class Online(NamedTuple):
    """What is carried from pass to pass, as arrays of the host."""

    train: TrainState
    stats: Any


def begun(recipe: Callable[[dict], Recipe], hyper: dict[str, Any], key: Any, data: Any) -> Online:
    """Fit the preparation on the first rows and draw the parameters."""

    @jax.jit
    def begins(key: Any, data: Any) -> Any:
        made = _steady(recipe, hyper)
        stats, rows, _ = prepare(made, key, data, None)
        return begin(settled(made), key, rows, False, stats)

    progress = begins(key, data)
    return Online(*_kept(progress.train, progress.stats))


def moved(
    recipe: Callable[[dict], Recipe], hyper: dict[str, Any], on: Online, data: Any, seed: int
) -> Online:
    """Take a step for each batch of the rows, in an order of their own."""
    rows = len(data["y"])
    size = min(hyper.get("batch_size", 64), rows)
    order = np.random.default_rng(seed).permutation(rows)
    order = np.concatenate([order, np.full(-rows % size, -1)]).reshape(-1, size)
    fixed, traced = parted(hyper)
    call = _program(recipe, identified(fixed))
    train = on.train._replace(key=jax.random.wrap_key_data(on.train.key))
    return Online(*_kept(call(traced, train, on.stats, data, order), on.stats))


def run_of(on: Online) -> Run:
    """Give what predicts."""
    return Run(on.train.params, on.train.state, on.stats, {})


def _kept(train: TrainState, stats: Any) -> tuple[TrainState, Any]:
    return jax.device_get((train._replace(key=jax.random.key_data(train.key)), stats))


def _steady(recipe: Callable[[dict], Recipe], hyper: dict[str, Any]) -> Recipe:
    """Give the recipe with a rate that does not fall: nobody knows how many passes there will be."""
    made = recipe(hyper)
    if "learning_rate" not in hyper:
        return made
    rate, decay = hyper["learning_rate"], hyper.get("weight_decay", 0.0)
    return replace(made, optimizer=optim.adamw(rate, weight_decay=decay, decay={"*/b": 0.0}))


@lru_cache(16)
def _program(recipe: Callable[[dict], Recipe], identity: tuple) -> Callable[..., Any]:
    fixed = of_identity(identity)

    def one_pass(traced: dict, train: TrainState, stats: Any, data: Any, order: Any) -> TrainState:
        made = _steady(recipe, fixed | traced)
        rows = applied(made, stats, data)
        settled_recipe = settled(made)

        def body(train: TrainState, index: Any) -> tuple[TrainState, None]:
            batch = jax.tree.map(lambda leaf: leaf[index], rows)
            batch["weight"] = jnp.where(index < 0, 0.0, batch["weight"])
            return step(settled_recipe, train, batch, stats=stats)[0], None

        return jax.lax.scan(body, train, order)[0]

    return jax.jit(one_pass)
