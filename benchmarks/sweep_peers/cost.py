"""What work costs: seconds on the wall, and seconds of all cores, those of child processes included."""

import os
import time
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """Seconds."""

    wall: float
    cpu: float

    def since(self, began: "Cost") -> "Cost":
        """Give what was spent from ``began`` up to here."""
        return Cost(self.wall - began.wall, self.cpu - began.cpu)


NOTHING = Cost(0.0, 0.0)


def now() -> Cost:
    """Read both clocks; the wall's is that of the machine, so that processes may compare theirs."""
    return Cost(time.time(), cpu_seconds(os.getpid()))


def cpu_seconds(root: int) -> float:
    """Add up the processor time of a process and all below it, from /proc: workers may still be alive."""
    parents, used = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        parents[int(entry.name)] = int(fields[1])
        used[int(entry.name)] = sum(int(field) for field in fields[11:15])  # with children waited for
    return sum(ticks for pid, ticks in used.items() if _below(pid, root, parents)) / TICKS


def _below(pid: int | None, root: int, parents: dict[int, int]) -> bool:
    while pid is not None and pid != root:
        pid = parents.get(pid)
    return pid == root
