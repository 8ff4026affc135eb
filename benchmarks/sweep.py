"""Sweeps: folds × configurations × seeds by jdl, against loops, stacked PyTorch and vmap by hand.

python benchmarks/sweep.py [--cases digits,adult] [--contenders jdl,torch-loop] [--turns 3] [--warm 1]
    [--share 0.1] [--rates 4] [--epochs 2] [--seeds 1] [--report] [--out FILE]

Needs the extra `bench-sweep`; `sweep_peers/cases.py` says what is trained, `sweep_peers/__init__.py` by whom.
Contenders take turns, every other turn in reverse order; nothing else of theirs is alive meanwhile. A turn is
a new process: cold is its time from the start to the first sweep's scores, interpreter, imports and compiling
included; warm is a second sweep in the same process (the fastest of `--warm` ones). Processor time is that of
all processes of a contender. The table gives medians over the turns; a ratio is the median of those taken in
the same turn, so above 1 jdl is faster.

With `--share`, loops train only so many of the configurations, evenly spaced, and their time is scaled up:
what they do once (imports; each fold's preparation, where it is shared) is not. Their best accuracy is then
that of what they trained. `--rates`, `--epochs` and `--seeds` make a smaller sweep, to try it out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measure import machine
from step import names
from sweep_peers import CONTENDERS, LOOP
from sweep_peers.cases import SIZES, Size, write
from sweep_report import report

HERE = Path(__file__).parent
OUT = HERE / "results" / "sweep.json"
PACKAGES = (
    "jdl", "jax", "jaxlib", "optax", "numpy", "scikit-learn", "joblib", "torch", "skorch", "keras",
)  # fmt: skip


def main() -> int:
    """Run, write as it goes, print; give the exit code: 1 where a contender failed."""
    options = arguments()
    if options.report:
        print(report(json.loads(options.out.read_text())))
        return 0
    results: dict = {"machine": machine(PACKAGES), "cases": {}}
    with tempfile.TemporaryDirectory() as folder:
        for case in options.cases:
            write(case, Path(folder))
            size = smaller(SIZES[case], options)
            found: dict = {"size": size._asdict(), "contenders": {name: [] for name in options.contenders}}
            results["cases"][case] = found
            for i in range(options.turns):
                for name in options.contenders[:: 1 if i % 2 == 0 else -1]:
                    record = turn(name, case, size, Path(folder), options)
                    found["contenders"][name].append(record)
                    options.out.parent.mkdir(parents=True, exist_ok=True)
                    options.out.write_text(json.dumps(results) + "\n")
    print(report(results))
    turns = (each for found in results["cases"].values() for each in found["contenders"].values())
    return 1 if any("failed" in record for each in turns for record in each) else 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--cases", type=names(SIZES), default=list(SIZES))
    parser.add_argument("--contenders", type=names(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--warm", type=int, default=1, help="warm sweeps in a turn")
    parser.add_argument("--share", type=float, default=1.0, help="of the configurations, for loops")
    for option in ("rates", "epochs", "seeds"):
        parser.add_argument(f"--{option}", type=int)
    parser.add_argument("--report", action="store_true", help="print what the file holds")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if not 0 < options.share <= 1:
        parser.error(f"--share: found {options.share}, needs a number above 0, at most 1")
    if min(options.turns, options.warm) < 1:
        parser.error("--turns and --warm: each needs at least 1")
    return options


def smaller(size: Size, options: argparse.Namespace) -> Size:
    """Apply what the command line says of the size."""
    asked = {name: getattr(options, name) for name in ("rates", "epochs", "seeds")}
    return size._replace(**{name: value for name, value in asked.items() if value is not None})


def turn(name: str, case: str, size: Size, folder: Path, options: argparse.Namespace) -> dict:
    """Give a contender's record of one turn: cold and warm costs, accuracies, and how much was trained."""
    rates = size.rates
    if CONTENDERS[name].kind == LOOP:
        rates = max(1, round(options.share * rates))
    load = round(os.getloadavg()[0], 1)  # what else kept the machine busy
    began = time.time()
    command = [name, case, json.dumps(size), str(rates), str(folder), repr(began), str(options.warm)]
    answers = answered(command, CONTENDERS[name].environment)
    if answers is None:
        print(f"{case:8}{name:26}failed", flush=True)
        return {"failed": True}
    cold, *warm = answers
    best = min(warm, key=lambda answer: answer["cost"][0])
    print(f"{case:8}{name:26}cold {cold['cost'][0]:8.2f} s   warm {best['cost'][0]:8.2f} s", flush=True)
    facts = {"rates": rates, "accuracy": cold["accuracy"], "load": load}
    return {"cold": cold["cost"], "warm": best["cost"], "fixed": best["fixed"]} | facts


def answered(command: Sequence[str], environment: dict[str, str]) -> list[dict] | None:
    """Run a contender's process to its end; None where it failed, its error on the screen."""
    paths = [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    inherited = {k: value for k, value in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-m", "sweep_peers", *command],
        stdout=subprocess.PIPE,
        text=True,
        env=inherited | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | environment,
    )
    return None if done.returncode else [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    sys.exit(main())
