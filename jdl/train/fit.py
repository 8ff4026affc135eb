"""A whole training run as a pure function: begin, epochs, finish."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jdl.nn.batch import finite_rows
from jdl.nn.layer import batch_size, fold
from jdl.optim import evaluation_params
from jdl.train.check import check_data
from jdl.train.objective import (
    class_weights,
    compute_metrics,
    device_number,
    empty_metrics,
    example_weight,
    merge_across,
    merge_metrics,
    network,
    rows_of,
    sum_of_losses,
)
from jdl.train.prepared import prepare, settled
from jdl.train.recipe import Recipe, Run, TrainState, batch_sizes, check_key, check_recipe
from jdl.train.step import start, step

Data = dict[str, Any]

CHUNK = 4096  # validation rows evaluated at once


class Best(NamedTuple):
    """The best epoch so far by the monitored value, and the epochs since."""

    value: Any
    epoch: Any
    params: Any
    state: Any
    waited: Any


class Progress(NamedTuple):
    """What a run carries from epoch to epoch."""

    train: TrainState
    best: Best | None  # with validation rows
    stats: Any
    class_weight: Any


def fit(recipe: Recipe, key: Any, data: Data, valid: Data | None = None) -> Run:
    """Train: the whole run is one pure function, to be jitted and vmapped as any other.

    ``data`` holds ``x`` (any tree of arrays), ``y`` and optionally ``weight``, with one leading axis; rows of
    weight zero have no influence. With ``valid`` rows, the best epoch by ``recipe.monitor`` is returned, else
    the last. The order of batches is a function of ``(key, epoch)``; the last one is padded with rows of
    weight zero. ``jdl.run`` is the same compiled, cached and placed on the devices.

    Raises:
        RecipeError: data without ``x`` or ``y``, of different lengths, empty, or of texts; a recipe or a key
            that is none.

    >>> import jax, jax.numpy as jnp, jdl
    >>> def recipe(hyper):
    ...     return jdl.Recipe(jdl.nn.dense(1), jdl.losses.squared_error, jdl.optim.sgd(hyper["lr"]), 8, 20)
    >>> x = jnp.linspace(-1, 1, 32)[:, None]
    >>> train = lambda lr: jdl.fit(recipe({"lr": lr}), jax.random.key(0), {"x": x, "y": 3 * x})
    >>> runs = jax.vmap(train)(jnp.array([0.01, 0.1]))  # two whole runs, one program
    >>> runs.history["loss"].shape
    (2, 20)
    """
    check_recipe(recipe)
    check_key(key)
    check_data(data)
    if valid is not None:
        check_data(valid, "valid")
    data, valid = jax.tree.map(jnp.asarray, (data, valid))
    stats, data, valid = prepare(recipe, key, data, valid)
    recipe = settled(recipe)
    progress = begin(recipe, key, data, valid is not None, stats)
    progress, rows = epochs(recipe, progress, data, valid, 0, recipe.epochs)
    return finish(recipe, progress, rows)


def begin(recipe: Recipe, key: Any, data: Data, validated: bool, stats: Any = None) -> Progress:
    """Initialise the network, on training rows as the steps take them."""
    x, y, weight = data["x"], data["y"], example_weight(data)
    example = jax.tree.map(lambda leaf: leaf[0], x)
    net = network(recipe, stats)
    params, state = net.init(fold(key, "init"), example)
    if recipe.start is not None:
        mass = jnp.ones(batch_size(y)) if weight is None else weight
        rows = finite_rows(mass, x)
        if recipe.prepare is not None:
            rows = jax.vmap(lambda row: recipe.prepare.apply(stats, row))(rows)  # type: ignore[union-attr]
        params, state = recipe.start(params, state, fold(key, "start"), rows, mass)
    train = start(recipe, params, state, steps_key(key))
    best = None
    if validated:
        best = Best(_worst(recipe), jnp.int32(-1), params, state, jnp.int32(0))
    weights = None
    if recipe.class_weight is not None:
        weights = class_weights(recipe, y, weight, _classes(net, params, state, example))
    return Progress(train, best, stats, weights)


def epochs(
    recipe: Recipe,
    progress: Progress,
    data: Data,
    valid: Data | None,
    first: Any,
    count: int,
    across: tuple[str, ...] = (),
) -> tuple[Progress, dict[str, Any]]:
    """Train ``count`` epochs from number ``first`` on; rows of history are stacked on a leading axis.

    ``across`` names the mesh axes over which every batch is spread, inside ``jax.shard_map``.
    """

    def one(progress: Progress, epoch: Any) -> tuple[Progress, dict[str, Any]]:
        return _epoch(recipe, progress, data, valid, epoch, across)

    def skip(progress: Progress, epoch: Any) -> tuple[Progress, dict[str, Any]]:
        row = compute_metrics(recipe, empty_metrics(recipe))
        row |= {f"valid_{name}": value for name, value in row.items()}
        return progress, {name: jnp.full_like(value, jnp.nan) for name, value in row.items()}

    def body(progress: Progress, epoch: Any) -> tuple[Progress, dict[str, Any]]:
        if recipe.patience is None or progress.best is None:  # no conditional where nothing stops
            return one(progress, epoch)
        return jax.lax.cond(stopped(recipe, progress), skip, one, progress, epoch)

    return jax.lax.scan(body, progress, first + jnp.arange(count))


def finish(recipe: Recipe, progress: Progress, rows: dict[str, Any]) -> Run:
    """Give the best epoch's parameters, or the last one's where nothing was validated."""
    train, best = progress.train, progress.best
    params, state, epoch = evaluated(train), train.state, jnp.int32(rows["loss"].shape[0] - 1)
    if best is not None:
        params, state, epoch = best.params, best.state, best.epoch
    history = rows | {
        "best_epoch": epoch,
        "skipped": train.health.skipped,
        "failed_at": jnp.where(train.health.streak >= recipe.max_bad_steps, train.health.since, -1),
    }
    return Run(params, state, progress.stats, history)


def steps_key(key: Any) -> Any:
    """The key of a run's steps and of its batches' order."""
    return fold(key, "steps")


def evaluated(train: TrainState) -> Any:
    """The parameters that are evaluated and kept: an average, ours or the optimizer's, where there is one."""
    return evaluation_params(train.opt_state, train.params) if train.average is None else train.average


