"""Numbers written as text: how a column writes them, and what they are."""

import re

import polars as pl

from jdl.data.columns import PLAIN, Format

_CURRENCIES = (
    r"(?:us|ca|au|nz|hk|sg|r|a|c|s)?\p{Sc}"
    r"|usd|eur|gbp|chf|jpy|cny|inr|aud|cad|sek|nok|dkk|pln|brl|s?fr\.?|rs\.?|kr\.?"
)
_UNIT = r"[^\d\s.,'_+\-()/:;<>=~#\"][^\d()<>=:;,\"]{0,11}"
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
    if format.decimal == ".":
        values = text.cast(pl.Float64, strict=False)
        left = (values.is_null() & text.is_not_null()).arg_true()
        return values.scatter(left, _parsed(text.gather(left), format)) if len(left) else values
    return _parsed(text, format)


def find(sample: pl.Series) -> Format | None:
    """Give the format that reads most of a sample of texts, None where it reads less than half of them."""
    texts = normal(sample)
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
    return f"text read as numbers{' with ' * bool(parts)}{', '.join(parts)}"


def normal(text: pl.Series) -> pl.Series:
    """Write signs, apostrophes and blanks in one way: ``(5)`` and ``5-`` become ``-5``."""
    text = text.str.strip_chars()
    if text.str.contains(r"[^\x20-\x7e]").any():
        text = text.str.replace_all(r"[\u2212\u2010-\u2013\uFE63\uFF0D]", "-")
        text = text.str.replace_all(r"[\u2018\u2019\u02BC\u00B4\u2032`]", "'").str.replace_all(r"\s+", " ")
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
    return body.cast(pl.Float64, strict=False)


def _pattern(format: Format) -> str:
    decimal, thousands = re.escape(format.decimal), re.escape(format.thousands)
    whole = r"\d+"
    if thousands:
        lakh = r"(?:,\d{2,3})*,\d{3}" if thousands == "," else rf"(?:{thousands}\d{{3}})+"
        whole = rf"[1-9]\d{{0,2}}{lakh}|\d+"
    body = rf"(?:(?:{whole})(?:{decimal}\d*)?|{decimal}\d+){_EXPONENT}"
    unit = rf"(?i:{'|'.join(map(re.escape, format.units))})?" if format.units else ""
    return rf"^(?:[+-] ?)?{unit} ?(?:[+-] ?)?(?:{body}) ?{unit}$"


def _units(texts: pl.Series) -> tuple[str, ...]:
    """Give the spellings of the one unit that stands with these numbers; none where there are several."""
    number = rf"(?:\d[\d.,' _]*|[.,]\d+){_EXPONENT}"
    pattern = rf"^[+-]? ?(?P<first>(?i:{_CURRENCIES}))? ?[+-]? ?{number} ?(?P<last>{_UNIT})?$"
    parts = texts.str.extract_groups(pattern).struct.unnest()
    first, last = parts["first"], parts["last"].str.strip_chars()
    both = first.is_not_null() & last.is_not_null()
    fits = texts.str.contains(pattern)
    units = first.fill_null(last).filter(fits)
    kinds = {unit.lower().rstrip(".") for unit in units.drop_nulls()}
    one = len({kind.removesuffix("s") for kind in kinds}) == 1
    if not one or both.any() or "e" in kinds:  # which is that of an exponent
        return ()
    spelled = tuple(sorted({unit.lower() for unit in units.drop_nulls()}))
    optional = all(re.fullmatch(r"\W+", unit) for unit in spelled)  # a currency's sign or % may be left out
    return spelled if optional or units.null_count() == 0 else ()
