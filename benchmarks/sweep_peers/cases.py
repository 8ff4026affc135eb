"""The two sweeps, as files that every contender reads.

| case | rows | columns | members | network | epochs | batch |
|---|---|---|---|---|---|---|
| digits | 1,797 | 64 numbers / 16 | 5 folds × 32 learning rates × 2 seeds | 64-64 | 50 | 64 |
| adult | 32,561 | 6 numbers, 8 categories | 5 folds × 16 learning rates | 128 | 10 | 256 |

Folds are stratified, and the learning rates lie on a logarithmic scale from 3e-4 to 3e-2. Of Adult there are
the official training rows alone; its numbers become normal by their quantiles and its categories one-hot,
learned in every fold from its training rows.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
RATES = 3e-4, 3e-2


class Case(NamedTuple):
    """A sweep: rows ``numbers (n, p) float32``, ``codes (n, q) int32``, ``y (n,) int32``, and its members."""

    name: str
    numbers: NDArray
    codes: NDArray
    sizes: tuple[int, ...]  # of codes in each column
    y: NDArray
    folds: tuple[tuple[NDArray, NDArray], ...]  # row numbers: training, held out
    rates: tuple[float, ...]
    seeds: int
    widths: tuple[int, ...]
    epochs: int
    batch: int
    table: Path  # the same rows as a Parquet file, where there is one

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.y.max()) + 1

    @property
    def members(self) -> NDArray[np.int64]:
        """Configuration, fold and seed of every member, configuration by configuration."""
        shape = len(self.rates), len(self.folds), self.seeds
        return np.stack(np.indices(shape), -1).reshape(-1, 3)

    def by_configuration(self, scores: Any) -> NDArray[np.float64]:
        """Average the scores of all members over folds and seeds."""
        return np.asarray(scores, float).reshape(len(self.rates), -1).mean(1)

    def some(self, rates: int) -> "Case":
        """Keep that many learning rates, evenly spaced."""
        kept = (np.arange(rates) + 0.5) * len(self.rates) / rates
        return self._replace(rates=tuple(self.rates[int(i)] for i in kept))


class Size(NamedTuple):
    """What a case trains."""

    rates: int
    seeds: int
    widths: tuple[int, ...]
    epochs: int
    batch: int


SIZES = {
    "digits": Size(rates=32, seeds=2, widths=(64, 64), epochs=50, batch=64),
    "adult": Size(rates=16, seeds=1, widths=(128,), epochs=10, batch=256),
}


def load(name: str, size: Size, folder: Path) -> Case:
    """Read a case that ``write`` wrote."""
    with np.load(folder / f"{name}.npz") as arrays:
        numbers, codes, sizes, y = (arrays[part] for part in ("numbers", "codes", "sizes", "y"))
        folds = tuple((arrays[f"train{i}"], arrays[f"held{i}"]) for i in range(FOLDS))
    rates = tuple(float(rate) for rate in np.geomspace(*RATES, size.rates))
    table = folder / name / "train.parquet"
    return Case(name, numbers, codes, tuple(sizes.tolist()), y, folds, rates, *size[1:], table)


def write(name: str, folder: Path) -> None:
    """Write a case's rows and folds into ``folder``."""
    from sklearn.model_selection import StratifiedKFold

    rows = {"digits": _digits, "adult": _adult}[name](folder)
    arrays = dict(zip(("numbers", "codes", "sizes", "y"), rows, strict=True))
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for i, (train, held) in enumerate(splitter.split(arrays["y"], arrays["y"])):
        arrays |= {f"train{i}": train, f"held{i}": held}
    np.savez(folder / f"{name}.npz", **arrays)


def _digits(folder: Path) -> tuple[NDArray, ...]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    none = np.zeros((len(y), 0), np.int32)
    return (x / 16).astype(np.float32), none, np.zeros(0, int), y.astype(np.int32)


def _adult(folder: Path) -> tuple[NDArray, ...]:
    import polars as pl
    from tables import load, prepare
    from tabular_peers import rows

    prepare(["adult"], None, folder)
    table = load(folder, "adult")
    numbers = table.train.select(table.numbers).cast(pl.Float32).to_numpy()
    codes, _, sizes = rows.codes(table)
    target = rows.targets(table)[0]
    return numbers, codes.astype(np.int32), np.array(sizes), target.astype(np.int32)
