"""Booleans written as text."""

import polars as pl

Spelled = tuple[tuple[str, ...], tuple[str, ...]]

_SPELLINGS: tuple[Spelled, ...] = (
    (("true", "t"), ("false", "f")),
    (("yes", "y"), ("no", "n")),
    (("on",), ("off",)),
    (("oui", "o"), ("non", "n")),
    (("ja", "j"), ("nein", "nee", "nej", "n")),
    (("si", "s\u00ed", "s"), ("no", "n")),
    (("sim", "s"), ("n\u00e3o", "nao", "n")),
    (("vrai",), ("faux",)),
    (("wahr",), ("falsch",)),
    (("vero",), ("falso",)),
    (("verdadero",), ("falso",)),
)

_ENGLISH: Spelled = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")


def find(texts: list[str]) -> Spelled | None:
    """Give the spellings (true, false) in which all texts are, both sides among them.

    They are a pair of one language, or, where a whole word stands on each side, any in English and 0 and 1.

    >>> find(["Y", "no", "N"])
    (('yes', 'y'), ('no', 'n'))
    """
    found = {text.lower() for text in texts}
    for true, false in _SPELLINGS:
        if found <= {*true, *false} and found & set(true) and found & set(false):
            return true, false
    words = {text for text in found if len(text) > 1}
    true, false = _ENGLISH
    mixed = found <= {*true, *false} and words & set(true) and words & set(false)
    return _ENGLISH if mixed else None


def parse(text: pl.Series, true: tuple[str, ...], false: tuple[str, ...]) -> pl.Series:
    """Read text as booleans, whatever its case; null where it is in neither.

    >>> parse(pl.Series(["Yes", "no", "maybe"]), ("yes",), ("no",)).to_list()
    [True, False, None]
    """
    words = [*dict.fromkeys((*true, "true", "1"))], [*dict.fromkeys((*false, "false", "0"))]
    old, new = pl.Series(words[0] + words[1]), pl.Series([True] * len(words[0]) + [False] * len(words[1]))
    return text.str.to_lowercase().replace_strict(old, new, default=None, return_dtype=pl.Boolean)
