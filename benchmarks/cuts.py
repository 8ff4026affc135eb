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

from paired import Cell, Estimate, aligned, arguments, compared, draws, run, written
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
        written(options.out, compared(cells, OURS, TABLES, broken), cells)
    found = compared(cells, OURS, TABLES, broken)
    print(
        aligned([["table", "contender", "score", "jdl is better by"], *(list(row.values()) for row in found)])
    )
    return 1 if any("broken" in row["gain"] for row in found) else 0


def broken(table: str, who: str, score: Estimate, gain: Estimate) -> bool:
    """Say whether a deep contender is ahead by more than one standard error."""
    return CONTENDERS[who].deep and gain.mean < -gain.error


if __name__ == "__main__":
    sys.exit(main())
