"""The arrays of a saved model, told by the file's header before any of them is read."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jdl.io import files
from jdl.io.errors import ModelError

HEADER = 2**26  # bytes that a header may take
SHOWN = 3  # of the arrays that are wrong in one way
TYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "F16": "float16",
    "BF16": "bfloat16", "U32": "uint32", "I32": "int32", "F32": "float32", "U64": "uint64", "I64": "int64",
    "F64": "float64",
}  # fmt: skip


class Entry(NamedTuple):
    """One array of a file, as its header tells it."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        """Write it as ``float32[2, 3]``."""
        return f"{self.dtype}{list(self.shape)}"


def header(folder: Path, name: str) -> dict[str, Entry]:
    """Read what a safetensors file says of its arrays: their types and shapes, by name.

    Raises:
        ModelError: no such file, or a header that is none.

    Source: the format's description, https://github.com/huggingface/safetensors.
    """
    with files.opened(folder, name) as file:
        size = int.from_bytes(file.read(8), "little")
        if size > HEADER:
            raise files.damaged(folder, f"{name} cannot be read: its header would take {size:,} bytes")
        content = file.read(size)
    try:
        entries = files.parsed(content)
        if not isinstance(entries, dict):
            raise ValueError("its header is no object of named arrays")
        return {str(key): _entry(key, entries[key]) for key in entries if key != "__metadata__"}
    except ValueError as error:
        raise files.damaged(folder, f"{name} cannot be read: {error}") from None


def _entry(name: str, found: Any) -> Entry:
    shape = found.get("shape") if isinstance(found, dict) else None
    if not (isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)):
        raise ValueError(f"the shape of array {name!r} is {json.dumps(shape)[:80]}")
    if not isinstance(found.get("dtype"), str) or found["dtype"] not in TYPES:
        raise ValueError(f"the type of array {name!r} is {json.dumps(found.get('dtype'))[:80]}")
    return Entry(TYPES[found["dtype"]], tuple(shape))


def check(path: Path, found: Mapping[str, Entry], wanted: Mapping[str, Any]) -> None:
    """Compare arrays with those the recipe needs.

    Raises:
        ModelError: it tells those that are missing, those that are not needed, and those of another shape.
    """
    needed = {name: Entry(str(np.dtype(leaf.dtype)), tuple(leaf.shape)) for name, leaf in wanted.items()}
    missing = [repr(name) for name in needed if name not in found]
    unknown = [repr(name) for name in sorted(found) if name not in needed]
    other = [
        f"{name!r} is {found[name]}, the network needs {entry}"
        for name, entry in needed.items()
        if name in found and found[name] != entry
    ]
    told = [
        *([f"lacks {_few(missing)}, which the network needs"] if missing else []),
        *([f"has {_few(unknown)}, which the network lacks"] if unknown else []),
        *([_few(other)] if other else []),
    ]
    if told:
        raise ModelError(f"{path}: {'; '.join(told)}")


def numbers(entries: Mapping[str, Entry]) -> int:
    """Count the numbers of the largest array."""
    return max((math.prod(entry.shape) for entry in entries.values()), default=0)


def _few(names: list[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
