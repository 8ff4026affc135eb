"""One peer at one size in a process of its own: ``worker.py PEER SIZE SECONDS``, one repeat per line read.

A fourth argument names the package that has the peers and sizes; it is ``peers`` unless given.
Each answer is one line of JSON: first what compiling took, then milliseconds per training step.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import TextIO


def main(peer: str, size: str, seconds: str, package: str = "peers") -> None:
    """Compile and warm up, then train whenever asked to."""
    answers = own_output()
    known = import_module(package)
    steps = known.SIZES[size].steps
    train = known.PEERS[peer].build(known.SIZES[size])
    first, warm = timed(train, 1)[0], timed(train, 1)[0]
    epochs = max(1, round(float(seconds) / warm))
    train(epochs)  # a peer that compiles its whole run for a number of epochs does so here
    answer(answers, {"compile_s": first - warm, "epochs": epochs})
    for _ in sys.stdin:
        duration, loss = timed(train, epochs)
        answer(answers, {"ms": 1000 * duration / (epochs * steps), "loss": loss})


def timed(train: Callable[[int], float], epochs: int) -> tuple[float, float]:
    """Train and give the seconds it took and the last loss."""
    start = time.perf_counter()
    loss = train(epochs)
    return time.perf_counter() - start, loss


def own_output() -> TextIO:
    """Keep standard output for the answers: whatever a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def answer(answers: TextIO, message: dict) -> None:
    """Write one line of JSON."""
    print(json.dumps(message), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
