"""The rows of a table as other packages want them; whatever is learned is learned from training rows."""

import os
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from tables import Table

THREADS = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
MISSING = "(missing)"


def targets(table: Table) -> tuple[NDArray, NDArray]:
    """Give the targets of the training and the test rows: codes of classes, or numbers."""
    if not table.classes:
        return tuple(rows[table.target].cast(pl.Float64).to_numpy() for rows in (table.train, table.test))
    codes = {value: code for code, value in enumerate(table.classes)}
    return tuple(
        rows[table.target].replace_strict(codes, return_dtype=pl.Int64).to_numpy()
        for rows in (table.train, table.test)
    )


def numbers(table: Table) -> tuple[NDArray, NDArray]:
    """Give the columns of numbers as float64, each missing one the training rows' median."""
    both = (rows.select(table.numbers).cast(pl.Float64) for rows in (table.train, table.test))
    train, test = (rows.to_numpy() for rows in both)
    if not train.size:
        return train, test
    median = np.nanmedian(train, axis=0)
    return np.where(np.isnan(train), median, train), np.where(np.isnan(test), median, test)


def codes(table: Table) -> tuple[NDArray, NDArray, list[int]]:
    """Give the columns of text as codes from 1, 0 where missing or unseen, and the numbers of codes."""
    found: tuple[list, list] = [], []
    sizes = []
    for name in table.categories:
        levels = table.train[name].drop_nulls().unique().sort()
        known = pl.Series(range(1, len(levels) + 1), dtype=pl.Int64)
        sizes.append(len(levels) + 1)
        for each, rows in zip(found, (table.train, table.test), strict=True):
            coded = rows[name].replace_strict(levels, known, default=0, return_dtype=pl.Int64)
            each.append(coded.fill_null(0).to_numpy())
    train, test = (
        np.stack(each, 1) if each else np.zeros((rows.height, 0), np.int64)
        for each, rows in zip(found, (table.train, table.test), strict=True)
    )
    return train, test, sizes


def frames(table: Table, categorical: bool) -> tuple[Any, Any]:
    """Give pandas frames without the target: text as categories, or as it is with a word for missing."""
    import pandas as pd

    train, test = (rows.drop(table.target).to_pandas() for rows in (table.train, table.test))
    for name in table.categories:
        levels = sorted(table.train[name].drop_nulls().unique().to_list())
        for rows in (train, test):
            text = rows[name].astype(object)
            coded = pd.Categorical(text, categories=levels) if categorical else None
            rows[name] = text.fillna(MISSING).astype(str) if coded is None else coded
    return train, test


def cut(table: Table, seed: int, part: float) -> tuple[NDArray, NDArray]:
    """Cut validation rows from the training rows, stratified by class."""
    from sklearn.model_selection import train_test_split

    target = targets(table)[0]
    strata = target if table.classes else None
    kept, held = train_test_split(np.arange(len(target)), test_size=part, random_state=seed, stratify=strata)
    return kept, held
