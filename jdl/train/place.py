"""Where a run is computed: on one device, or with its batch sharded over all, as a trial says."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jdl.nn.layer import batch_size
from jdl.nn.summary import flops
from jdl.train.fit import Progress, epochs
from jdl.train.recipe import Recipe, RecipeError, batch_sizes

AXIS = ("device",)
WHOLE = PartitionSpec()  # the same on every device

# Below this many operations a step, a collective between devices costs more than a second device gives;
# below this many in all, some seconds on one core, compiling a trial costs more than it can save.
STEP_WORTH_A_TRIAL, RUN_WORTH_A_TRIAL = 2e7, 2e11
GAIN = 0.95  # the spread program must take less than this part of the other's time
# A trial is long enough for starting a program on several devices, a millisecond, not to decide it.
TRIAL_WORK, TRIAL_STEPS, TRIAL_REPEATS = 2e9, range(4, 65), 3


class Placement(NamedTuple):
    """The devices of a run, how its batches lie on them, and why."""

    mesh: Mesh
    sharded: bool
    reason: str

    def spread(self, train: Callable[..., Any], specs: Any = WHOLE) -> Callable[..., Any]:
        """Run ``train(across, *arguments)`` on every device; ``specs`` says how the arguments lie on them."""
        if not self.sharded:
            return partial(train, ())
        train = partial(train, AXIS)
        return jax.shard_map(train, mesh=self.mesh, in_specs=specs, out_specs=WHOLE, check_vma=False)

    @property
    def chunk_specs(self) -> Any:
        """How ``(carry, chunk of batches, count)`` lie on the devices: each has its part of every batch."""
        return WHOLE, PartitionSpec(None, *AXIS), WHOLE

    def put_chunk(self, chunk: Any) -> Any:
        """Put a chunk's batches where the loop computes on them."""
        spec = self.chunk_specs[1] if self.sharded else WHOLE
        return chunk._replace(batches=jax.device_put(chunk.batches, NamedSharding(self.mesh, spec)))

    def replicate(self, tree: Any) -> Any:
        """Put arrays on every device of the run."""
        return jax.device_put(tree, NamedSharding(self.mesh, WHOLE))


def on_one(reason: str) -> Placement:
    """Place a run on the first device."""
    return Placement(Mesh(jax.local_devices()[:1], AXIS), False, reason)


def on_all(reason: str) -> Placement:
    """Place a run on all devices, each with its part of every batch."""
    return Placement(Mesh(jax.local_devices(), AXIS), True, reason)


def choose(
    recipe: Recipe,
    progress: Progress,
    data: dict[str, Any],
    devices: int | None = None,
    length: int | None = None,
) -> Placement:
    """Choose one device, or all with the batch spread over them: as asked for, or by a trial.

    ``length`` is the number of steps an epoch where ``data`` is only a first batch.

    Raises:
        RecipeError: ``devices`` is neither one nor all, or a batch does not divide among them.
    """
    there, rows = len(jax.local_devices()), batch_size(data["y"])
    size, steps = batch_sizes(recipe, rows)
    uneven = f"a batch of {size} rows does not divide among {there} devices"
    if devices not in (None, 1, there):
        raise RecipeError(f"devices: found {devices!r}, needs 1 or all of the {there} there are")
    if devices == 1:
        return on_one("asked for")
    if there == 1:
        return on_one("there is one device")
    if size % (there * recipe.accumulate):
        if devices == there:
            raise RecipeError(f"devices: {uneven}")
        return on_one(uneven)
    if devices == there:
        return on_all("asked for")
    work = _work(recipe, progress, data) * size
    if work < STEP_WORTH_A_TRIAL:
        return on_one(f"a step is {work:.0e} operations, too few to share")
    whole = work * (length or steps) * recipe.epochs
    if whole < RUN_WORTH_A_TRIAL:
        return on_one(f"the run is {whole:.0e} operations, too short for a trial")
    wanted = min(max(int(TRIAL_WORK / work), TRIAL_STEPS.start), TRIAL_STEPS.stop - 1)
    few = jax.tree.map(lambda leaf: leaf[: min(rows, wanted * size)], data)
    alone, shared = _trial(recipe, progress._replace(best=None), few, -(-wanted // min(wanted, steps)))
    reason = f"a few steps took {alone * 1e3:.1f} ms on one device, {shared * 1e3:.1f} ms on {there}"
    return on_all(reason) if shared < GAIN * alone else on_one(reason)


def _work(recipe: Recipe, progress: Progress, data: dict[str, Any]) -> float:
    """Estimate the operations of a step for one example: forward, and twice that backward."""
    features = row = jax.tree.map(lambda leaf: leaf[0], data["x"])
    if recipe.prepare is not None:
        features = jax.eval_shape(recipe.prepare.apply, progress.stats, row)
    return 3.0 * flops(recipe.network, features)


def _trial(recipe: Recipe, progress: Progress, data: dict[str, Any], count: int) -> list[float]:
    """Time ``count`` short epochs, on one device and on all: the best of a few each."""

    def short(across: tuple[str, ...], progress: Progress, data: dict[str, Any]) -> Any:
        return epochs(recipe, progress, data, None, 0, count, across)[1]

    def prepared(placement: Placement) -> Callable[[], Any]:
        given = placement.replicate((progress, data))
        return partial(jax.jit(placement.spread(short)).lower(*given).compile(), *given)

    with ThreadPoolExecutor() as pool:
        programs = list(pool.map(prepared, (on_one(""), on_all(""))))
    return [_fastest(program) for program in programs]


def _fastest(program: Callable[[], Any]) -> float:
    times = []
    for _ in range(1 + TRIAL_REPEATS):
        began = time.perf_counter()
        jax.block_until_ready(program())
        times.append(time.perf_counter() - began)
    return min(times[1:])
