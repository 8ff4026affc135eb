"""What a request may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The most that is taken of a request, and of requests at once.

    Args:
        body: bytes of a request's body.
        rows: rows of a request.
        waiting: requests that are read or wait to be predicted; a further one is told to come again (429).
        seconds: how long a body may take to arrive.
    """

    body: int = 4 * 2**20
    rows: int = 10_000
    waiting: int = 256
    seconds: float = 10.0
