"""Time per training step: jdl against JAX by hand and other libraries, on one machine, taking turns.

python benchmarks/step.py [--sizes mlp32,cnn] [--peers jdl,jax-scan] [--repeats 9] [--out FILE]

Every peer trains the same network with the same optimizer on shuffled mini-batches from memory, the loss
included, in a process of its own. Compile time is reported apart. The table gives medians over the repeats;
the ratio is the median over the repeats of (peer / jdl), so above 1 jdl is faster.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from measure import machine, round_robin, workers
from peers import HANDWRITTEN, PEERS
from sizes import SIZES

PACKAGES = ("jax", "jaxlib", "optax", "flax", "equinox", "dm-haiku", "keras", "torch", "scikit-learn")
OUT = Path(__file__).parent / "results" / "step.json"


def main() -> None:
    """Measure what is asked for, print a table for each size, write everything as JSON."""
    options = command_line(__doc__, OUT, sizes=SIZES, peers=PEERS).parse_args()
    results = {}
    for size in options.sizes:
        results[size] = measure(size, options.peers, options.repeats, options.seconds)
        print(table(size, results[size]), flush=True)
        write(options.out, {"machine": machine(PACKAGES), "repeats": options.repeats, "sizes": results})


def command_line(description: str | None, out: Path, **known: Mapping[str, object]):
    """Make a parser of what a measurement takes, with an option for each list of ``known`` names."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=plain)
    for option, choices in known.items():
        parser.add_argument(f"--{option}", type=names(choices), default=list(choices))
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one repeat of a peer")
    parser.add_argument("--out", type=Path, default=out)
    return parser


def names(known: Mapping[str, object]):
    """Read a list of known names, separated by commas."""

    def read(text: str) -> list[str]:
        unknown = [name for name in text.split(",") if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return text.split(",")

    return read


def measure(size: str, peers: Sequence[str], repeats: int, seconds: float) -> dict[str, dict]:
    """Give milliseconds per step, their ratio to jdl's, and seconds to compile, for each peer."""
    able = [name for name in peers if size in PEERS[name].sizes]
    commands = {name: ((name, size, str(seconds)), PEERS[name].environment) for name in able}
    with workers(commands) as running:
        answers = round_robin(running, repeats)
        compiled = {name: first for name, (_, first) in running.items()}
    rows = {}
    for name, repeated in answers.items():
        times = [answer["ms"] for answer in repeated]
        rows[name] = {**compiled[name], "ms": median(times), "all_ms": times, "loss": repeated[-1]["loss"]}
    for row in rows.values() if "jdl" in rows else ():
        row["ratio"] = paired_ratio(row, rows["jdl"])
    by_hand = [name for name in HANDWRITTEN if name in rows]
    if "jdl" in rows and by_hand:
        best = min(by_hand, key=lambda name: rows[name]["ms"])
        rows["jdl"]["to_best_by_hand"] = paired_ratio(rows["jdl"], rows[best])
    return rows


def paired_ratio(one: dict, other: dict) -> float:
    """Median of the ratios of measurements taken in the same turn."""
    return median(a / b for a, b in zip(one["all_ms"], other["all_ms"], strict=True))


def table(size: str, rows: dict[str, dict]) -> str:
    """Lay the results out, fastest first."""
    lines = [f"\n{size:18}{'ms / step':>12}{'peer / jdl':>12}{'compile s':>12}{'last loss':>12}"]
    for name, row in sorted(rows.items(), key=lambda item: item[1]["ms"]):
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        lines.append(f"{name:18}{row['ms']:12.4f}{ratio:>12}{row['compile_s']:12.1f}{row['loss']:12.4f}")
    if "to_best_by_hand" in rows.get("jdl", {}):
        lines.append(f"jdl / best JAX by hand: {rows['jdl']['to_best_by_hand']:.3f}")
    return "\n".join(lines)


def write(path: Path, results: dict) -> None:
    """Write JSON, in a folder made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