def order(key: Any, epoch: Any, rows: int, padded: int) -> Any:
    """Give the order of rows in an epoch: a permutation, then its beginning again as padding."""
    bits = jax.random.bits(jax.random.fold_in(fold(key, "order"), epoch), (rows,), jnp.uint32)
    width = (rows - 1).bit_length()
    if width <= 16:  # row numbers packed below at least 16 random bits: a sort of one array, 3.5 times faster
        low = jnp.uint32((1 << width) - 1)
        packed = jax.lax.sort(bits & ~low | jnp.arange(rows, dtype=jnp.uint32), is_stable=False)
        shuffled = (packed & low).astype(jnp.int32)
    else:
        shuffled = jnp.argsort(bits)
    return jnp.concatenate([shuffled, shuffled[: padded - rows]])


def batch_at(
    recipe: Recipe, key: Any, data: Data, epoch: Any, i: Any, positions: Any = None, across: Any = ()
) -> Data:
    """Gather batch ``i`` of an epoch (this device's part of it), weighted where rows are padding.

    ``positions`` is the epoch's ``order``, made here unless given. A row of weight zero is replaced by one
    that counts, so nothing it holds is computed on.
    """
    rows, weight = batch_size(data["y"]), example_weight(data)
    size, steps = batch_sizes(recipe, rows)
    if positions is None:
        positions = order(key, epoch, rows, steps * size)
    share = size // math.prod(jax.lax.axis_size(axis) for axis in across)
    begin = i * size + device_number(across) * share
    chosen = jax.lax.dynamic_slice(positions, (begin,), (share,))
    if weight is not None:
        spare = jnp.argmax(weight > 0)
        weight, chosen = weight[chosen], jnp.where(weight[chosen] > 0, chosen, spare)
    inputs = {name: data[name] for name in rows_of(data)}
    batch = jax.tree.map(lambda leaf: leaf.at[chosen].get(mode="promise_in_bounds"), inputs)
    if steps * size > rows:
        inside = (begin + jnp.arange(share) < rows).astype(jnp.float32)
        weight = inside if weight is None else inside * weight
    return batch if weight is None else batch | {"weight": weight}


