"""How fast numbers are scaled, against scikit-learn: fitted on a table and applied to it.

python benchmarks/scalers.py [--rows 1000000] [--columns 50] [--repeats 5] [--only standard …] [--out FILE]

Both sides take turns in one process, on float32 columns of four kinds with missing values. It prints
the medians in seconds, elapsed and of the processor, and the ratios, theirs to ours.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from measure import machine
from sklearn import preprocessing
from sklearn.impute import SimpleImputer

from jdl import features

PACKAGES = ("jax", "jaxlib", "numpy", "scikit-learn")
PAIRS: dict[str, tuple[features.Prepare, Callable]] = {
    "standard": (features.standard(), preprocessing.StandardScaler),
    "min_max": (features.min_max(), preprocessing.MinMaxScaler),
    "robust": (features.robust(), preprocessing.RobustScaler),
    "quantile_normal": (
        features.quantile_normal(noise=0.0),
        lambda: preprocessing.QuantileTransformer(output_distribution="normal", random_state=0),
    ),
    "power": (features.power(), preprocessing.PowerTransformer),
    "impute_mean": (features.impute_mean(), SimpleImputer),
    "impute_median": (features.impute_median(), lambda: SimpleImputer(strategy="median")),
}


def table(rows: int, columns: int) -> np.ndarray:
    """Draw columns that are normal, skewed, rounded or mostly zero, with one cell in twenty missing."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, columns), np.float32)
    x[:, 1::4] = np.exp(x[:, 1::4])
    x[:, 2::4] = np.round(3 * x[:, 2::4])
    x[:, 3::4] = np.maximum(x[:, 3::4] - 1, 0)
    x[rng.random((rows, columns), np.float32) < 0.05] = np.nan
    return x


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Time one call to its end: what elapsed, and what all cores together spent."""
    start, spent = time.perf_counter(), time.process_time()
    jax.block_until_ready(work())
    return time.perf_counter() - start, time.process_time() - spent


def measure(name: str, x: np.ndarray, repeats: int) -> dict[str, object]:
    """Let both sides take turns, after one call of each that is not counted."""
    ours, theirs = PAIRS[name]

    @jax.jit
    def ours_on(key, rows):  # as a run does it: fitted, then applied to some rows at once, in one program
        stats = ours.fit(key, rows, None, None)
        return jax.lax.map(lambda row: ours.apply(stats, row), rows, batch_size=4096)

    key, on_device = jax.random.key(0), jnp.asarray(x)
    sides = {"jdl": lambda: ours_on(key, on_device), "sklearn": lambda: theirs().fit_transform(x)}
    for side in sides.values():
        seconds(side)
    times: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for i in range(repeats):
        for side in list(sides)[:: 1 if i % 2 == 0 else -1]:
            times[side].append(seconds(sides[side]))
    found: dict[str, object] = {"scaler": name, "rows": len(x), "columns": x.shape[1]}
    for i, kind in enumerate(("elapsed", "processor")):
        found |= {f"{side}_{kind}": round(statistics.median(t[i] for t in times[side]), 4) for side in sides}
        ratios = [b[i] / a[i] for a, b in zip(times["jdl"], times["sklearn"], strict=True)]
        found[f"ratio_{kind}"] = round(statistics.median(ratios), 2)
    return found


def main() -> None:
    """Print one line of JSON for each scaler."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    x = table(options.rows, options.columns)
    found = []
    for name in options.only:
        found.append(measure(name, x, options.repeats))
        print(json.dumps(found[-1]), flush=True)
    if options.out is not None:
        options.out.write_text(json.dumps({"machine": machine(PACKAGES), "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
