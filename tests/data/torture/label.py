"""The label of a real column."""

from typing import Any, NamedTuple

from tests.data.torture.real_values import VALUES


class Label(NamedTuple):
    """One column of a source: the kinds accepted and the rows taken."""

    source: str
    column: str
    kinds: str
    rows: str = "200"
    other: str | None = None

    @property
    def name(self) -> str:
        """Unique over all cases."""
        return f"{self.source}/{self.column}"

    @property
    def values(self) -> dict[int, Any]:
        """The cells whose cleaned value is known."""
        return VALUES.get(self.name, {})
