"""Requests that get no predictions, and why."""

from collections.abc import Mapping
from typing import Any

from jdl.data import DataError


class Refused(Exception):
    """A request that cannot be answered: an HTTP status of 4xx, and what is wrong, by row and column."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        column: str | None = None,
        row: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.column, self.row, self.headers = status, column, row, headers

    @property
    def body(self) -> dict[str, Any]:
        """What the client is told."""
        return {"error": {"message": str(self), "column": self.column, "row": self.row}}


def bad_value(message: str, column: str | None, row: int | None) -> Refused:
    """Make the answer to a value that cannot be used.

    >>> print(bad_value("found a list, needs a number", "age", 3))
    column 'age', row 3: found a list, needs a number
    """
    places = [f"column {column!r}" if column is not None else "", f"row {row}" if row is not None else ""]
    place = ", ".join(filter(None, places))
    return Refused(422, f"{place}: {message}" if place else message, column=column, row=row)


def of_data(error: DataError, rows: int, first_there: Mapping[str, int]) -> Refused:
    """Say what is wrong with the data; a column that is so in all rows is shown at its first value.

    ``first_there`` has the first row (from 1) in which a column has a value.
    """
    row = error.row
    if row is None:
        row = 1 if rows == 1 else first_there.get(error.column or "")
    return Refused(422, str(error), column=error.column, row=row)
