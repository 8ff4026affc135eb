"""Processes killed while they save a model: does the folder always hold the old one or the new one, whole?

python benchmarks/kill_save.py [--kills 50] [--seed 0]

A process loads two models of a few megabytes and saves one after the other into the same folder, without end.
It is killed (SIGKILL) after a random time; then the folder is loaded, and its arrays are compared with those
of both models, bit by bit. The exit code is 1 where it held neither.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import jax
from fuzz_folders import made, same

from jdl.io import ModelError, load, save

WRITER = """
import sys
from jdl.io import load, save
models = [load(folder) for folder in sys.argv[2:]]
print("ready", flush=True)
while True:
    for model in models:
        save(model, sys.argv[1])
"""
LONGEST = 0.5  # seconds that a process may save for


def main() -> int:
    """Kill, look, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, counts = random.Random(options.seed), Counter()
    with tempfile.TemporaryDirectory() as work:
        first = made(widths=(512, 1024))
        second = replace(first, params=jax.tree.map(lambda leaf: leaf + 1, first.params))
        folders = [str(Path(work) / name) for name in ("place", "first", "second")]
        for model, folder in zip((first, first, second), folders, strict=True):
            save(model, folder)
        for _ in range(options.kills):
            counts[killed(folders, draw.random() * LONGEST, [first, second])] += 1
    for outcome, count in counts.most_common():
        print(f"{count:4}  {outcome}")
    return int(any(outcome.startswith("FAILED") for outcome in counts))


def killed(folders: list[str], seconds: float, models: list) -> str:
    """Kill one process, and say what it left."""
    with subprocess.Popen([sys.executable, "-c", WRITER, *folders], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(seconds)
        writer.kill()
    left = "".join(sorted(path.name for path in Path(folders[0]).parent.glob(".place.*")))
    try:
        found = load(folders[0])
    except ModelError as error:
        return f"FAILED: {error}"
    which = [name for name, model in zip(("first", "second"), models, strict=True) if same(found, model)]
    return f"the {which[0]} model, whole; beside it {left or 'nothing'}" if which else "FAILED: neither model"


if __name__ == "__main__":
    raise SystemExit(main())
