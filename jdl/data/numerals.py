"""Numbers written as text: how a column writes them, and what they are."""

import re
from collections import Counter
from dataclasses import replace

import polars as pl

from jdl.data.columns import PLAIN, Format

_CURRENCIES = (
    r"(?:us|ca|au|nz|hk|sg|r|a|c|s)?\p{Sc}"
    r"|usd|eur|gbp|chf|jpy|cny|inr|aud|cad|sek|nok|dkk|pln|brl|s?fr\.?|rs\.?|kr\.?"
)
_UNIT = r"[^\d\s.,'_+\-()/:;<>=~#\"][^\d()<>=:;,\"]{0,11}"
_MARKED = (
    r"^\s*(?:[<>\u2264\u2265~\u2248]=?|(?i:ca|approx|about|around|circa)\.?)?\s*"
    r"(?P<number>[^\[\]<>~*]*\d[^\[\]<>~*]*?)\s*(?:[*\u2020\u2021\u00a7+]+|\[[^\[\]]{1,12}\])?\s*$"
)
_BRACKETED = r"^\s*\[([^\[\]]*\d)\]\s*$"
_COMPASS = r"^\d{1,3}(?:\.\d+)? ?\u00b0? ?([NSEWnsew])$"
_EXPONENT = r"(?:[eE][+-]?\d+)?"

# In this order: what reads most rows wins, and of equals the first. ``1,234`` alone is so a whole number.
_CANDIDATES = (
    PLAIN,
    Format(".", ","),
    Format(".", "'"),
    Format(".", " "),
    Format(",", ""),
    Format(",", "."),
    Format(",", " "),
    Format(",", "'"),
    Format(".", "_"),
)


def parse(text: pl.Series, format: Format) -> pl.Series:
    """Read text as float64, null where it is no number as ``format`` writes them.

    Read whatever the format: exponents, parentheses or a trailing sign for negative numbers, typographic
    minus signs, apostrophes and blanks.

    >>> parse(pl.Series(["1.234,5", "(432)", "12 \u20ac", "abc"]), Format(",", ".", ("\u20ac",))).to_list()
    [1234.5, -432.0, 12.0, None]
    """
    if format.marked:
        plain = replace(format, marked=False)
        values = parse(text, plain)
        left = (values.is_null() & text.is_not_null()).arg_true()
        return values.scatter(left, parse(unmarked(text.gather(left)), plain)) if len(left) else values
    if format.decimal == "." and not format.negative:
        values = text.cast(pl.Float64, strict=False)
        left = (values.is_null() & text.is_not_null()).arg_true()
        return values.scatter(left, _parsed(text.gather(left), format)) if len(left) else values
    return _parsed(text, format)


def unmarked(text: pl.Series) -> pl.Series:
    """Cut what may stand with a number: signs of limits, of what is about so, and of footnotes.

    >>> unmarked(pl.Series(["<0.01", "ca. 250", "90+", "4.5[1]", "[98]", "7"])).to_list()
    ['0.01', '250', '90', '4.5', '98', '7']
    """
    return text.str.replace(_BRACKETED, "${1}").str.replace(_MARKED, "${number}")


def find(sample: pl.Series) -> Format | None:
    """Give the format that reads most of a sample of texts, None where it reads less than half of them."""
    texts = normal(sample)
    compass = _compass(texts)
    if compass is not None:
        return compass
    units = _units(texts)
    counts = [_parsed(texts, Format(f.decimal, f.thousands, units), True).count() for f in _CANDIDATES]
    best = max(range(len(counts)), key=counts.__getitem__)
    if 2 * counts[best] < len(sample) or not counts[best]:
        return None
    chosen = _CANDIDATES[best]
    return Format(chosen.decimal, chosen.thousands, units)


def ambiguous(texts: pl.Series, format: Format) -> bool:
    """Tell whether a comma between thousands could as well be a decimal comma, as in ``1,234`` alone."""
    if format.thousands != "," or format.decimal != ".":
        return False
    other = _parsed(texts, Format(",", "", format.units))
    return other.null_count() == 0


def described(format: Format) -> str:
    """Say how a column writes its numbers."""
    parts = []
    if format.thousands:
        blank = "a blank" if format.thousands == " " else repr(format.thousands)
        parts.append(f"{blank} between thousands")
    if format.decimal == ",":
        parts.append("a decimal comma")
    if format.units:
        parts.append("unit " + " or ".join(repr(unit) for unit in format.units))
    if format.negative:
        parts.append(f"below 0 with {' or '.join(repr(unit) for unit in format.negative)}")
    return f"text read as numbers{' with ' * bool(parts)}{', '.join(parts)}"


