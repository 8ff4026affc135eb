"""One contender on one table in a process of its own: ``CONTENDER TABLE FOLDER BEGAN [--estimate]``.

A line read is a seed, a line written is its answer in JSON: scores, seconds, memory. ``BEGAN`` is the time at
which the process was started, by which the first answer is timed from a cold start: interpreter, imports and
compiling included. With ``--estimate`` the only answer is the seconds that a fit would take, or null.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

from measure import gpu
from tables import load
from worker import answer, own_output

from tabular_peers import CONTENDERS


def main(name: str, table: str, folder: str, began: str, *flags: str) -> None:
    """Answer until the input ends."""
    answers = own_output()
    contender, rows = CONTENDERS[name], load(Path(folder), table)
    if flags:
        answer(answers, {"estimate": contender.estimate(rows)})
        return
    accelerator = gpu() if {"jax", "torch"} & set(contender.packages) else None
    start, used, cold = float(began), 0.0, True
    for line in sys.stdin:
        seed = json.loads(line)
        if not cold:
            start, used = time.time(), time.process_time()
        fitted = contender.fit(rows, seed)
        seconds, cpu = time.time() - start, time.process_time() - used
        from tabular_peers.scores import score  # after the clock: it imports scikit-learn

        found, error = score(rows, fitted.outputs)
        parts = {part: round(value, 3) for part, value in fitted.seconds.items()}
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        load_average = round(os.getloadavg()[0], 1)  # what else kept the machine busy
        facts = {"cold": cold, "seconds": round(seconds, 3), "cpu": round(cpu, 3), "parts": parts}
        facts |= {"epochs": fitted.epochs, "threads": os.environ.get("OMP_NUM_THREADS", "all")}
        facts |= {"gpu": accelerator} if accelerator else {}
        facts |= {"mib": round(memory), "load": load_average, "scores": found, "test_error": error}
        answer(answers, facts)
        cold = False


if __name__ == "__main__":
    main(*sys.argv[1:])
