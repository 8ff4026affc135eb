"""What a request asks: its body as columns of plain values, checked one by one."""

import json
import math
import sys
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from jdl.data import Schema
from jdl.serve.refused import Refused, bad_value

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"

_LARGEST = int(sys.float_info.max)
_NAMES: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    type(None): "null",
}

Style = Literal["rows", "columns", "arrow"]
Columns = dict[str, list[Any]]


class Request(NamedTuple):
    """A body and what it is written in."""

    kind: str
    content: bytes


def parse(content: bytes, schema: Schema, most: int) -> tuple[Style, Columns]:
    """Read a JSON body, ``{"rows": [{column: value}]}`` or ``{"columns": {column: [value]}}``.

    Gives the model's own columns, all of one length from 1 to ``most``; others are left out. Their values are
    text, finite numbers, booleans and None.

    Raises:
        Refused: 400 for what is no JSON, 422 for any other form, column or value, naming column and row.

    >>> from jdl.data import Number, Target
    >>> schema = Schema(Target("y", "regression"), (Number("age"),))
    >>> parse(b'{"rows": [{"age": 39, "more": [1]}, {"age": null}]}', schema, 10)
    ('rows', {'age': [39, None]})
    """
    found = _loaded(content)
    if not isinstance(found, dict) or len(found) != 1 or not ({"rows", "columns"} & found.keys()):
        fields = ", ".join(map(repr, found))[:200] if isinstance(found, dict) else ""
        of = f" of {fields}" if fields else ""
        raise Refused(422, f"the body: found {_named(found)}{of}; needs one field, 'rows' or 'columns'")
    names = [part.name for part in schema.columns]
    if "rows" in found:
        return "rows", _from_rows(found["rows"], names, most)
    return "columns", _from_columns(found["columns"], names, most)


def _loaded(content: bytes) -> Any:
    try:
        return json.loads(content, parse_constant=_no_number)
    except RecursionError:
        raise Refused(400, "the body: JSON of too many levels") from None
    except ValueError as error:
        raise Refused(400, f"the body: not JSON ({str(error)[:200]})") from None


def _no_number(text: str) -> Any:
    raise ValueError(f"found {text}, which JSON has no number for; null is a missing value")


def _from_rows(rows: Any, names: list[str], most: int) -> Columns:
    if not isinstance(rows, list):
        raise Refused(422, f"rows: found {_named(rows)}, needs a list of objects")
    _check_count(len(rows), most)
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            raise bad_value(f"found {_named(row)}, needs an object of a value for each column", None, i + 1)
        for name in names:
            if name not in row:
                raise bad_value("is missing; null is a missing value", name, i + 1)
    return {name: _checked(name, [row[name] for row in rows]) for name in names}


def _from_columns(columns: Any, names: list[str], most: int) -> Columns:
    if not isinstance(columns, dict):
        raise Refused(422, f"columns: found {_named(columns)}, needs an object of lists")
    for name in names:
        if name not in columns:
            raise bad_value("is missing", name, None)
        if not isinstance(columns[name], list):
            raise bad_value(f"found {_named(columns[name])}, needs a list of values", name, None)
    lengths = {name: len(columns[name]) for name in names}
    first = names[0]
    for name, length in lengths.items():
        if length != lengths[first]:
            raise bad_value(f"has {length} values, column {first!r} has {lengths[first]}", name, None)
    _check_count(lengths[first], most)
    return {name: _checked(name, columns[name]) for name in names}


def _check_count(rows: int, most: int) -> None:
    if not 1 <= rows <= most:
        raise Refused(422, f"found {rows} rows, needs 1 to {most}")


def _checked(name: str, values: list[Any]) -> list[Any]:
    for i, value in enumerate(values):
        kind = type(value)
        if kind is list or kind is dict:
            raise bad_value(f"found {_named(value)}, needs one value", name, i + 1)
        if (kind is float and not math.isfinite(value)) or (kind is int and abs(value) > _LARGEST):
            raise bad_value("found a number beyond those of 64 bits; null is a missing value", name, i + 1)
        if kind is str and not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
            raise bad_value("found half of a surrogate pair, needs text", name, i + 1)
        if kind is int and not -(2**63) <= value < 2**63:
            values[i] = float(value)  # as JSON means it: 1e30 is the same number
    return values


def _named(value: Any) -> str:
    return _NAMES.get(type(value), "a number")
