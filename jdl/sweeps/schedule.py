"""How many members are trained at once, on each device and on how many devices."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jdl.sweeps.groups import Group
from jdl.sweeps.program import Layout, Program, Shared
from jdl.train.recipe import Recipe, RecipeError

DEPTH = 64  # rounds in a call at most
WIDEST = 1024  # members at once on an accelerator, so that a sweep can be stopped and watched
PART_OF_MEMORY = 0.8  # of what is free, where no limit is given

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
    members = max(len(group.numbers), plan.room)
    devices = min(plan.devices or len(jax.local_devices()), members)
    share = -(-members // devices)
    width, reason = _width(plan, recipe, group, share)
    limit = free_memory() * PART_OF_MEMORY if plan.memory_limit is None else plan.memory_limit
    while True:
        layout = Layout(devices, width, min(-(-share // width), DEPTH))
        program, shared = make(layout)
        needed = program.bytes + shared_bytes(shared, devices)
        if needed <= limit:
            return program, shared, f"{reason}; {needed / 2**20:.0f} MiB"
        if width == 1 and devices == 1:
            raise RecipeError(
                f"memory_limit: one member needs {needed / 2**20:.0f} MiB, found {limit / 2**20:.0f} MiB; "
                "give fewer rows, a smaller network or smaller batches"
            )
        part = limit / needed
        if width > 1:
            width, reason = max(1, int(width * part)), f"{reason}, as many as memory holds"
        else:
            devices, reason = max(1, int(devices * part)), f"{reason}, as memory has no room for more"
            share = -(-members // devices)


def free_memory() -> int:
    """Give the bytes that are free for a sweep: of the accelerator, or of this machine."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return (stats["bytes_limit"] - stats.get("bytes_in_use", 0)) * len(jax.local_devices())
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def shared_bytes(shared: Any, devices: int) -> int:
    """Count the bytes of what members share: every device has its copy."""
    return devices * sum(np.size(leaf) * leaf.dtype.itemsize for leaf in jax.tree.leaves(shared))


def _width(plan: Plan, recipe: Recipe, group: Group, share: int) -> tuple[int, str]:
    if plan.schedule == "map":
        return 1, "one member after the other, as asked for"
    if plan.schedule == "vmap":
        return share, f"{share} members at once on each device, as asked for"
    if plan.schedule != "auto":
        width = min(int(plan.schedule), share)
        return width, f"{width} members at once on each device, as asked for"
    if jax.default_backend() != "cpu":
        width = min(share, WIDEST)
        return width, f"{width} members at once: an accelerator has room"
    return 1, "one member after the other on each core"


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
