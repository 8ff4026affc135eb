"""What the columns of a table are: decided once, kept as JSON, applied strictly ever after."""

import json
import math
from collections import Counter
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from jdl.data import encode, targets
from jdl.data.columns import PLAIN, Category, Column, Date, Dropped, Number, Target, Task, Text, Value
from jdl.data.errors import DataError
from jdl.data.levels import folded
from jdl.data.pure import build

_FORMAT = {"format": "jdl schema", "version": 2}


@dataclass(frozen=True)
class Schema:
    """The columns of a table, and how its rows become arrays.

    ``targets`` are what is predicted, none where the schema only describes a table (one may be given without
    a tuple around it). ``rows`` counts the labelled rows it was inferred from; ``notes`` says what was left
    out or is odd. Raises ``DataError`` where the parts contradict each other.

    >>> schema = Schema(Target("y", "classification", classes=("no", "yes")), numbers=(Number("age"),))
    >>> schema.encode(pl.DataFrame({"age": [39, None], "extra": ["a", "b"]}))["numbers"].tolist()
    [[39.0], [nan]]
    >>> Schema.from_json(schema.to_json()) == schema
    True
    """

    targets: tuple[Target, ...] = ()
    numbers: tuple[Number, ...] = ()
    categories: tuple[Category, ...] = ()
    dates: tuple[Date, ...] = ()
    texts: tuple[Text, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    rows: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.targets, Target):
            object.__setattr__(self, "targets", (self.targets,))
        _check(self)

    @property
    def target(self) -> Target:
        """The target, or the first of several; raises ``DataError`` where there is none."""
        if not self.targets:
            raise DataError("the schema has no target; infer it with a target: infer_schema(frame, target)")
        return self.targets[0]

    @property
    def task(self) -> Task:
        """``classification``, ``regression`` (of one or of several numbers) or ``multilabel``."""
        return "multilabel" if len(self.targets) > 1 and self.target.classes else self.target.task

    @property
    def classes(self) -> tuple[Value, ...]:
        """The values of the (first) target in the order of their codes; empty for a regression."""
        return self.target.classes

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are used: numbers, categories, dates and texts, in this order."""
        return (*self.numbers, *self.categories, *self.dates, *self.texts)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each category: its levels and slot 0."""
        return tuple(1 + len(category.levels) for category in self.categories)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns to be read from a text file as text: ``read_table(path, schema.text_columns)``.

        They are those that a reader could take for something else: categories, texts, numbers, booleans and
        dates with a format of their own, and targets of text.
        """
        numbers = (part.name for part in self.numbers if part.format != PLAIN or part.true)
        dated = (part.name for part in self.dates if part.format)
        goals = (
            part.name
            for part in self.targets
            if part.format != PLAIN or isinstance((*part.classes, 0)[0], str)
        )
        whole = (*(part.name for part in self.categories), *(part.name for part in self.texts))
        return (*whole, *numbers, *dated, *goals)

    def encode(self, frame: pl.DataFrame) -> dict[str, NDArray]:
        """Code the rows as four arrays, each as wide as the schema has columns of its kind.

        * ``numbers`` float32 (n, p): NaN where missing or infinite
        * ``categories`` int32 (n, q): 0 where missing or unseen
        * ``dates`` int32 (n, d, 2): the day since 1970-01-01 (``MISSING_DAY`` where missing) and the second
          of it
        * ``texts`` int32 (n, t, ``WORDS``): ids of words and parts of words (see ``jdl.data.ngrams``), 0
          behind them

        Other columns are ignored. Raises ``DataError`` for a missing column and for a value that cannot be
        read, naming its row, what was found and what is needed.
        """
        return encode.rows(self, frame)

    def encode_target(self, frame: pl.DataFrame) -> NDArray:
        """Code the target: int32 class codes (n,), or float32 standardised numbers (n,); (n, k) of k targets.

        Raises ``DataError`` for a missing value and for a class that is not in the schema.
        """
        return targets.encode(self, frame)

    def labelled(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Keep the rows whose targets are there (for a regression: finite)."""
        return targets.labelled(frame, self.targets)

    def decode(self, outputs: ArrayLike) -> pl.DataFrame:
        """Turn outputs into what a user reads: ``prediction``, then ``probability_<class>`` for each class.

        The outputs are probabilities (n, classes), or a regression's standardised predictions (n,).
        Predictions are the classes as they stood in the table, or numbers in the target's own units. Of k
        targets the outputs are (n, k), of labels the probability of each one's second class, and the columns
        are called ``prediction_<target>`` and, of labels, ``probability_<target>``.
        """
        return targets.decode(self, np.asarray(outputs))

    def describe(self) -> pl.DataFrame:
        """Say in a table, one row for each column, what it is and why.

        Its columns: ``column``, ``kind`` (of its kinds, or ``target`` or ``dropped``), ``values`` (levels, or
        the least and greatest value), ``missing`` and ``evidence``.
        """
        from jdl.data.describe import describe

        return describe(self)

    def to_json(self) -> str:
        """Write the schema as JSON: names, numbers and text alone, without what is as by default."""
        return json.dumps(_FORMAT | _plain(self), indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Read what ``to_json`` wrote; raises ``DataError`` naming the place of anything else."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(f"schema: not JSON (line {error.lineno}: {error.msg}); write it again") from None
        found = {key: data.get(key) for key in _FORMAT} if isinstance(data, dict) else type(data).__name__
        if found != _FORMAT:
            raise DataError(f"schema: found {found}, needs {_FORMAT}; infer it again")
        return build(cls, {key: value for key, value in data.items() if key not in _FORMAT}, "schema")


def _plain(part: Any) -> Any:
    """Give a dataclass as plain data, without the fields that are as by default."""
    if is_dataclass(part):
        values = {field.name: (getattr(part, field.name), field.default) for field in fields(part)}
        return {
            name: _plain(value)
            for name, (value, default) in values.items()
            if default is MISSING or value != default or type(value) is not type(default)
        }
    return [_plain(each) for each in part] if isinstance(part, tuple) else part


def _check(schema: Schema) -> None:
    parts: list[Any] = [*schema.targets, *schema.columns, *schema.dropped]
    _require_distinct([part.name for part in parts], "schema: column")
    for category in schema.categories:
        place = f"schema: column {category.name!r}: level"
        _require_distinct(category.levels, place)
        if category.ignore_case:
            _require_distinct(_folded(category.levels), f"{place} (its case ignored)")
    read: tuple[Target | Number, ...] = (*schema.targets, *schema.numbers)
    for part in read:
        if not (math.isfinite(part.offset) and 0 < part.scale < math.inf):
            raise DataError(
                f"schema: column {part.name!r}: offset {part.offset} and scale {part.scale}; "
                "needs finite numbers, the scale above 0"
            )
        if part.format.decimal == part.format.thousands:
            raise DataError(
                f"schema: column {part.name!r}: decimal and thousands are both {part.format.decimal!r}"
            )
    for number in schema.numbers:
        if bool(number.true) != bool(number.false) or set(number.true) & set(number.false):
            raise DataError(
                f"schema: column {number.name!r}: true {number.true} and false {number.false}; "
                "needs texts for both, none of them in both"
            )
    for target in schema.targets:
        _check_target(target)
    kinds = {bool(target.classes) for target in schema.targets}
    if len(schema.targets) > 1 and (len(kinds) > 1 or any(len(t.classes) > 2 for t in schema.targets)):
        found = ", ".join(
            f"{t.name!r}: {f'{len(t.classes)} classes' if t.classes else t.task}" for t in schema.targets
        )
        raise DataError(f"schema: targets: {found}; several need to be all numbers, or all of two classes")


def _check_target(target: Target) -> None:
    _require_distinct(target.classes, "schema: target.classes:")
    kinds = sorted({type(value).__name__ for value in target.classes})
    if len(kinds) > 1:
        raise DataError(f"schema: target.classes: found {', '.join(kinds)}; needs values of one type")
    if target.ignore_case:
        _require_distinct(_folded(target.classes), "schema: target.classes (their case ignored):")
    if (target.task == "classification") != (len(target.classes) > 1):
        raise DataError(
            f"schema: target: {target.task} with {len(target.classes)} classes; "
            "a classification needs at least 2, a regression none"
        )


def _folded(values: tuple[Value, ...]) -> list[str]:
    return folded(pl.Series([str(value) for value in values], dtype=pl.String)).to_list()


def _require_distinct(values: list[str] | tuple[Value, ...], place: str) -> None:
    value, count = Counter(values).most_common(1)[0] if values else ("", 1)
    if count > 1:
        raise DataError(f"{place} {value!r} occurs {count} times; needs to be there once")
