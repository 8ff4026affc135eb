"""One row of plain values to arrays, in microseconds: what ``Schema.encode`` gives of a table of this row."""

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jdl.data import ngrams
from jdl.data.columns import MISSING_DAY, WORDS, Category, Column, Date, Number, Text
from jdl.data.encode import LARGEST
from jdl.data.errors import unknown_column
from jdl.data.nulls import NULLS
from jdl.data.read import read_table
from jdl.data.schema import Schema

CACHED = 1024  # values of a column that are remembered, of at most so many characters
LONGEST = 256

_NUMERAL = re.compile(r"[+-]?(?:\d{1,18}\.?\d{0,18}|\.\d{1,18})", re.ASCII)
_ISO = re.compile(r"[1-9]\d{3}-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?)?", re.ASCII)
_BLANKS = " \t\n\v\f\r"
_NULLS = frozenset(NULLS)
_EPOCH = dt.date(1970, 1, 1).toordinal()
_NUMPY = (np.float64, np.float32, np.int64, np.int32, np.bool_)
_KEPT = (str, int, float, bool, dt.date, dt.datetime, dt.time, dt.timedelta)

Read = Callable[[Any], Any]


def reader(schema: Schema) -> Callable[[Mapping[str, Any]], dict[str, NDArray]]:
    """Make ``read(row)`` of rows ``{column: value}``: the arrays of ``Schema.encode``, of one row.

    They are bit for bit those of ``schema.encode(read_table({column: [value]}))``. Numbers, levels, ISO dates
    and texts in ASCII are read here; any other value by the table's own reader, and then remembered.
    ``read`` raises ``DataError`` for a column that is not there or a value that cannot be read.

    >>> from jdl.data import Target
    >>> work = Category("work", ("office", "shop"))
    >>> read = reader(Schema(Target("y", "regression"), (Number("age"),), (work,)))
    >>> found = read({"age": "39", "work": "shop ", "more": 1})
    >>> found["numbers"].tolist(), found["categories"].tolist()
    ([[39.0]], [[2]])
    """
    kinds = {
        "numbers": ([(part.name, _number(part)) for part in schema.numbers], np.float32, ()),
        "categories": ([(part.name, _category(part)) for part in schema.categories], np.int32, ()),
        "dates": ([(part.name, _date(part)) for part in schema.dates], np.int32, (2,)),
        "texts": ([(part.name, _text(part)) for part in schema.texts], np.int32, (WORDS,)),
    }
    names = [part.name for part in schema.columns]

    def read(row: Mapping[str, Any]) -> dict[str, NDArray]:
        for name in names:
            if name not in row:
                raise unknown_column(name, [str(name) for name in row])
        return {
            kind: np.array([one(row[name]) for name, one in parts], dtype).reshape(1, len(parts), *shape)
            for kind, (parts, dtype, shape) in kinds.items()
        }

    return read


def _number(number: Number) -> Read:
    """Read a number as ``encode._shifted`` does, in the same operations."""
    by_table = _by_table(number, Schema(numbers=(number,)), "numbers")
    scale, shift = number.scale, number.offset / number.scale
    plain, truth = number.kind == "number", number.kind == "boolean"
    numerals = plain and number.format.decimal == "." and not number.format.negative
    nulls = frozenset(number.nulls)

    def shifted(value: float) -> float:
        if not math.isfinite(value):
            return math.nan
        return min(max(value / scale - shift, -LARGEST), LARGEST)

    def read(value: Any) -> float:
        if value is None:
            return math.nan
        if plain and type(value) in _NUMPY:
            value = value.item()
        kind = type(value)
        if plain and (kind in (float, bool) or (kind is int and -(2**63) <= value < 2**63)):
            return shifted(float(value))
        if truth and kind in (float, bool, int) and value in (0, 1):
            return shifted(float(value))
        if numerals and kind is str and value not in nulls and _NUMERAL.fullmatch(value):
            return shifted(float(value))
        return by_table(value)

    return read


def _category(category: Category) -> Read:
    schema = Schema(categories=(category,))
    by_table = _by_table(category, schema, "categories")
    levels = pl.DataFrame({category.name: pl.Series(category.levels, dtype=pl.String)})
    known = dict(zip(category.levels, schema.encode(levels)["categories"][:, 0].tolist(), strict=True))

    def read(value: Any) -> int:
        if value is None:
            return 0
        found = known.get(value) if type(value) is str else None
        return by_table(value) if found is None else found

    return read


def _date(date: Date) -> Read:
    by_table = _by_table(date, Schema(dates=(date,)), "dates")
    timed = date.kind == "datetime"

    def read(value: Any) -> tuple[int, int]:
        if value is None:
            return MISSING_DAY, 0
        if type(value) is str and not date.format and not date.nulls and _ISO.fullmatch(value):
            try:
                moment = dt.datetime.fromisoformat(value[:19])
            except ValueError:  # no such day: the table's reader says so
                return by_table(value)
            second = moment.hour * 3600 + moment.minute * 60 + moment.second
            return moment.toordinal() - _EPOCH, second if timed else 0
        return by_table(value)

    return read


def _text(text: Text) -> Read:
    by_table = _by_table(text, Schema(texts=(text,)), "texts")
    nothing = [0] * WORDS

    def read(value: Any) -> list[int]:
        if value is None:
            return nothing
        if type(value) is not str or not value.isascii():
            return by_table(value)
        stripped = value.strip(_BLANKS)
        return nothing if stripped in _NULLS else ngrams.ids_of_ascii(stripped)

    return read


def _by_table(part: Column, schema: Schema, kind: str) -> Read:
    """Read a value as a table of one cell is read, and remember it."""

    def read(value: Any) -> Any:
        return schema.encode(read_table({part.name: [value]}))[kind][0, 0].tolist()

    remembered = lru_cache(CACHED, typed=True)(read)

    def look(value: Any) -> Any:
        kept = type(value) in _KEPT and not (type(value) is str and len(value) > LONGEST)
        return remembered(value) if kept else read(value)

    return look
