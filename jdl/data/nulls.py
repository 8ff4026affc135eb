"""What stands for a missing value."""

import polars as pl

_WORDS = ("na", "n/a", "#n/a", "n.a.", "nan", "null", "nil", "none", "missing", "<na>", "(null)")
_SIGNS = ("", "?", "-", "--", "---", ".", "..", "\u2013", "\u2014")
_CODES = ("#DIV/0!", "#N/A N/A", "NaN", "NaT", "-NaN", "-nan")
NULLS = (*_SIGNS, *_CODES, *(case(word) for word in _WORDS for case in (str, str.upper, str.capitalize)))
"""What stands for a missing value in text of any column, whatever the blanks around it."""

_MARKERS = frozenset(
    """
    unknown|unk|not available|not applicable|not known|not reported|not specified|not stated|not provided
    not given|unavailable|unspecified|undefined|undetermined|undisclosed|tbd|tba|tbc|pending|error|err
    refused|declined|no data|nodata|no answer|no response|no value|none given|n.a|n.d.|n.d|n/d|n/k|void
    invalid|blank|empty|withheld|suppressed|redacted|masked|xxx|0000-00-00|0000-00-00 00:00:00
    inconnu|unbekannt|desconocido|k.a.|keine angabe
    """.replace("\n    ", "|").split("|")
)


def clean(column: pl.Series) -> pl.Series:
    """Write every missing value as null, cut the blanks around text, and make categoricals text.

    >>> clean(pl.Series(["a ", "N/A"])).to_list(), clean(pl.Series([1.0, float("nan")])).to_list()
    (['a', None], [1.0, None])
    """
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        column = column.cast(pl.String).str.strip_chars()
        return column.set(column.is_in(NULLS).fill_null(False), None)
    if column.dtype.is_float():
        return column.fill_nan(None)
    return column.cast(pl.Float64) if column.dtype.is_decimal() else column


def looks_null(text: str) -> bool:
    """Tell whether a text among numbers or dates says that there is none.

    >>> [looks_null(text) for text in ("Unknown", "***", "#REF!", "ground floor", "5+")]
    [True, True, True, False, False]
    """
    text = text.strip().lower()
    enclosed = text[:1] + text[-1:] in ("#!", "#?", "<>", "()", "[]") and not any(c.isdigit() for c in text)
    return text in _MARKERS or enclosed or not any(c.isalnum() for c in text)
