"""The made half: the same cells each time, on every machine."""

from tests.data.torture import made_dates, made_keys, made_levels, made_numbers, made_rest, made_texts
from tests.data.torture.case import Case

FILES = (made_numbers, made_dates, made_levels, made_keys, made_texts, made_rest)


def cases() -> list[Case]:
    """Every made column."""
    return [case for file in FILES for case in file.cases()]
