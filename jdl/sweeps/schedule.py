"""How many members are trained at once, on each device and on how many devices."""

import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jax
import numpy as np

from jdl.sweeps.groups import Group
from jdl.sweeps.program import Layout, Program, Shared, placed
from jdl.train.recipe import Recipe, RecipeError, batch_sizes

DEPTH = 64  # rounds in a call at most
# Members at once on an accelerator at most, so that a sweep can be stopped and watched. Each round pays all
# steps' launches: 4,100 small networks took 2.8 s in five rounds of 1,024, and in one, by hand, 1.2 s.
WIDEST = 4096
PART_OF_MEMORY = 0.8  # of what is free, where no limit is given

# From so many operations a step on, matrices outgrow a core's caches, and all cores may be faster at one
# member; from so many in all, some seconds, compiling another program costs less than it can save.
STEP, SWEEP = 1e9, 5e11
GAIN = 0.95  # all cores at one member must take less than this part of the other's time

Make = Callable[[Layout], tuple[Program, Shared]]


class Plan(NamedTuple):
    """What is asked of the schedule: ``"auto"``, ``"map"``, ``"vmap"`` or members at once on each device."""

    schedule: str | int = "auto"
    devices: int | None = None
    memory_limit: int | None = None  # bytes
    room: int = 0  # members that a program is made for at least, so that smaller groups find it again


def checked(schedule: Any, devices: Any, memory_limit: Any) -> Plan:
    """Give the plan, or say what is wrong with it.

    Raises:
        RecipeError: an unknown schedule, devices that are not there, a memory limit below one byte.
    """
    if schedule not in ("auto", "map", "vmap") and not _counts(schedule):
        needed = "'auto', 'map', 'vmap' or a number of members"
        raise RecipeError(f"schedule: found {schedule!r}, needs {needed}")
    there = len(jax.local_devices())
    if devices is not None and not (_counts(devices) and devices <= there):
        raise RecipeError(f"devices: found {devices!r}, needs 1 to {there}, as many as there are")
    if memory_limit is not None and not memory_limit >= 1:
        raise RecipeError(f"memory_limit: found {memory_limit!r}, needs a number of bytes")
    return Plan(schedule, devices, memory_limit)


def choose(plan: Plan, recipe: Recipe, group: Group, make: Make) -> tuple[Program, Shared, str]:
    """Give the program of a group in the layout that suits it best, what it reads, and why."""
    program, shared, reason = _fitting(plan, group, make)
    if plan.schedule != "auto" or plan.devices is not None or not worth_a_trial(program, recipe, group):
        return program, shared, reason
    other, read = make(Layout(1, 1, min(max(len(group.numbers), plan.room), DEPTH)))
    each, alone = pace(program, group.members, shared), pace(other, group.members, read)
    found = f"an epoch of a member took {each * 1e3:.0f} ms on a core each, {alone * 1e3:.0f} ms on all cores"
    if alone < GAIN * each:
        return other, read, f"one member after the other on all cores: {found}; {_mebibytes(other, read)}"
    return program, shared, f"{reason}: {found}"


def worth_a_trial(program: Program, recipe: Recipe, group: Group) -> bool:
    """Whether cores may do better together: heavy steps, and a sweep that is long enough to try."""
    if jax.default_backend() != "cpu" or program.layout.devices == 1 or program.operations < STEP:
        return False
    _, steps = batch_sizes(recipe, group.parts.train.index.shape[1])
    return program.operations * steps * recipe.epochs * len(group.numbers) >= SWEEP


_paces: WeakKeyDictionary[Program, float] = WeakKeyDictionary()


def pace(program: Program, members: Any, shared: Shared) -> float:
    """Time a program's first epoch of a round, in seconds a member: the better of two, measured once."""
    if program not in _paces:
        devices, width, _ = program.layout
        some = jax.tree.map(lambda leaf: leaf[: devices * width], members)
        short = shared._replace(last=placed(np.int32(1), devices))
        times = []
        for _ in range(3):
            began = time.perf_counter()
            program(some, short)
            times.append(time.perf_counter() - began)
        _paces[program] = min(times[1:]) / (devices * width)
    return _paces[program]


def _fitting(plan: Plan, group: Group, make: Make) -> tuple[Program, Shared, str]:
    """Give the program that the rule says, with as many members at once as memory holds."""
    members = max(len(group.numbers), plan.room)
    devices = min(plan.devices or len(jax.local_devices()), members)
    share = -(-members // devices)
    width, reason = _width(plan, share)
    limit = free_memory() * PART_OF_MEMORY if plan.memory_limit is None else plan.memory_limit
    while True:
        layout = Layout(devices, width, min(-(-share // width), DEPTH))
        program, shared = make(layout)
        needed = program.bytes + shared_bytes(shared, devices)
        if needed <= limit:
            return program, shared, f"{reason}; {_mebibytes(program, shared)}"
        if width == 1 and devices == 1:
            raise RecipeError(
                f"memory_limit: one member needs {needed / 2**20:.0f} MiB, found {limit / 2**20:.0f} MiB; "
                "give fewer rows, a smaller network or smaller batches"
            )
        part = limit / needed
        if width > 1:
            width, reason = evenly(share, int(width * part)), f"{reason}, as many as memory holds"
        else:
            devices, reason = max(1, int(devices * part)), f"{reason}, as memory has no room for more"
            share = -(-members // devices)


def evenly(members: int, most: int) -> int:
    """Give the members at once in the fewest rounds of up to ``most``, so that the last is nearly full.

    >>> evenly(4100, 4096)
    2050
    """
    rounds = -(-members // max(1, most))
    return -(-members // rounds)


def free_memory() -> int:
    """Give the bytes that are free for a sweep: of the accelerator, or of this machine."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return (stats["bytes_limit"] - stats.get("bytes_in_use", 0)) * len(jax.local_devices())
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def shared_bytes(shared: Any, devices: int) -> int:
    """Count the bytes of what members share: every device has its copy."""
    return devices * sum(np.size(leaf) * leaf.dtype.itemsize for leaf in jax.tree.leaves(shared))


def _mebibytes(program: Program, shared: Shared) -> str:
    return f"{(program.bytes + shared_bytes(shared, program.layout.devices)) / 2**20:.0f} MiB"


def _width(plan: Plan, share: int) -> tuple[int, str]:
    if plan.schedule == "map":
        return 1, "one member after the other, as asked for"
    if plan.schedule == "vmap":
        return share, f"{share} members at once on each device, as asked for"
    if plan.schedule != "auto":
        width = min(int(plan.schedule), share)
        return width, f"{width} members at once on each device, as asked for"
    if jax.default_backend() != "cpu":
        width = evenly(share, WIDEST)
        return width, f"{width} members at once: an accelerator has room"
    return 1, "one member after the other on each core"


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
