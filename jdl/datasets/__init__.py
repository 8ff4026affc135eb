"""The few small real tables that ship with the library; README.md says where each comes from."""

from importlib import resources

import polars as pl

from jdl.data import read_table

_ADULT_TRAIN_ROWS = 32_561


def adult() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Adult, the census income table: its official ``(train, test)`` rows, 32,561 and 16,281.

    Six whole-number columns, eight of text, and the target ``income``: ``<=50K`` or ``>50K``.
    Source: Becker & Kohavi (1996), UCI Machine Learning Repository, doi:10.24432/C5XW20, CC BY 4.0.

    >>> train, test = adult()
    >>> train.shape, test.shape, (train["income"] == ">50K").sum()
    ((32561, 15), (16281, 15), 7841)
    """
    with resources.as_file(resources.files(__name__) / "adult.parquet") as path:
        table = read_table(path)
    return table[:_ADULT_TRAIN_ROWS], table[_ADULT_TRAIN_ROWS:]
