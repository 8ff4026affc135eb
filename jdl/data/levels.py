"""Levels of categories: which spellings are one."""

import polars as pl

_SHORT = 2  # letters of a code in which upper and lower case may mean different things
_MANY = 4  # such codes that differ by case alone, each in a good share of its rows


def folded(text: pl.Series) -> pl.Series:
    """Write texts alike that differ in case, in composed accents or in how wide their inner blanks are.

    >>> folded(pl.Series(["New  York", "NEW YORK"])).to_list()
    ['new york', 'new york']
    """
    return text.str.normalize("NFC").str.to_lowercase().str.replace_all(r"\s+", " ")


def merged(texts: pl.Series, counts: pl.Series) -> tuple[list[str], list[int], int] | None:
    """Give each group of equal spellings its commonest one, their counts and how many were merged away.

    The levels are in alphabetical order. None where case tells levels apart: at least four codes of one or
    two letters occur in both cases, each in a tenth of its rows or more.

    >>> merged(pl.Series(["yes", "YES", "no"]), pl.Series([3, 1, 2]))
    (['no', 'yes'], [2, 4], 1)
    """
    frame = pl.DataFrame({"text": texts, "count": counts, "key": folded(texts)})
    groups = frame.sort("count", "text", descending=[True, False]).group_by("key", maintain_order=True)
    levels = groups.agg(
        pl.col("text").first(),
        pl.col("count").sum(),
        rare=pl.col("count").sum() - pl.col("count").first(),
        spellings=pl.len(),
    ).sort("text")
    pairs = levels.filter(
        (pl.col("key").str.len_chars() <= _SHORT)
        & (pl.col("rare") > 1)
        & (10 * pl.col("rare") >= pl.col("count"))
    )
    if pairs.height >= _MANY:
        return None
    return levels["text"].to_list(), levels["count"].to_list(), len(texts) - levels.height
