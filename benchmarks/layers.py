"""Time of one layer, forward and backward, in a loop: jdl against Flax, Equinox and PyTorch, taking turns.

python benchmarks/layers.py [--cases conv_2d,lstm] [--peers jdl,flax] [--repeats 9] [--seconds 1] [--out FILE]

Every step gives the outputs of a batch and the gradients by input and parameters, and descends them, so that
no step can be left out. The JAX peers run their steps in one ``jax.lax.scan`` on one device with XLA's thread
pool, each in a process of its own, as does PyTorch in its eager loop with one and with two threads. The table
gives medians over the repeats; the ratio to the best peer is the median of (jdl / peer) over the repeats, and
one above 1.1 is marked.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from layer_peers import CASES, PEERS
from measure import machine, round_robin, workers
from step import command_line, paired_ratio, write

PACKAGES = ("jax", "jaxlib", "flax", "equinox", "torch")
OUT = Path(__file__).parent / "results" / "layers.json"
LIMIT = 1.1


def main() -> None:
    """Measure what is asked for, print a line for each layer, write everything as JSON."""
    options = arguments()
    results: dict[str, dict] = {}
    print(line("ms per step", {name: name for name in options.peers}, "best", "jdl / best"))
    for case in options.cases:
        rows = results[case] = measure(case, options.peers, options.repeats, options.seconds)
        times = {name: f"{rows[name]['ms']:.3f}" if name in rows else "" for name in options.peers}
        best, ratio = rows["jdl"]["best_peer"], rows["jdl"]["to_best"]
        print(line(case, times, best, f"{ratio:.2f}{' <' if ratio > LIMIT else ''}"), flush=True)
        given = {"repeats": options.repeats, "seconds": options.seconds, "limit": LIMIT}
        write(options.out, {"machine": machine(PACKAGES), **given, "cases": results})


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = command_line(__doc__, OUT, cases=CASES, peers=PEERS)
    options = parser.parse_args()
    if "jdl" not in options.peers or len(options.peers) < 2:
        parser.error("--peers: needs jdl and one to compare it with")
    return options


def measure(case: str, peers: Sequence[str], repeats: int, seconds: float) -> dict[str, dict]:
    """Give milliseconds per step and seconds to compile for each peer, and jdl's ratio to the best."""
    able = [name for name in peers if case not in PEERS[name].lacks]
    commands = {name: ((name, case, str(seconds), "layer_peers"), PEERS[name].environment) for name in able}
    with workers(commands) as running:
        answers = round_robin(running, repeats)
        compiled = {name: first for name, (_, first) in running.items()}
    rows = {}
    for name, repeated in answers.items():
        times = [answer["ms"] for answer in repeated]
        rows[name] = {**compiled[name], "ms": median(times), "all_ms": times}
    best = min((name for name in rows if name != "jdl"), key=lambda name: rows[name]["ms"])
    rows["jdl"] |= {"best_peer": best, "to_best": paired_ratio(rows["jdl"], rows[best])}
    return rows


def line(case: str, times: dict[str, str], best: str, ratio: str) -> str:
    """Lay one line of the table out."""
    return f"{case:26}" + "".join(f"{each:>10}" for each in times.values()) + f"{best:>10}  {ratio}"


if __name__ == "__main__":
    main()
