"""Memory of `jdl predict` on tables that grow, beside the table read whole.

python benchmarks/predict_memory.py [--rows 1000000] [--factor 5]

A model of ten numbers and two categories predicts a Parquet table of `--rows` rows and one of `--factor`
times as many, each by `jdl predict` and by `Model.predict_table`, in processes of their own. Printed are the
peak of a process's memory and the rows a second, start and compiling included.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import polars as pl

import jdl
from jdl import models
from jdl.data import infer_schema
from jdl.io import Model, save

WHOLE = """
import resource, sys, jdl
if sys.argv[1] == "whole":
    jdl.io.load(sys.argv[2]).predict_table(sys.argv[3]).write_parquet(sys.argv[4])
else:
    from jdl.cli import main
    assert main(["predict", *sys.argv[2:4], "--out", sys.argv[4]]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> int:
    """Make the tables and the model, predict, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--factor", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        save(made(), folder / "model")
        print("| rows | | seconds | rows/s | peak, MiB |\n|---|---|---|---|---|")
        for rows in (options.rows, options.rows * options.factor):
            table(rows, 0).write_parquet(folder / "table.parquet")
            for how in ("in parts", "whole"):
                seconds, peak = measured(how, folder)
                print(
                    f"| {rows:,} | {how} | {seconds:.1f} | {rows / seconds:,.0f} | {peak:,.0f} |", flush=True
                )
    return 0


def table(rows: int, seed: int) -> pl.DataFrame:
    """Draw rows of ten numbers, two categories and a target."""
    rng = np.random.default_rng(seed)
    numbers = {f"x{i}": rng.normal(size=rows).astype(np.float32) for i in range(10)}
    levels = {f"c{i}": pl.Series(rng.choice(list("abcdef"), rows), dtype=pl.String) for i in range(2)}
    return pl.DataFrame(numbers | levels | {"y": numbers["x0"] > 0})


def made() -> Model:
    """Train a model for one epoch."""
    frame = table(5000, 1)
    schema = infer_schema(frame, "y")
    recipe, hyper = models.recipe(schema, frame.height)
    hyper |= {"epochs": 1}
    data = {"x": schema.encode(frame), "y": schema.encode_target(frame)}
    return Model.of(schema, models.DEFAULT, hyper, jdl.run(recipe, hyper, jax.random.key(0), data))


def measured(how: str, folder: Path) -> tuple[float, float]:
    """Give the seconds and the peak of one process."""
    given = [str(folder / name) for name in ("model", "table.parquet", "out.parquet")]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", WHOLE, how, *given], capture_output=True, text=True, check=True
    )
    return time.perf_counter() - began, int(done.stdout.split()[-1]) / 2**10


if __name__ == "__main__":
    raise SystemExit(main())
