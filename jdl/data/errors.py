"""What is wrong with a table, said in one or two lines."""

from collections.abc import Sequence
from difflib import get_close_matches


class DataError(ValueError):
    """A table that cannot be used as it is.

    The message names the file, column or row, what was found, what was needed and what to do. ``column`` and
    ``row`` (counted from 1) have them apart, where one value or column is wrong.
    """

    def __init__(self, message: str, *, column: str | None = None, row: int | None = None) -> None:
        super().__init__(message)
        self.column, self.row = column, row


def unknown_column(name: str, columns: Sequence[str], role: str = "column") -> DataError:
    """Make the error for a column that is not there, with the nearest name or the first few.

    >>> print(unknown_column("Income", ["age", "income"], "target column"))
    target column 'Income' is not in the table; did you mean 'income'?
    """
    by_lower = {column.lower(): column for column in columns}
    close = get_close_matches(name.lower(), by_lower, n=1)
    if close:
        hint = f"did you mean {by_lower[close[0]]!r}?"
    else:
        shown = ", ".join(repr(column) for column in columns[:8])
        hint = f"the table has {shown}{', …' if len(columns) > 8 else ''}"
    return DataError(f"{role} {name!r} is not in the table; {hint}", column=name)
