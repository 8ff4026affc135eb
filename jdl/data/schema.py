"""What the columns of a table are: decided once, kept as JSON, applied strictly ever after."""

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from jdl.data import encode
from jdl.data.errors import DataError
from jdl.data.pure import build

Value = str | int | float | bool
Kind = Literal["number", "boolean", "date", "datetime", "time", "duration"]
Task = Literal["classification", "regression"]

_FORMAT = {"format": "jdl schema", "version": 1}


@dataclass(frozen=True)
class Number:
    """A column read as ``(value - offset) / scale`` in float64, then float32.

    Booleans are 0 and 1, dates days since 1970, date-times seconds since then (UTC where there is a time
    zone), times of day and durations seconds. The offset is not 0 only where float32 would lose digits.
    ``missing`` counts the cells without a finite value among the rows the schema was inferred from.
    """

    name: str
    kind: Kind = "number"
    offset: float = 0.0
    scale: float = 1.0
    missing: int = 0


@dataclass(frozen=True)
class Category:
    """A text column coded by its levels: level ``i`` is ``i + 1``; missing and unseen are 0."""

    name: str
    levels: tuple[str, ...]
    missing: int = 0


@dataclass(frozen=True)
class Dropped:
    """A column that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Target:
    """What is predicted: one of ``classes``, or a number learned as ``(value - offset) / scale``."""

    name: str
    task: Task
    reason: str = "given"
    classes: tuple[Value, ...] = ()
    offset: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Schema:
    """The columns of a table, and how its rows become arrays.

    ``rows`` counts the labelled rows it was inferred from; ``notes`` says what was left out or is odd.
    Raises ``DataError`` where the parts contradict each other.

    >>> schema = Schema(Target("y", "classification", classes=("no", "yes")), numbers=(Number("age"),))
    >>> schema.encode(pl.DataFrame({"age": [39, None], "extra": ["a", "b"]}))["numbers"].tolist()
    [[39.0], [nan]]
    >>> Schema.from_json(schema.to_json()) == schema
    True
    """

    target: Target
    numbers: tuple[Number, ...] = ()
    categories: tuple[Category, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    rows: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    @property
    def task(self) -> Task:
        """``classification`` or ``regression``."""
        return self.target.task

    @property
    def classes(self) -> tuple[Value, ...]:
        """The values of the target in the order of their codes; empty for a regression."""
        return self.target.classes

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each category: its levels and slot 0."""
        return tuple(1 + len(category.levels) for category in self.categories)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns to be read from a text file as text: ``read_table(path, schema.text_columns)``."""
        names = tuple(category.name for category in self.categories)
        return (*names, self.target.name) if isinstance(next(iter(self.classes), None), str) else names

    def encode(self, frame: pl.DataFrame) -> dict[str, NDArray]:
        """Code the rows as ``{"numbers": float32 (n, p), "categories": int32 (n, q)}``.

        Missing and infinite numbers are NaN, missing and unseen categories 0; other columns are ignored.
        Raises ``DataError`` for a missing column and for a value of the wrong type, naming its row.
        """
        return encode.rows(self, frame)

    def encode_target(self, frame: pl.DataFrame) -> NDArray:
        """Code the target: int32 class codes (n,), or float32 standardised numbers (n,).

        Raises ``DataError`` for a missing value and for a class that is not in the schema.
        """
        return encode.target(self, frame)

    def labelled(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Keep the rows whose target is there (for a regression: finite)."""
        return encode.labelled(frame, self.target.name)

    def decode(self, outputs: ArrayLike) -> pl.DataFrame:
        """Turn outputs into what a user reads: ``prediction``, then ``probability_<class>`` for each class.

        ``outputs`` are probabilities (n, classes), or a regression's standardised predictions (n,).
        Predictions are the classes as they stood in the table, or numbers in the target's own units.
        """
        return encode.decode(self, np.asarray(outputs))

    def to_json(self) -> str:
        """Write the schema as JSON: names, numbers and text alone."""
        return json.dumps(_FORMAT | asdict(self), indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Read what ``to_json`` wrote; raises ``DataError`` naming the place of anything else."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(f"schema: not JSON (line {error.lineno}: {error.msg}); write it again") from None
        found = {key: data.get(key) for key in _FORMAT} if isinstance(data, dict) else type(data).__name__
        if found != _FORMAT:
            raise DataError(f"schema: found {found}, needs {_FORMAT}; it was written by something else")
        return build(cls, {key: value for key, value in data.items() if key not in _FORMAT}, "schema")


def _check(schema: Schema) -> None:
    target = schema.target
    columns: tuple[Number | Category | Dropped, ...] = (
        *schema.numbers,
        *schema.categories,
        *schema.dropped,
    )
    _require_distinct([target.name, *(column.name for column in columns)], "schema: column")
    _require_distinct(target.classes, "schema: target.classes:")
    for category in schema.categories:
        _require_distinct(category.levels, f"schema: column {category.name!r}: level")
    scaled: tuple[Target | Number, ...] = (target, *schema.numbers)
    for part in scaled:
        if not (math.isfinite(part.offset) and 0 < part.scale < math.inf):
            raise DataError(
                f"schema: column {part.name!r}: offset {part.offset} and scale {part.scale}; "
                "needs finite numbers, the scale above 0"
            )
    kinds = sorted({type(value).__name__ for value in target.classes})
    if len(kinds) > 1:
        raise DataError(f"schema: target.classes: found {', '.join(kinds)}; needs values of one type")
    if (target.task == "classification") != (len(target.classes) > 1):
        raise DataError(
            f"schema: target: {target.task} with {len(target.classes)} classes; "
            "a classification needs at least 2, a regression none"
        )


def _require_distinct(values: list[str] | tuple[Value, ...], place: str) -> None:
    value, count = Counter(values).most_common(1)[0] if values else ("", 1)
    if count > 1:
        raise DataError(f"{place} {value!r} occurs {count} times; needs to be there once")
