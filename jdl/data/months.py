"""The months in German, French, Spanish and Italian."""

import polars as pl

_NAMES = {
    "Jan": "januar|jänner|janvier|janv|enero|ene|gennaio|gen",
    "Feb": "februar|feber|février|fevrier|févr|fév|febrero|febbraio",
    "Mar": "märz|maerz|mrz|mär|mars|marzo",
    "Apr": "avril|avr|abril|abr|aprile",
    "May": "mai|mayo|maggio|mag",
    "Jun": "juni|juin|junio|giugno|giu",
    "Jul": "juli|juillet|juil|julio|luglio|lug",
    "Aug": "août|aout|agosto|ago",
    "Sep": "septembre|septiembre|settembre|sept|set",
    "Oct": "oktober|okt|octobre|octubre|ottobre|ott",
    "Nov": "novembre|noviembre",
    "Dec": "dezember|dez|décembre|decembre|déc|diciembre|dic|dicembre",
}
FOREIGN = "|".join(_NAMES.values())
"""A pattern of their names and usual short names, in lower case."""


def in_english(text: pl.Series) -> pl.Series:
    """Write the names of months in English, whatever their case.

    >>> in_english(pl.Series(["3. März 2024", "3 AOÛT 2024", "3 May 2024"])).to_list()
    ['3. Mar 2024', '3 Aug 2024', '3 May 2024']
    """
    for month, names in _NAMES.items():
        text = text.str.replace(rf"(?i)(^|\P{{L}})(?:{names})(\P{{L}}|$)", f"${{1}}{month}${{2}}")
    return text
