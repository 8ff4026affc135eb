"""The front for one model: ``fit`` compiled, cached, placed on the devices, with progress."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn.layer import batch_size
from jdl.train import place
from jdl.train.check import check_values
from jdl.train.failure import TrainingError, check_steps, explain_failure
from jdl.train.fit import Data, Progress, batch_at, begin, epochs, finish, stopped
from jdl.train.hyper import identified, parted
from jdl.train.prepared import prepare, settled
from jdl.train.recipe import Recipe, RecipeError, Run, batch_sizes, check_key, check_recipe

CACHED = 16  # compiled programs kept

Report = Callable[[int, dict[str, Any]], Any]


@dataclass(frozen=True)
class Program:
    """A compiled training run: ``program(hyper, key, data, valid) -> Run``, and what compiling it took."""

    recipe: Callable[[dict], Recipe]
    placement: place.Placement
    begin: Callable[..., Any]
    epochs: Callable[..., Any]
    stride: int  # epochs in a dispatch: all of them, or one where each is reported
    compile_seconds: float

    def __call__(
        self, hyper: Mapping, key: Any, data: Data, valid: Data | None = None, report: Report | None = None
    ) -> Run:
        """Train; ``report`` is called after every dispatch, of its last epoch."""
        recipe = self.recipe(dict(hyper))  # of numbers: to read its settings, and to explain a failure
        given = parted(hyper)[1], key, data, valid
        begun = self.begin(*place.on_one("where a run begins").replicate(given))
        traced, (progress, *rows_of) = self.placement.replicate((given[0], begun))
        parts = []
        for first in range(0, recipe.epochs, self.stride):
            going = report is not None and not bool(stopped(recipe, progress))
            first_epoch = self.placement.replicate(jnp.int32(first))
            progress, rows = self.epochs(traced, progress, *rows_of, first_epoch)
            parts.append(rows)
            if report is not None and going:
                latest = {name: value[-1].tolist() for name, value in jax.device_get(rows).items()}
                report(first + self.stride - 1, latest)
        rows = {name: jnp.concatenate([part[name] for part in parts]) for name in parts[0]}
        done = finish(recipe, progress, rows)
        if int(done.history["failed_at"]) >= 0:
            raise _failure(settled(recipe), progress, rows_of[0])
        check_steps(recipe, done.history, progress.train.step)
        return done


def run(
    recipe: Callable[[dict], Recipe],
    hyper: Mapping[str, Any],
    key: Any,
    data: Data,
    valid: Data | None = None,
    *,
    devices: int | None = None,
    report: Report | None = None,
) -> Run:
    """Train one model: ``jdl.fit(recipe(hyper), key, data, valid)``, compiled once and placed on the devices.

    Floats and arrays in ``hyper`` are traced, so changing them compiles nothing; everything else is fixed.
    The compiled program is kept for the next call with the same recipe function, fixed hyper-parameters and
    shapes. ``report(epoch, row)`` is called after every epoch, until training stops. The batch is sharded
    over the devices only where a short trial of the program shows a gain; ``devices`` settles it beforehand,
    for the same last digits on every machine: 1, or as many as there are. ``recipe`` is called with traced
    values to compile, and with the given ones at every run: it should make a recipe and do nothing else.

    Raises:
        RecipeError: data of different lengths, or not finite where nothing prepares it; a fixed
            hyper-parameter that cannot be hashed; ``devices`` that are not there or share a batch unevenly.
        TrainingError: too many steps in a row with a non-finite gradient (says where they began), or no
            finite value to choose an epoch by.

    >>> import jax, jax.numpy as jnp, jdl
    >>> def recipe(hyper):
    ...     return jdl.Recipe(jdl.nn.dense(1), jdl.losses.squared_error, jdl.optim.sgd(hyper["lr"]), 8, 20)
    >>> x = jnp.linspace(-1, 1, 32)[:, None]
    >>> done = jdl.run(recipe, {"lr": 0.1}, jax.random.key(0), {"x": x, "y": 3 * x})
    >>> bool(done.history["loss"][-1] < 0.1)
    True
    """
    if isinstance(recipe, Recipe):
        raise RecipeError("recipe: found a Recipe, needs a function recipe(hyper) -> jdl.Recipe")
    whole = recipe(dict(hyper))
    check_recipe(whole)
    check_key(key)
    check_values(whole, data)
    if valid is not None:
        check_values(whole, valid, "valid")
    program = compiled(recipe, hyper, key, data, valid, devices=devices, reported=report is not None)
    return program(hyper, key, data, valid, report)


_programs: OrderedDict[Any, Program] = OrderedDict()


def compiled(
    recipe: Callable[[dict], Recipe],
    hyper: Mapping[str, Any],
    key: Any,
    data: Data,
    valid: Data | None = None,
    *,
    devices: int | None = None,
    reported: bool = False,
) -> Program:
    """Give the compiled program of a run, from the cache where it is there."""
    fixed, traced = parted(hyper)
    leaves, tree = jax.tree.flatten((traced, key, data, valid))
    shapes = tuple((jnp.shape(leaf), jnp.result_type(leaf).name) for leaf in leaves)
    identity = (recipe, identified(fixed), shapes, tree, devices, reported)
    if identity not in _programs:
        _programs[identity] = _compile(recipe, fixed, traced, key, data, valid, devices, reported)
        while len(_programs) > CACHED:
            _programs.popitem(last=False)
    _programs.move_to_end(identity)
    return _programs[identity]


def _compile(
    recipe: Callable,
    fixed: dict,
    traced: dict,
    key: Any,
    data: Data,
    valid: Data | None,
    devices: int | None,
    reported: bool,
) -> Program:
    began = time.perf_counter()

    def start(traced: dict, key: Any, data: Data, valid: Data | None) -> Any:
        whole = recipe(fixed | traced)
        stats, data, valid = prepare(whole, key, data, valid)
        return begin(settled(whole), key, data, valid is not None, stats), data, valid

    def train(across: Any, traced: dict, progress: Any, data: Data, valid: Any, first: Any) -> Any:
        return epochs(settled(recipe(fixed | traced)), progress, data, valid, first, stride, across)

    whole = settled(recipe(fixed | traced))
    stride = 1 if reported else whole.epochs
    given = place.on_one("where a run begins").replicate((traced, key, data, valid))
    begun = jax.jit(start).lower(*given).compile()
    progress, data, valid = begun(*given)
    placement = place.choose(whole, progress, data, devices)
    trained = jax.jit(placement.spread(train), donate_argnums=1)
    arguments = placement.replicate((traced, progress, data, valid, jnp.int32(0)))
    compiled_epochs = trained.lower(*arguments).compile()
    return Program(recipe, placement, begun, compiled_epochs, stride, time.perf_counter() - began)


def _failure(recipe: Recipe, progress: Progress, data: Data) -> TrainingError:
    train = progress.train
    epoch, i = divmod(int(train.health.since), batch_sizes(recipe, batch_size(data["y"]))[1])
    batch = batch_at(recipe, train.key, data, epoch, i)
    at = f"epoch {epoch}, batch {i}"
    return explain_failure(recipe, train, batch, progress.stats, progress.class_weight, at)
