"""Hyper-parameters and options from a file and from ``key=value`` words, checked against the recipe."""

import argparse
import json
import math
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jdl.sweeps import choice, integer, log_uniform, uniform
from jdl.train import RecipeError

_is_text = lambda value: isinstance(value, str)
_are_texts = lambda value: isinstance(value, list) and bool(value) and all(map(_is_text, value))
OPTIONS: dict[str, Any] = {  # that a file may hold beside [hyper], and what each may be
    "target": lambda value: _is_text(value) or _are_texts(value),
    "model": _is_text,
    "task": lambda value: value in ("classification", "regression"),
    "seed": lambda value: type(value) is int and 0 <= value < 2**32,
}
_CALL = re.compile(r"\s*(uniform|log_uniform|integer|choice)\((.*)\)\s*", re.DOTALL)
_TRUTH = {"true": True, "false": False}
_RANGES: dict[str, Any] = {"uniform": uniform, "log_uniform": log_uniform, "integer": integer}


def completed(options: argparse.Namespace) -> argparse.Namespace:
    """Give the options with what ``--config`` holds and the command line does not; the command line wins.

    Raises:
        RecipeError: a file that is no TOML, or holds something else than options and ``[hyper]``.
    """
    file = {} if options.config is None else _read(options.config)
    for name in OPTIONS:
        if getattr(options, name, None) is None and name in file:
            value = file[name]
            setattr(options, name, [value] if name == "target" and isinstance(value, str) else value)
    options.hyper = file.get("hyper", {}) | options.hyper
    options.seed = options.seed or 0
    if options.target is None and options.schema is None:
        raise RecipeError(
            "target: found none; give --target COLUMN, --schema FILE, or target in --config FILE"
        )
    return options


def overridden(hyper: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Put given hyper-parameters in the place of the defaults: texts are read as the default's type.

    Raises:
        RecipeError: an unknown name, or a value of another type.

    >>> overridden({"epochs": 9, "widths": (8, 8), "rate": 0.1}, {"epochs": "3", "widths": "4,2"})
    {'epochs': 3, 'widths': (4, 2), 'rate': 0.1}
    """
    check_names(hyper, given)
    return dict(hyper) | {name: typed(name, value, hyper[name]) for name, value in given.items()}


def parted(hyper: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part what is fixed from what is to be tried: ranges, choices, and lists of values.

    >>> parted({"rate": 0.1, "widths": (4,)}, {"rate": "uniform(0, 1)", "widths": [8]})
    ({'widths': [8]}, {'rate': 'uniform(0, 1)'})
    """
    check_names(hyper, given)
    ranges = {name: value for name, value in given.items() if _is_range(value, hyper[name])}
    return {name: value for name, value in given.items() if name not in ranges}, ranges


def spaced(hyper: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Read what is to be tried: ``uniform(a, b)``, ``log_uniform``, ``integer``, ``choice(a | b)``, a list.

    Raises:
        RecipeError: as ``overridden``, or a range that is none.

    >>> space = spaced({"rate": 0.1, "width": 4}, {"rate": "log_uniform(1e-3, 1)", "width": "choice(4 | 8)"})
    >>> space["width"], space["rate"].high
    (Choice(options=(4, 8)), 1.0)
    """
    check_names(hyper, given)
    return {name: _tried(name, value, hyper[name]) for name, value in given.items()}


def typed(name: str, value: Any, default: Any) -> Any:
    """Read one value as the type of its default.

    >>> typed("rate", 1, 0.5), typed("stacked", "true", False), typed("rank", "none", None)
    (1.0, True, None)
    """
    try:
        return _read_as(value, default)
    except (ValueError, TypeError, KeyError):
        raise RecipeError(f"hyper-parameter {name!r}: found {value!r}, needs {_kind(default)}") from None


def check_names(hyper: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise a RecipeError where a name is none of the recipe's."""
    for name in given:
        if name not in hyper:
            close = get_close_matches(name, hyper, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"needs one of {', '.join(hyper)}"
            raise RecipeError(f"hyper-parameter {name!r} is unknown; {hint}")


def toml(options: Mapping[str, Any], hyper: Mapping[str, Any]) -> str:
    """Write options and hyper-parameters as TOML that ``--config`` reads; what is None goes without a line.

    >>> print(toml({"target": "y"}, {"epochs": 3, "widths": (8, 8), "rank": None}))
    target = "y"
    <BLANKLINE>
    [hyper]
    epochs = 3
    widths = [8, 8]
    """
    lines = [f"{name} = {_value(value)}" for name, value in options.items() if value is not None]
    lines += ["", "[hyper]"] + [f"{name} = {_value(v)}" for name, v in hyper.items() if v is not None]
    return "\n".join(lines)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text())
    except ValueError as error:  # tomllib's own, or bytes that are no UTF-8
        raise RecipeError(f"{path}: is no TOML: {error}") from None
    for name, value in found.items():
        if name != "hyper" and name not in OPTIONS:
            raise RecipeError(f"{path}: {name!r} is unknown; needs {', '.join(OPTIONS)} or a table [hyper]")
        if not (isinstance(value, dict) if name == "hyper" else OPTIONS[name](value)):
            raise RecipeError(f"{path}: {name}: found {value!r}, which it cannot be")
    return found


def _is_range(value: Any, default: Any) -> bool:
    called = isinstance(value, str) and _CALL.fullmatch(value) is not None
    return called or (isinstance(value, list) and not isinstance(default, tuple))


def _tried(name: str, value: Any, default: Any) -> Any:
    call = _CALL.fullmatch(value) if isinstance(value, str) else None
    if call is None:
        return [typed(name, part, default) for part in value]
    kind, inside = call[1], call[2]
    if kind == "choice":
        if "," in inside and "|" not in inside and not isinstance(default, tuple):
            raise RecipeError(f"hyper-parameter {name!r}: found {value!r}, needs choice(a | b)")
        return choice(*(typed(name, part.strip(), default) for part in inside.split("|")))
    ends = [typed(name, part.strip(), default) for part in inside.split(",")]
    wanted = (int, type(None)) if kind == "integer" else (float,)
    if isinstance(default, bool) or not isinstance(default, wanted):
        raise RecipeError(f"hyper-parameter {name!r}: found {value!r}, needs {_range(default)}")
    if len(ends) != 2 or None in ends or not ends[0] < ends[1]:
        raise RecipeError(f"hyper-parameter {name!r}: found {value!r}, needs {kind}(low, high)")
    return _RANGES[kind](*ends)


def _range(default: Any) -> str:
    if isinstance(default, float):
        return "uniform(low, high), log_uniform(low, high) or choice(a | b)"
    whole = default is None or (isinstance(default, int) and not isinstance(default, bool))
    return "integer(low, high) or choice(a | b)" if whole else "choice(a | b)"


def _read_as(value: Any, default: Any) -> Any:
    if default is None:
        return None if value is None or str(value).lower() == "none" else int(value)
    if isinstance(default, bool):
        return _TRUTH[str(value).lower()]
    if isinstance(default, tuple):
        parts = re.split(r"[,x]", value.strip("()[] ")) if isinstance(value, str) else value
        return tuple(_read_as(part, default[0]) for part in parts)
    if isinstance(value, bool) or (isinstance(default, int) and isinstance(value, float)):
        raise ValueError(value)
    found = type(default)(value)
    if isinstance(found, float) and not math.isfinite(found):
        raise ValueError(value)
    return found


def _kind(default: Any) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    if isinstance(default, tuple):
        return "whole numbers such as 128,128"
    return kinds.get(type(default), "a whole number or none")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # as JSON, and DEL
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)
