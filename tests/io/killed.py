"""Saves a model again and again, each time in a process that dies one call for files later.

python tests/io/killed.py FOLDER OLD NEW swapped|renamed, of two pickled models. Printed is which model
was found whole after each death. It is a process of its own, as one with JAX's threads forks badly.
"""

import os
import pickle
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from jdl import disk
from jdl.io import files, save

EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "shutil.rmtree")


def killed_at(step: int, work: Callable[[], None]) -> bool:
    """Do some work in a process that dies before its ``step``-th call for files; say whether it did."""
    child = os.fork()
    if child == 0:
        left = [step]

        def hook(event: str, _: tuple) -> None:
            if event in EVENTS:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def main(folder: str, *pickled: str) -> None:
    """Die at every step of a save; say what was there after each."""
    place = Path(folder) / "model"
    old, new = (pickle.loads(Path(path).read_bytes()) for path in pickled[:2])
    if pickled[2] == "renamed":
        disk.swapped = lambda left, right: False
    named = {}
    for name, model in (("old", old), ("new", new)):
        save(model, Path(folder) / name)
        named[name] = files.read_description(Path(folder) / name)
    save(old, place)
    step = 0
    while killed_at(step, lambda: save(new, place)):
        there = files.standing(place)
        body = files.read_description(there)
        for name, needed in body["files"].items():
            files.read_checked(there, name, needed)
        print(next(name for name, expected in named.items() if expected == body))
        save(old, place)
        step += 1
    assert files.read_description(place) == named["new"]


if __name__ == "__main__":
    main(*sys.argv[1:])
