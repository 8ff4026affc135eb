"""What memory a sweep's program is said to take, and what it takes.

python benchmarks/sweep_memory.py [--out FILE]

For each shape a new process compiles a sweep's program, notes its size, and trains; the peak beyond that is
what the sweep took. Printed beside what `jdl.sweep` predicted, by which it keeps below `memory_limit`.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from measure import machine

OUT = Path(__file__).parent / "results" / "sweep_memory.json"
SHAPES = ((512, 16), (1024, 8), (1024, 16), (2048, 8))  # width, members at once

SCRIPT = """
import json, resource, sys
import jax, numpy as np
import jdl
from jdl import nn
from jdl.sweeps import program

width, members = map(int, sys.argv[1:])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
rng = np.random.default_rng(0)
data = {"x": rng.normal(size=(512, 64)).astype(np.float32), "y": rng.integers(0, 2, 512).astype(np.int32)}

def recipe(hyper):
    network = nn.chain(nn.dense(width), nn.relu, nn.dense(width), nn.relu, nn.dense(2))
    return jdl.Recipe(network, jdl.losses.cross_entropy, jdl.optim.adam(hyper["rate"]), 64, 2)

found = {}
compile_one = program._compile

def noted(*given):
    made = compile_one(*given)
    found["predicted"], found["before"] = made.bytes, peak()
    return made

program._compile = noted
space = [{"rate": 1e-3 * (1 + i)} for i in range(members // 2)]
jdl.sweep(recipe, space, jax.random.key(0), data, folds=2, schedule=members, devices=1)
print(json.dumps({"predicted": found["predicted"], "measured": peak() - found["before"]}))
"""


def main() -> None:
    """Measure every shape, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    rows = []
    for width, members in SHAPES:
        command = [sys.executable, "-c", SCRIPT, str(width), str(members)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        found = json.loads(done.stdout.splitlines()[-1])
        rows.append({"width": width, "members": members, **found})
        share = found["predicted"] / found["measured"]
        print(f"{width:5} wide, {members:3} at once: predicted {found['predicted'] / 2**20:7.1f} MiB, "
              f"measured {found['measured'] / 2**20:7.1f} MiB, ratio {share:.2f}", flush=True)  # fmt: skip
    options.out.write_text(json.dumps({"machine": machine(("jax",)), "found": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
