"""The model of Adult as one file, against the model itself on all official test rows.

python benchmarks/export.py [--model DIR] [--turns 5] [--out FILE]

The model is the demo's or the one in DIR. It is exported to ONNX and to StableHLO; both files read the 16,281
raw rows, categories as texts (ONNX) or as bytes (StableHLO), and what they predict is compared with
`predict_table`; so is the model's own function in float64, which says how far float32 can be trusted. Printed
are the size of each file, the seconds to write it, the greatest difference of a probability, the rows that
differ by more than 1e-5, and the milliseconds to predict all rows, the median of `--turns` turns taken one
after the other; for `predict_table` with the encoding of the table, which the files do themselves. Needs
`pip install 'jdl[onnx]'`. The promise: no probability of a file differs by more than 1e-5, or, where float32
itself is farther from float64, by more than that; without it the exit is 1.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import jax
import numpy as np
import onnxruntime
import polars as pl
from measure import machine
from raw_rows import with_bytes, with_texts
from serve_process import trained

from jdl import datasets, io
from jdl.io import Model

PROMISE = 1e-5
PACKAGES = ("jax", "jaxlib", "numpy", "onnx", "onnxruntime")


def main() -> int:
    """Export, compare, time, print and write; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "export.json")
    options = parser.parse_args()
    rows = datasets.adult()[1].drop("income")
    with TemporaryDirectory() as scratch:
        folder = options.model or Path(scratch) / "adult"
        if options.model is None:
            trained(folder)
        model = io.load(folder)
        files = {"onnx": written(model, io.export_onnx, Path(scratch) / "model.onnx")}
        files["stablehlo"] = written(model, io.export, Path(scratch) / "model.stablehlo")
        calls = {"jdl": lambda: model.predict_table(rows).to_numpy()[:, 1:].astype(float)}
        calls |= {"onnx": of_onnx(model, rows, files["onnx"]["path"])}
        calls |= {"stablehlo": of_stablehlo(model, rows, files["stablehlo"]["path"])}
        expected = calls["jdl"]()
        found = {name: apart(call(), expected) for name, call in calls.items()}
        for name, took in timed(calls, options.turns).items():
            found[name] |= {"predict_ms": took}
        for name, about in files.items():
            found[name] |= {key: value for key, value in about.items() if key != "path"}
        found["float64"] = apart(in_float64(model, rows), expected)
    record = {"machine": machine(PACKAGES), "network": model.network, "rows": len(rows), "files": found}
    options.out.write_text(json.dumps(record, indent=1) + "\n")
    for name, about in found.items():
        print(name, {key: float(f"{value:.3g}") for key, value in about.items()})
    allowed = max(PROMISE, found["float64"]["worst"])
    return 1 if any(found[name]["worst"] > allowed for name in files) else 0


def written(model: Model, export: Callable[[Model, Path], None], path: Path) -> dict[str, Any]:
    """Write a file; give its place, its size and the seconds it took."""
    start = time.perf_counter()
    export(model, path)
    return {"path": path, "bytes": path.stat().st_size, "export_s": time.perf_counter() - start}


def of_onnx(model: Model, rows: pl.DataFrame, path: Path) -> Callable[[], np.ndarray]:
    """Give what ONNX Runtime predicts of raw columns."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    columns = with_texts(model, rows)
    return lambda: session.run(["probability"], columns)[0]


def of_stablehlo(model: Model, rows: pl.DataFrame, path: Path) -> Callable[[], np.ndarray]:
    """Give what JAX predicts of raw columns by the file alone."""
    called = jax.jit(jax.export.deserialize(path.read_bytes()).call)
    columns = with_bytes(model, rows)
    return lambda: np.asarray(called(columns)["probability"])


def in_float64(model: Model, rows: pl.DataFrame) -> np.ndarray:
    """Give what the model's function predicts where all its arithmetic has twice the digits."""

    def wide(tree: Any) -> Any:
        double = lambda leaf: leaf.astype(np.float64) if np.issubdtype(leaf.dtype, np.floating) else leaf
        return jax.tree.map(lambda leaf: double(np.asarray(leaf)), tree)

    with jax.enable_x64(True):
        parts = {name: wide(getattr(model, name)) for name in ("params", "stats", "state")}
        predict = jax.jit(jax.vmap(replace(model, **parts).predict))
        return np.asarray(predict(wide(dict(model.schema.encode(rows)))))


def apart(found: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Give the greatest difference, and how many rows differ by more than what is promised."""
    off = np.abs(found - expected).max(1)
    return {"worst": float(off.max()), "rows_off": int((off > PROMISE).sum())}


def timed(calls: dict[str, Callable], turns: int) -> dict[str, float]:
    """Give the median milliseconds of each call, the calls taking turns."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            took[name].append(1e3 * (time.perf_counter() - start))
    return {name: median(times) for name, times in took.items()}


if __name__ == "__main__":
    sys.exit(main())
