"""What missing values cost: jdl beside an imputer with indicators, and trees that take them as they are.

python benchmarks/missing.py [--tables california,adult,breast-cancer] [--seeds 5] [--data FOLDER] [--inside]
    [--out FILE]

Each seed draws at most 8,000 training rows and removes 30 % of the cells, of training and of test rows: at
random; or the likelier the higher a value stands in its column (0.6 times its rank; categories by name).
Every contender gets the same rows, complete and with holes: jdl as `jdl fit` trains; scikit-learn's network
after `SimpleImputer(strategy="median", add_indicator=True)`; LightGBM, which imputes nothing. Breast cancer
is cut anew by each seed, into four fifths and one, as its test rows are few.

The loss is the score of the complete table less that of the one with holes. The promise: jdl loses no more
than either of the others, or one standard error of the paired difference more (of cuts: corrected for the
rows they share, Nadeau and Bengio 2003, see `sweeps.compare`). Without it the exit is 1.
`--inside` scores a fifth of the training rows and never the test rows: for making choices.
"""

import sys
from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl
from paired import Cell, Fit, aligned, arguments, difference, draws, estimate, run, written
from tables import Table
from tabular_peers import boosting, jdl_fit, sklearn_models

ROWS, REMOVED = 8000, 0.3
WAYS = COMPLETE, AT_RANDOM, NOT_AT_RANDOM = "complete", "at random", "not at random"
OURS = "jdl"
ANEW = ("breast-cancer",)
CONTENDERS: dict[str, Fit] = {
    OURS: jdl_fit.fit,
    "imputer, MLP": partial(sklearn_models.fit, model="mlp"),
    "LightGBM": partial(boosting.fit, package="lightgbm"),
}


def main() -> int:
    """Run all, print tables, write JSON; give the exit code."""
    options = arguments(__doc__, ["california", "adult", "breast-cancer"])
    contenders = {name: CONTENDERS[name] for name in options.only or CONTENDERS}
    cells: list[Cell] = []
    for table, seed in draws(options, ROWS, ANEW):
        for way in WAYS:
            cells += run(with_holes(table, way, seed), way, seed, contenders)
        written(options.out, losses(cells), cells)
    found = losses(cells)
    head = ["table", "cells removed", "contender", "score", "loss", "jdl's loss less this one"]
    print(aligned([head, *([*map(str, row.values())] for row in found)]))
    return 1 if any("broken" in row["difference"] for row in found) else 0


def with_holes(table: Table, way: str, seed: int) -> Table:
    """Remove cells of training and test rows; rank values among both."""
    if way == COMPLETE:
        return table
    rng = np.random.default_rng(seed)
    both = pl.concat([table.train, table.test])
    columns = []
    for name in table.numbers + table.categories:
        chance = np.full(len(both), REMOVED)
        if way == NOT_AT_RANDOM:
            rank = both[name].rank("average") / both[name].count()
            chance = 2 * REMOVED * rank.fill_null(0.0).to_numpy()
        columns.append(pl.when(pl.Series(rng.random(len(both)) >= chance)).then(pl.col(name)).alias(name))
    both = both.with_columns(columns)
    return table._replace(train=both[: len(table.train)], test=both[len(table.train) :])


def losses(cells: Sequence[Cell]) -> list[dict[str, str]]:
    """Give each contender's score and loss in each table, and how jdl's loss compares with it."""
    found = []
    for table in dict.fromkeys(cell.table for cell in cells):
        some = [cell for cell in cells if cell.table == table]
        for way in WAYS:
            found += [_loss(some, way, who) for who in dict.fromkeys(cell.contender for cell in some)]
    return found


def _loss(cells: Sequence[Cell], way: str, who: str) -> dict[str, str]:
    good = {(cell.way, cell.contender, cell.seed): cell.good for cell in cells}
    seeds = sorted({cell.seed for cell in cells})
    loss = lambda who: [good[COMPLETE, who, seed] - good[way, who, seed] for seed in seeds]
    score = estimate([abs(good[way, who, seed]) for seed in seeds])
    found = {"table": f"{cells[0].table}, {cells[0].main}", "way": way, "contender": who, "score": str(score)}
    if way == COMPLETE:
        return found | {"loss": "", "difference": ""}
    if who == OURS:
        return found | {"loss": str(estimate(loss(who))), "difference": ""}
    more = difference(list(zip(loss(OURS), loss(who), strict=True)), cells[0].table in ANEW)
    broken = ", broken" if more.mean > more.error else ""
    return found | {"loss": str(estimate(loss(who))), "difference": f"{more}{broken}"}


if __name__ == "__main__":
    sys.exit(main())
