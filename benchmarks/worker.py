"""One peer at one size in a process of its own: ``worker.py PEER SIZE SECONDS``, one repeat per line read.

Each answer is one line of JSON: first what compiling took, then milliseconds per training step.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import TextIO

from peers import PEERS
from sizes import SIZES


def main(peer: str, size: str, seconds: str) -> None:
    """Compile and warm up, then train whenever asked to."""
    answers = own_output()
    steps = SIZES[size].steps
    train = PEERS[peer].build(SIZES[size])
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
