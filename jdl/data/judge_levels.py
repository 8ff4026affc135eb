"""Whether texts are levels of a category, keys, codes or free text."""

import polars as pl

from jdl.data import names
from jdl.data.columns import Category, Column, Dropped, Text
from jdl.data.distinct import FEW_ROWS, Texts
from jdl.data.levels import merged

MOST_LEVELS = 10_000
"""Where a category has more levels than this, those of a single row are left out: they count as unseen."""

_KEYS = {
    "UUIDs": r"^\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?$",
    "hashes": r"^(?:0x)?(?:[0-9a-f]{16,128}|[0-9A-F]{16,128})$",
    "e-mail addresses": r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$",
    "web addresses": r"^(?i:(?:https?|ftp)://|www\.)\S+$",
    "telephone numbers": r"^\+\d[\d ()./-]{7,}$",
    "addresses of machines": r"^\d{1,3}(?:\.\d{1,3}){3}$|^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$",
}

_APART = r"[\s,;|]|^\p{L}+(?:[/_-]\p{L}+){2,}"  # of words; user and file names are of one piece


def key(values: Texts) -> Dropped | None:
    """Find texts of which each stands for one thing, by how they are written."""
    distinct = len(values.texts)
    if not (2 * distinct > values.present or (distinct > FEW_ROWS and FEW_ROWS * distinct > values.present)):
        return None
    for what, pattern in _KEYS.items():
        if not values.sample.str.contains(pattern).all():
            continue
        share = values.texts.str.contains(pattern).mean()
        letters = what != "hashes" or values.sample.str.contains(r"\d.*[A-Fa-f]|[A-Fa-f].*\d").any()
        if letters and isinstance(share, float) and share > 0.99:
            return Dropped(values.name, f"identifier: {what}, {distinct} different in {values.present} rows")
    return None


def digits(values: Texts) -> Column | Dropped | None:
    """Find codes of digits: with zeros or, by the name, a plus in front, or too long to be quantities."""
    if names.is_key(values.name) and values.sample.str.contains(r"^\+\d+$").all():
        why = f"digits with a plus in front, as {values.texts[0]!r}, and by the column's name codes"
        return _nearly_unique(values, why) or category(values, why)
    is_whole = values.texts.str.contains(r"^\d+$")
    share = is_whole.mean()
    assert isinstance(share, float)
    if share < 0.9:
        return None
    if share <= 0.99:  # a few are written otherwise: codes where the zeros leave no doubt
        padded = values.counts.filter(values.texts.str.contains(r"^0\d")).sum()
        if 2 * padded < values.present:
            return None
    is_padded = values.texts.str.contains(r"^0\d")
    widths = values.texts.filter(is_whole).str.len_bytes()
    rows = int(values.counts.filter(is_padded).sum() or 0)
    if rows and (widths.min() == widths.max() or 50 * rows >= values.present):  # else slips of the pen
        why = f"digits with zeros in front, as {values.texts.filter(is_padded)[0]!r}"
        return _nearly_unique(values, why) or category(values, why)
    long = widths.min()
    if isinstance(long, int) and long > 15 and share > 0.99 and not names.is_quantity(values.name):
        return _nearly_unique(values, f"numbers of {long} digits and more")
    if share == 1.0 and len(values.texts) > 2 and values.present >= FEW_ROWS and names.is_key(values.name):
        why = "digits, by the column's name codes and no quantities"
        return _nearly_unique(values, why) or category(values, why)
    return None


def text(values: Texts) -> Column | Dropped:
    """Judge texts that mostly differ: free text, or keys."""
    some = values.sample
    words = some.str.count_matches(r"[\p{L}][\p{L}\p{M}'’-]+").mean()
    signs = some.str.count_matches(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]").mean()
    assert isinstance(words, float) and isinstance(signs, float)
    apart = some.str.contains(_APART).mean()
    assert isinstance(apart, float)
    several = words + signs / 3 >= 2 and (apart >= 0.5 or signs >= 3)
    if several:
        evidence = (
            f"{len(values.texts)} different texts of {words:.1f} words on average in {values.present} rows"
        )
        return Text(values.name, values.missing, evidence)
    return _nearly_unique(values) or category(values)


def is_repeated(values: Texts) -> bool:
    """Tell whether texts recur enough to be levels; long ones may recur and still be text."""
    words = values.sample.str.count_matches(r"\s+").mean()
    long = isinstance(words, float) and words >= 6
    return len(values.texts) * (5 if long else 2) <= values.present


def _nearly_unique(values: Texts, why: str = "") -> Dropped | None:
    distinct, present = len(values.texts), values.present
    most = distinct == present if present < 10 * FEW_ROWS else 10 * distinct >= 9 * present
    many = 2 * distinct > present and distinct > 1000
    if present < FEW_ROWS or not (most or many):
        return None
    reason = f"identifier: {distinct} different texts in {present} rows"
    return Dropped(values.name, f"{reason}, {why}" if why else reason)


def category(values: Texts, why: str = "") -> Category:
    """Give the category of a column of texts; spellings are one where case does not tell them apart."""
    levels = merged(values.texts, values.counts)
    ignore_case = levels is not None
    if levels is None:
        frame = pl.DataFrame([values.texts.alias("text"), values.counts]).sort("text")
        levels = frame["text"].to_list(), frame["count"].to_list(), 0
    spelled, counts, spellings = levels
    many = f"{len(spelled)} levels"
    evidence = f"{why}: {many}" if why else f"text with {many} in {values.present} rows"
    if spellings:
        evidence += f"; {spellings} other spellings of them in case or blanks"
    elif not ignore_case:
        evidence += "; upper and lower case tell them apart"
    if len(spelled) > MOST_LEVELS:
        spelled = [text for text, count in zip(spelled, counts, strict=True) if count > 1]
        evidence += f"; the {len(counts) - len(spelled)} of a single row count as unseen"
    return Category(values.name, tuple(spelled), values.missing, ignore_case, evidence)
