"""Booleans written as text."""

import polars as pl

_SPELLINGS = (
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

Spelled = tuple[tuple[str, ...], tuple[str, ...]]


def find(texts: list[str]) -> Spelled | None:
    """Give the spellings (true, false) of a language in which all texts are, both sides among them.

    >>> find(["Y", "no", "N"])
    (('yes', 'y'), ('no', 'n'))
    """
    found = {text.lower() for text in texts}
    for true, false in _SPELLINGS:
        if found <= {*true, *false} and found & set(true) and found & set(false):
            return true, false
    return None


def parse(text: pl.Series, true: tuple[str, ...], false: tuple[str, ...]) -> pl.Series:
    """Read text as booleans, whatever its case; null where it is in neither.

    >>> parse(pl.Series(["Yes", "no", "maybe"]), ("yes",), ("no",)).to_list()
    [True, False, None]
    """
    words = [*dict.fromkeys((*true, "true", "1"))], [*dict.fromkeys((*false, "false", "0"))]
    old, new = pl.Series(words[0] + words[1]), pl.Series([True] * len(words[0]) + [False] * len(words[1]))
    return text.str.to_lowercase().replace_strict(old, new, default=None, return_dtype=pl.Boolean)
