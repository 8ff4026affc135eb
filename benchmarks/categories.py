"""Categories of very many levels: jdl beside scikit-learn's `TargetEncoder` before its network and its trees.

python benchmarks/categories.py [--tables number,class,noise,movies,clothing] [--seeds 5] [--data FOLDER]
    [--inside] [--out FILE]

| table | training rows | category of many levels | predicts |
|---|---|---|---|
| number | 50,000 | 10,000 levels, effects N(0, 1) | their sum with a bent function of 4 numbers, and noise |
| class | 50,000 | the same | whether the same without noise is likely to be above 0, as a coin tossed |
| noise | 50,000 | the same | a coin tossed for each row: nothing |
| movies | 80,000 | 943 users, 1,682 films, 795 zip codes of MovieLens 100k | the rating |
| clothing | 18,788 | 1,206 items | that a buyer recommends |

`jdl` is what `jdl fit` does. The others encode categories of more than 64 levels by the target, out of fold
(`TargetEncoder`), and the rest one-hot.

Movies and clothing are cut anew by each seed, into four fifths and one: their test rows are few, and one cut
says as much of these as of the models. The promise: jdl's score is at least that of `TargetEncoder` and
scikit-learn's network, or one standard error of the paired difference less (of cuts: corrected for the rows
they share, Nadeau and Bengio 2003, see `sweeps.compare`); on noise its AUC is not off 0.5 by more than 0.02.
Without it the exit is 1.
The last lines tell how well noise is told by what training rows are given as encoding, and by that of all.
`--inside` scores a fifth of the training rows and never the test rows: for making choices.
"""

import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import tables
from paired import Cell, Estimate, Fit, aligned, arguments, compared, draws, run, written
from sklearn.metrics import roc_auc_score
from tables import Source
from tabular_peers import jdl_fit, sklearn_models

from jdl import features

LEVELS, ROWS, MOST = 10_000, 50_000, 64
CHANCE = 0.02  # how far an AUC of noise may be off 0.5
OURS, PEER = "jdl", "TargetEncoder, MLP"
ANEW = ("movies", "clothing")


def main() -> int:
    """Run all, print tables, write JSON; give the exit code."""
    options = arguments(__doc__, list(SOURCES), list(SOURCES))
    contenders = {name: CONTENDERS[name] for name in options.only or CONTENDERS}
    cells: list[Cell] = []
    tables.SOURCES.update(SOURCES)
    for table, seed in draws(options, 10**9, ANEW):
        cells += run(table, "", seed, contenders)
        written(options.out, compared(cells, OURS, ANEW, broken), cells)
    found = compared(cells, OURS, ANEW, broken)
    print(aligned([["table", "contender", "score", "jdl's gain"], *([*row.values()] for row in found)]))
    leaks = told_of_noise()
    print("\n".join(f"{name}: {value:.3f}" for name, value in leaks.items()))
    written(options.out, [*found, leaks], cells)
    return 1 if any("broken" in row["gain"] for row in found) else 0


def broken(table: str, who: str, score: Estimate, gain: Estimate) -> bool:
    """Say whether the encoder before a network is ahead by more than one standard error, or noise is told."""
    if table == "noise":
        return who == OURS and abs(score.mean - 0.5) > CHANCE
    return who == PEER and gain.mean < -gain.error


def told_of_noise() -> dict[str, float]:
    """Encode a category by noise: the AUC of training rows by what they are given, and by all rows'."""
    rng = np.random.default_rng(0)
    codes = jnp.asarray(rng.integers(1, LEVELS + 1, (ROWS, 1)), jnp.int32)
    coin = jnp.asarray(rng.integers(0, 2, ROWS))
    prepare = features.target_encoding()(features.Columns((LEVELS + 1,), 2)).prepare
    key = jax.random.key(0)
    stats = prepare.fit(key, codes, coin, None)
    own = features.inner_folds(key, ROWS, prepare.folds)
    apart = jax.vmap(lambda row, fold: prepare.apply(stats, row, fold)["flat"][0])(codes, own)
    whole = jax.vmap(lambda row: prepare.apply(stats, row)["flat"][0])(codes)
    given = {"out of fold": apart, "by all rows": whole}
    return {f"noise told of training rows, {name}": roc_auc_score(coin, x) for name, x in given.items()}


def _drawn_levels(kind: str, data: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw a table whose target depends on a category of many levels, and on numbers."""
    del data
    rng = np.random.default_rng(0)
    rows = ROWS + 20_000
    effects, level = rng.standard_normal(LEVELS), rng.integers(0, LEVELS, rows)
    x = rng.standard_normal((rows, 4))
    signal = effects[level] + np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] / 2
    coin = rng.random(rows)
    made = {
        "number": lambda: signal + 0.5 * rng.standard_normal(rows),
        "class": lambda: (coin < 1 / (1 + np.exp(-2 * signal))).astype(int),
        "noise": lambda: (coin < 0.5).astype(int),
    }
    columns = {f"x{i}": x[:, i] for i in range(4)} | {"level": np.char.add("level ", level.astype(str))}
    table = pl.DataFrame(columns | {"target": made[kind]()})
    return table[:ROWS], table[ROWS:]


def _movies(data: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    ratings, users = (tables._widedeep(f"MovieLens100k_{part}", data) for part in ("data", "users"))
    table = ratings.join(users, on="user_id", how="left", maintain_order="left")
    marks = [
        pl.format("user {}", "user_id"),
        pl.format("film {}", "movie_id"),
        pl.format("zip {}", "zip_code"),
    ]
    named = zip(("user_id", "movie_id", "zip_code"), marks, strict=True)
    return tables._split(table.with_columns(**dict(named), rating=pl.col("rating").cast(pl.Float64)), 0.2)


def _clothing(data: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    item = pl.format("item {}", "Clothing ID").alias("Clothing ID")  # by its number it would be one
    train, test = tables._clothing(data)
    return train.with_columns(item), test.with_columns(item)


CONTENDERS: dict[str, Fit] = {
    OURS: jdl_fit.fit,
    PEER: partial(sklearn_models.fit, model="mlp", most=MOST),
    "TargetEncoder, HGB": partial(sklearn_models.fit, model="hgb", most=MOST),
}
SOURCES = {
    "number": Source(partial(_drawn_levels, "number"), "target", "regression", "rmse"),
    "class": Source(partial(_drawn_levels, "class"), "target", "classification", "auc"),
    "noise": Source(partial(_drawn_levels, "noise"), "target", "classification", "auc"),
    "movies": Source(_movies, "rating", "regression", "rmse"),
    "clothing": tables.SOURCES["clothing"]._replace(read=_clothing),
}


if __name__ == "__main__":
    sys.exit(main())