def normal(text: pl.Series) -> pl.Series:
    """Write signs, apostrophes, quotes and blanks in one way: ``(5)`` and ``5-`` become ``-5``."""
    text = text.str.strip_chars()
    if text.str.contains(r"[^\x20-\x7e]").any():
        text = text.str.replace_all(r"[\u2212\u2010-\u2013\uFE63\uFF0D]", "-")
        text = text.str.replace_all(r"[\u2018\u2019\u02BC\u00B4\u2032`]", "'").str.replace_all(r"\s+", " ")
    if text.str.starts_with('"').any():
        text = text.str.replace(r'^"(.*)"$', "${1}").str.strip_chars()
    if text.str.contains("(", literal=True).any():
        text = text.str.replace(r"^([^(]*)\((.*\d.*)\)$", "-${1}${2}")
    if text.str.ends_with("-").any():
        text = text.str.replace(r"^((?:[^+-].*)?\d.*?)\s*-$", "-${1}")
    return text


def _parsed(text: pl.Series, format: Format, is_normal: bool = False) -> pl.Series:
    text = text if is_normal else normal(text)
    fits = text.str.contains(_pattern(format))
    body = text.set(~fits, None)
    if format.units:
        units = sorted(map(re.escape, format.units), key=len, reverse=True)
        body = body.str.replace_all(rf"(?i:{'|'.join(units)})| ", "")
    elif format.thousands != " ":
        body = body.str.replace_all(" ", "", literal=True)
    if format.thousands:
        body = body.str.replace_all(format.thousands, "", literal=True)
    if format.decimal == ",":
        body = body.str.replace(",", ".", literal=True)
    values = body.cast(pl.Float64, strict=False)
    if format.negative:
        below = text.str.to_lowercase().str.ends_with(format.negative[0])
        for unit in format.negative[1:]:
            below |= text.str.to_lowercase().str.ends_with(unit)
        values = values.zip_with(~below.fill_null(False), -values)
    return values


def _pattern(format: Format) -> str:
    decimal, thousands = re.escape(format.decimal), re.escape(format.thousands)
    whole = r"\d+"
    if thousands:
        lakh = r"(?:,\d{2,3})*,\d{3}" if thousands == "," else rf"(?:{thousands}\d{{3}})+"
        whole = rf"[1-9]\d{{0,2}}{lakh}|\d+"
    body = rf"(?:(?:{whole})(?:{decimal}\d*)?|{decimal}\d+){_EXPONENT}"
    unit = rf"(?i:{'|'.join(map(re.escape, format.units))})?" if format.units else ""
    return rf"^(?:[+-] ?)?{unit} ?(?:[+-] ?)?(?:{body}) ?{unit}$"


def _compass(texts: pl.Series) -> Format | None:
    """Find latitudes or longitudes: with decimals or a degree sign, then N and S, or E and W."""
    letters = texts.str.extract(_COMPASS).str.to_lowercase()
    fractions = texts.filter(letters.is_not_null()).str.contains(r"[.\u00b0]")
    found = set(letters.drop_nulls().unique())
    if 2 * letters.count() < len(texts) or found not in ({"n", "s"}, {"e", "w"}) or not fractions.all():
        return None
    shapes = texts.filter(letters.is_not_null()).str.to_lowercase().str.extract(r"(\u00b0? ?[nsew])$")
    units = tuple(sorted({unit.lstrip() for unit in shapes.unique()}))
    return Format(units=units, negative=tuple(unit for unit in units if unit[-1] in "sw"))


def _units(texts: pl.Series) -> tuple[str, ...]:
    """Give the spellings of the unit that stands with nearly all of these numbers; none where they differ."""
    number = rf"(?:\d[\d.,' _]*|[.,]\d+){_EXPONENT}"
    pattern = rf"^[+-]? ?(?P<first>(?i:{_CURRENCIES}))? ?[+-]? ?{number} ?(?P<last>{_UNIT})?$"
    parts = texts.str.extract_groups(pattern).struct.unnest()
    first, last = parts["first"], parts["last"].str.strip_chars()
    one = first.is_null() | last.is_null()
    found = first.fill_null(last).filter(texts.str.contains(pattern) & one).str.to_lowercase().to_list()
    kinds = Counter(_kind(unit) for unit in found if unit is not None)
    if not kinds:
        return ()
    for mark in ("*", "\u2020", "\u2021", "\u00a7"):  # of footnotes, where they are few
        if 2 * kinds[mark] < len(texts):
            del kinds[mark]
    if not kinds:
        return ()
    kind, count = kinds.most_common(1)[0]
    if 10 * count < 9 * kinds.total() or kind == "e":  # which is that of an exponent
        return ()
    spelled = tuple(sorted({unit for unit in found if unit is not None and _kind(unit) == kind}))
    optional = all(re.fullmatch(r"\W+", unit) for unit in spelled)  # a currency's sign or % may be left out
    return spelled if optional or None not in found else ()


def _kind(unit: str) -> str:
    """Write ``month`` and ``months``, ``Fr`` and ``Fr.`` alike."""
    return unit.rstrip(".").removesuffix("s")
