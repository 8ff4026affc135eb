"""Tables whose test rows are few, cut anew by each seed: who is ahead, and by how much it may be off.

python benchmarks/cuts.py [--tables clothing,breast-cancer,diabetes,digits,wine] [--seeds 5] [--data FOLDER]
    [--only jdl tabm …] [--inside] [--out FILE]

On the one split of `tabular.py` a score says as much of these test rows as of the models: of clothing's 4,698
some 840 are of the rare class, so that their AUC is known to 0.011. Here each seed draws its own fifth of all
rows to test on, and every contender (see `tabular_peers/__init__.py`) gets the same two parts.

The last column is how much better jdl is, paired over the cuts; the standard error is corrected for rows that
cuts share (Nadeau and Bengio 2003, see `sweeps.compare`). The promise: no deep contender is ahead by more
than one. Without it the exit is 1.
`--inside` scores a fifth of the training rows and never the test rows: for making choices.
"""

import sys
from collections.abc import Sequence

from paired import Cell, aligned, arguments, difference, draws, estimate, run, written
from tables import SOURCES
from tabular_peers import CONTENDERS

TABLES = ("clothing", "breast-cancer", "diabetes", "digits", "wine")
OURS = "jdl:default"
AGAINST = (OURS, "tabm", "realmlp-td", "sklearn-mlp", "catboost", "lightgbm", "linear")


def main() -> int:
    """Run all, print the table, write JSON; give the exit code."""
    options = arguments(__doc__, TABLES, TABLES)
    contenders = {name: CONTENDERS[name].fit for name in options.only or AGAINST}
    cells: list[Cell] = []
    for table, seed in draws(options, sys.maxsize, TABLES):
        cells += run(table, "", seed, contenders)
        written(options.out, compared(cells), cells)
    found = compared(cells)
    print(
        aligned([["table", "contender", "score", "jdl is better by"], *(list(row.values()) for row in found)])
    )
    return 1 if any("broken" in row["gain"] for row in found) else 0


def compared(cells: Sequence[Cell]) -> list[dict[str, str]]:
    """Give each contender's score in each table, and how much better jdl's is on the same cuts."""
    good = {(cell.table, cell.contender, cell.seed): cell.good for cell in cells}
    found = []
    for table, who in dict.fromkeys((cell.table, cell.contender) for cell in cells):
        seeds = [seed for some, other, seed in good if (some, other) == (table, who)]
        score = estimate([abs(good[table, who, seed]) for seed in seeds])
        row = {"table": f"{table}, {SOURCES[table].main}", "contender": who, "score": str(score), "gain": ""}
        if who != OURS and (table, OURS, 0) in good:
            pairs = [(good[table, OURS, seed], good[table, who, seed]) for seed in seeds]
            gain = difference(pairs, cuts=True)
            broken = CONTENDERS[who].deep and gain.mean < -gain.error
            row["gain"] = str(gain) + ", broken" * broken
        found.append(row)
    return found


if __name__ == "__main__":
    sys.exit(main())
