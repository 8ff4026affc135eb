"""What sweeps cost: every contender's times in full, their ratios to jdl's, and who is the best of a kind."""

from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

from sweep_peers import CONTENDERS, LOOP, STACKED

# Times jdl's warm seconds, at least: on the processor's cores, and where all compute on one GPU.
NEEDED = {LOOP: 6.0, STACKED: 2.0, "naive vmap": 1.5}
NEEDED_ON_GPU = {LOOP: 100.0, STACKED: 1.0, "naive vmap": 1.0}
FOLDS = 5


class Turn(NamedTuple):
    """Seconds of one turn, on the wall and of all cores; scaled up where not all was trained."""

    cold: float
    warm: float
    cold_cpu: float
    warm_cpu: float


def scaled(record: dict[str, Any], rates: int) -> Turn:
    """Scale what grows with the configurations from those trained to all."""
    grown = rates / record["rates"]
    walls, cpus = zip(record["cold"], record["warm"], record["fixed"], strict=True)
    found = []
    for cold, warm, fixed in (walls, cpus):
        added = (warm - fixed) * (grown - 1)
        found.append((cold + added, warm + added))
    return Turn(found[0][0], found[0][1], found[1][0], found[1][1])


def report(results: dict[str, Any]) -> str:
    """Lay everything out in Markdown."""
    about = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    place = " with ".join(about[part] for part in ("processor", "gpu") if part in about)
    needed = NEEDED_ON_GPU if "gpu" in about else NEEDED
    lines = [f"{place}, {about['cores']} cores, Python {about['python']}; {versions}"]
    for case, found in results["cases"].items():
        lines += ["", *section(case, found, needed)]
    return "\n".join(lines)


def section(case: str, found: dict[str, Any], needed: dict[str, float]) -> list[str]:
    """Give one case's table, fastest first, and its verdicts."""
    size = found["size"]
    turns = {name: turns_of(records, size["rates"]) for name, records in found["contenders"].items()}
    failed = [name for name, each in turns.items() if each is None]
    good = {name: each for name, each in turns.items() if each}
    members = FOLDS * size["rates"] * size["seeds"]
    order = sorted(good, key=lambda name: median(turn.warm for turn in good[name]))
    lines = [
        f"**{case}**: {members} members ({FOLDS} folds × {size['rates']} learning rates × {size['seeds']} "
        f"seeds), {'-'.join(map(str, size['widths']))}, {size['epochs']} epochs, batch {size['batch']}",
        "",
        "| | cold s | × | warm s | × | CPU s cold | × | CPU s warm | × | models / s | accuracy | trained |",
        "|---|" + "---:|" * 11,
        *(row(name, good, found["contenders"][name][0], members, size["rates"]) for name in order),
    ]
    if failed:
        lines += ["", f"Failed: {', '.join(failed)}."]
    return [*lines, "", *verdicts(good, needed)] if "jdl" in good else lines


def turns_of(records: list[dict[str, Any]], rates: int) -> list[Turn] | None:
    """Give a contender's turns in full, or None where one of them failed or none is done yet."""
    if not records or any("failed" in record for record in records):
        return None
    return [scaled(record, rates) for record in records]


def row(name: str, good: dict[str, list[Turn]], first: dict[str, Any], members: int, rates: int) -> str:
    """Give a contender's line."""
    cells = []
    for part in ("cold", "warm", "cold_cpu", "warm_cpu"):
        cells.append(f"{median(getattr(turn, part) for turn in good[name]):.2f}")
        cells.append(f"{ratio(good, name, part):.2f}" if "jdl" in good else "")
    speed = members / median(turn.warm for turn in good[name])
    share = "all" if first["rates"] == rates else f"{first['rates']} of {rates} rates"
    return f"| {name} | {' | '.join(cells)} | {speed:.1f} | {max(first['accuracy']):.4f} | {share} |"


def ratio(good: dict[str, list[Turn]], name: str, part: str) -> float:
    """Give the median over the turns of a contender's seconds to jdl's."""
    both = zip(good[name], good["jdl"], strict=False)  # a run that goes on has turns without their pair
    return median(getattr(a, part) / getattr(b, part) for a, b in both)


def verdicts(good: dict[str, list[Turn]], needed: dict[str, float]) -> list[str]:
    """Say how jdl stands to the fastest of each kind, warm, and to all of them, cold."""
    lines = []
    for kind, times in needed.items():
        of_kind = [name for name in good if CONTENDERS[name].kind == kind]
        if of_kind:
            best = fastest(of_kind, lambda name: ratio(good, name, "warm"))
            lines.append(
                f"- warm, to the fastest {kind} ({best}): {ratio(good, best, 'warm'):.2f}, needs {times}"
            )
    others = [name for name in good if CONTENDERS[name].kind in needed]
    if others:
        best = fastest(others, lambda name: ratio(good, name, "cold"))
        lines.append(f"- cold, to the fastest of all ({best}): {ratio(good, best, 'cold'):.2f}, needs 1.0")
    return lines


def fastest(some: list[str], by: Callable[[str], float]) -> str:
    """Give the one that is least by a figure."""
    return min(some, key=by)
