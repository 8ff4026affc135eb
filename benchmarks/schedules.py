"""What `schedule="auto"` chooses in a sweep against every other schedule, over a grid of shapes.

python benchmarks/schedules.py [--repeats 3] [--out FILE]

A shape is the width of a network of two hidden layers, the batch and the number of members, over 1,024 rows.
All schedules of a shape are compiled, then they take turns; printed is the median of milliseconds per member
and epoch, and by how much the choice of `auto` takes longer than the best.
"""

import argparse
import json
import platform
import time
from itertools import product
from pathlib import Path
from statistics import median

import jax
import numpy as np

import jdl
from jdl import nn

OUT = Path(__file__).parent / "results" / "schedules.json"
ROWS, COLUMNS = 1280, 32  # of which four fifths are trained on
WIDTHS, BATCHES, MEMBERS = (16, 64, 256, 512), (32, 256, 1024), (2, 16, 128)
WORK = 2e9  # operations of a member, about: epochs are chosen for it
FEWEST = 4  # epochs, for one alone is mostly the start and the end of a run


def shapes() -> list[tuple[int, int, int]]:
    """Give ``(width, batch, members)``: every pair of widths and batches, the members in turn."""
    pairs = product(WIDTHS, BATCHES)
    return [(width, batch, MEMBERS[i % len(MEMBERS)]) for i, (width, batch) in enumerate(pairs)]


def recipe_of(width: int, batch: int, epochs: int):
    """Make the recipe function of a shape."""

    def recipe(hyper: dict) -> jdl.Recipe:
        network = nn.chain(nn.dense(width), nn.relu, nn.dense(width), nn.relu, nn.dense(2))
        return jdl.Recipe(network, jdl.losses.cross_entropy, jdl.optim.adam(hyper["rate"]), batch, epochs)

    return recipe


def measure(width: int, batch: int, members: int, repeats: int) -> dict[str, float]:
    """Give milliseconds per member and epoch of every schedule, taking turns."""
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(size=(ROWS, COLUMNS)).astype(np.float32), "y": rng.integers(0, 2, ROWS)}
    step = 6 * batch * (COLUMNS * width + width * width)
    epochs = int(np.clip(WORK / (step * ROWS / batch) / max(1, members / 16), FEWEST, 20))
    recipe = recipe_of(width, batch, epochs)
    rates = np.geomspace(1e-4, 1e-2, members).tolist()
    folds = [(np.arange(ROWS // 5, ROWS), np.arange(ROWS // 5))]
    asked = {"auto": "auto", "map": "map", "4 at once": 4, "16 at once": 16, "vmap": "vmap"}
    devices = {"map, one device": 1}
    times: dict[str, list[float]] = {name: [] for name in [*asked, *devices]}
    for turn in range(repeats + 1):
        for name in times:
            key, schedule = jax.random.key(turn), asked.get(name, "map")
            began = time.perf_counter()
            jdl.sweep(
                recipe, {"rate": rates}, key, data, folds=folds, stop=0, schedule=schedule,
                devices=devices.get(name),
            )  # fmt: skip
            if turn:  # the first compiles
                times[name].append((time.perf_counter() - began) / members / epochs * 1e3)
    return {name: median(values) for name, values in times.items()}


def main() -> int:
    """Measure every shape, print and write what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    rows = []
    for width, batch, members in shapes():
        found = measure(width, batch, members, options.repeats)
        loss = found["auto"] / min(found.values()) - 1
        rows.append({"width": width, "batch": batch, "members": members, "ms": found, "loss": loss})
        if len(rows) == 1:
            print("| width | batch | members |", " | ".join(found), "| auto behind the best |")
            print("|---" * (len(found) + 4) + "|")
        print(f"| {width} | {batch} | {members} |", " | ".join(f"{ms:.2f}" for ms in found.values()), end="")
        print(f" | {loss:.0%} |", flush=True)
    losses = [row["loss"] for row in rows]
    print(f"auto is behind the best by {median(losses):.0%} in the median, {max(losses):.0%} at worst")
    about = {"machine": platform.processor() or platform.machine(), "jax": jax.__version__}
    options.out.write_text(json.dumps({"about": about, "shapes": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