def _epoch(
    recipe: Recipe, progress: Progress, data: Data, valid: Data | None, epoch: Any, across: tuple[str, ...]
) -> Any:
    rows = batch_size(data["y"])
    size, steps = batch_sizes(recipe, rows)
    key = progress.train.key
    positions = order(key, epoch, rows, steps * size)

    def body(carry: Any, i: Any) -> Any:
        train, seen = carry
        batch = batch_at(recipe, key, data, epoch, i, positions, across)
        fitted = {"stats": progress.stats, "class_weight": progress.class_weight}
        train, metrics = step(recipe, train, batch, **fitted, across=across)
        return (train, merge_metrics(recipe, seen, metrics)), None

    (train, seen), _ = jax.lax.scan(body, (progress.train, empty_metrics(recipe)), jnp.arange(steps))
    seen = merge_across(recipe, seen, across)
    return close_epoch(recipe, progress._replace(train=train), seen, valid, epoch, across)


def close_epoch(
    recipe: Recipe, progress: Progress, seen: Any, valid: Data | None, epoch: Any, across: tuple[str, ...]
) -> tuple[Progress, dict[str, Any]]:
    """End an epoch: its row of history and, with validation rows, the best epoch so far."""
    row = compute_metrics(recipe, seen)
    if valid is None or progress.best is None:
        return progress, row
    scores = validate(recipe, progress, valid, across)
    row |= {f"valid_{name}": value for name, value in scores.items()}
    return progress._replace(best=_better(recipe, progress, scores, epoch)), row


def validate(recipe: Recipe, progress: Progress, valid: Data, across: tuple[str, ...] = ()) -> dict[str, Any]:
    """Give the loss and the recipe's metrics on ``valid``, in chunks of at most ``CHUNK`` rows."""
    rows = batch_size(valid["y"])
    devices = math.prod(jax.lax.axis_size(axis) for axis in across)
    chunks = -(-rows // (CHUNK * devices))
    size = -(-rows // (chunks * devices))
    evaluate = sum_of_losses(recipe, progress.stats, progress.class_weight, across)
    params, state = evaluated(progress.train), progress.train.state

    def chunk(i: Any) -> Any:
        chosen = (i * devices + device_number(across)) * size + jnp.arange(size)
        part = jax.tree.map(lambda leaf: leaf[jnp.minimum(chosen, rows - 1)], valid)
        if chunks * devices * size > rows:
            part["weight"] = (chosen < rows).astype(jnp.float32) * part.get("weight", 1.0)
        # The barrier keeps what surrounds it out of these kernels: run and loop get the bits of fit.
        return evaluate(*jax.lax.optimization_barrier((params, state, part)))[1][1]

    metrics = chunk(0)
    if chunks > 1:
        add = lambda seen, i: (merge_metrics(recipe, seen, chunk(i)), None)
        metrics, _ = jax.lax.scan(add, metrics, jnp.arange(1, chunks))
    return compute_metrics(recipe, merge_across(recipe, metrics, across))


def _better(recipe: Recipe, progress: Progress, scores: dict[str, Any], epoch: Any) -> Best:
    best, train, value = progress.best, progress.train, scores[recipe.monitor]
    assert best is not None
    better = value > best.value if greater(recipe) else value < best.value
    improved = better | (value == best.value)  # of equal epochs the later one, trained longer
    new = Best(value, epoch, evaluated(train), train.state, jnp.where(better, 0, best.waited + 1))
    old = best._replace(waited=best.waited + 1)
    return jax.tree.map(lambda a, b: jnp.where(improved, a, b), new, old)


def stopped(recipe: Recipe, progress: Progress) -> Any:
    """Whether the monitored value has not improved for ``recipe.patience`` epochs."""
    if recipe.patience is None or progress.best is None:
        return jnp.bool_(False)
    return progress.best.waited >= recipe.patience


def greater(recipe: Recipe) -> bool:
    """Whether a greater monitored value is better."""
    return recipe.monitor != "loss" and recipe.metrics[recipe.monitor].greater


def _worst(recipe: Recipe) -> Any:
    return jnp.float32(-jnp.inf if greater(recipe) else jnp.inf)


def _classes(net: Any, params: Any, state: Any, example: Any) -> int:
    outputs, _ = jax.eval_shape(lambda *given: net.apply(*given), params, state, example)
    return outputs.shape[-1] if outputs.ndim and outputs.shape[-1] > 1 else 2
