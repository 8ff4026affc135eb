"""Frozen dataclasses from plain data, checked value by value."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from jdl.data.errors import DataError

T = TypeVar("T")


def build(kind: type[T], value: Any, place: str) -> T:
    """Make a dataclass out of what ``json.loads(json.dumps(asdict(it)))`` gives.

    Its fields may be text, numbers, booleans, literals, unions, tuples of one type, and dataclasses.
    Raises ``DataError`` naming the place of a field that is missing, unknown or of another type.
    """
    if not isinstance(value, Mapping):
        raise DataError(f"{place}: found {_shown(value)}, needs an object of named fields")
    hints = get_type_hints(kind)
    needed = {field.name for field in fields(kind) if field.default is MISSING}  # type: ignore[arg-type]
    for name in sorted(value.keys() - hints.keys()):
        raise DataError(f"{place}: found an unknown field {name!r}; needs {', '.join(hints)}")
    for name in sorted(needed - value.keys()):
        raise DataError(f"{place}: field {name!r} is missing")
    return kind(**{name: _value(hints[name], part, f"{place}.{name}") for name, part in value.items()})


def _value(hint: Any, value: Any, place: str) -> Any:
    if is_dataclass(hint):
        return build(hint, value, place)  # type: ignore[arg-type]
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_value(get_args(hint)[0], part, f"{place}[{i}]") for i, part in enumerate(value))
    if float in (hint, *get_args(hint)) and int not in get_args(hint) and type(value) is int:
        return float(value)
    if not _fits(hint, value):
        raise DataError(f"{place}: found {_shown(value)}, needs {_named(hint)}")
    return value


def _fits(hint: Any, value: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(part, value) for part in get_args(hint))
    return type(value) is hint


def _named(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return f"a list of {_named(get_args(hint)[0])}"
    if get_args(hint):
        return " or ".join(repr(a) if isinstance(a, str) else _named(a) for a in get_args(hint))
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}
    return names.get(hint, "an object")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
