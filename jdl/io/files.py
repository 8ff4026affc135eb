"""The files of a model's folder, and a folder that gets its name once it is whole."""

import json
import os
import shutil
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from jdl import disk
from jdl.io.errors import ModelError
from jdl.io.migrate import FORMAT, MIGRATIONS, migrated

DESCRIPTION, WEIGHTS, METRICS = "model.json", "weights.safetensors", "metrics.jsonl"
REPORT = "report.html"
LARGEST = 2**28  # bytes of a description, or of the values by epoch: far more than there is to say

_NO_LINK, _NO_WAIT = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK"))  # where there are links
_FIELDS = {"network": str, "hyper": dict, "schema": dict, "metrics": dict, "data": dict, "files": dict}
_KINDS = {str: "text", dict: "an object of named values"}


def check_destination(folder: Path) -> None:
    """Raise a ModelError where a model cannot go: at a file, or a folder that holds something else."""
    if folder.is_file() or folder.is_symlink():
        raise ModelError(f"{folder}: is a file or a link; a model is a folder, name another one")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / DESCRIPTION).is_file():
        raise ModelError(f"{folder}: holds files that are not a model; name another folder, or an empty one")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill; at the end of the block it becomes ``folder``, or is gone.

    Raises:
        ModelError: the files cannot be written; what stood at ``folder`` is as it was.
    """
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    try:
        check_destination(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove(unfinished)
        unfinished.mkdir()
        yield unfinished
        disk.sync(unfinished)
        _replace(folder, unfinished)
    except OSError as error:
        raise ModelError(f"{folder}: model not written: {_reason(error)}") from error
    finally:
        _remove(unfinished)


def standing(folder: Path) -> Path:
    """Give a model's folder; where a save was killed between its two renames, the old model beside it."""
    return old_of(folder) if not folder.exists() and old_of(folder).is_dir() else folder


def old_of(folder: Path) -> Path:
    """Name the place of an old model while a new one takes its own."""
    return folder.with_name(f".{folder.name}.old")


def write_description(folder: Path, body: dict[str, Any]) -> None:
    """Write ``model.json``: ``body``, the checksums of the other files, and its own."""
    body = body | {"files": {name: seal((folder / name).read_bytes()) for name in (WEIGHTS, METRICS)}}
    disk.write(folder / DESCRIPTION, _json(body | {"seal": seal(_json(body))}))


def read_description(folder: Path) -> dict[str, Any]:
    """Read ``model.json`` and check its form and its own checksum; one of an older format is brought up."""
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; needs the folder of a saved model")
    content = read(folder, DESCRIPTION)
    try:
        body = parsed(content)
        found, needed = body["format"], body.pop("seal")
        whole = seal(_json(body)) == needed
    except (ValueError, KeyError, TypeError, AttributeError):
        raise damaged(folder, f"{DESCRIPTION} cannot be read ({len(content)} bytes)") from None
    if found not in (*MIGRATIONS, FORMAT):
        known = ", ".join(map(repr, (*MIGRATIONS, FORMAT)))
        raise ModelError(f"{folder}: found {repr(found)[:80]}, this version of jdl reads {known}")
    if not whole:
        raise damaged(folder, f"{DESCRIPTION} has been changed")
    for name, kind in _FIELDS.items():
        if not isinstance(body.get(name), kind):
            value = repr(body[name])[:80] if name in body else "nothing"
            raise ModelError(f"{folder / DESCRIPTION}: {name}: found {value}, needs {_KINDS[kind]}")
    if sorted(body["files"]) != sorted((WEIGHTS, METRICS)) or not all(map(_is_seal, body["files"].values())):
        needed = f"sizes and checksums of {WEIGHTS} and {METRICS}"
        raise ModelError(f"{folder / DESCRIPTION}: files: found {repr(body['files'])[:80]}, needs {needed}")
    return migrated(folder / DESCRIPTION, body)


def parsed(content: bytes) -> Any:
    """Read JSON that could have been written here.

    Raises:
        ValueError: it is no JSON, or has a name twice, a number that is not finite, or too many levels.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name stands twice")
        return found

    def never(text: str) -> Any:
        raise ValueError(f"found {text}")

    try:
        return json.loads(content, object_pairs_hook=once, parse_constant=never)
    except RecursionError:
        raise ValueError("its parts lie too deep in one another") from None


def read_checked(folder: Path, name: str, needed: dict[str, Any], most: int = LARGEST) -> bytes:
    """Read a file whose size and checksum the description has, of ``most`` bytes and not more."""
    found = size(folder, name)
    if found != needed["bytes"]:
        raise damaged(folder, f"{name} has {found} bytes, needs {needed['bytes']}")
    content = read(folder, name, most)
    if seal(content) != needed:
        raise damaged(folder, f"{name} has been changed: its checksum differs")
    return content


def read(folder: Path, name: str, most: int = LARGEST) -> bytes:
    """Read a file of a model's folder, of ``most`` bytes and not more."""
    found = size(folder, name)
    if found > most:
        raise damaged(folder, f"{name} has {found} bytes, needs {most} at most")
    with opened(folder, name) as file:
        return file.read(most)


def size(folder: Path, name: str) -> int:
    """Give the bytes of a file of a model's folder."""
    with opened(folder, name) as file:
        return os.fstat(file.fileno()).st_size


@contextmanager
def opened(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file of a model's folder: a file, and not a link to one elsewhere."""
    try:
        handle = os.open(folder / name, os.O_RDONLY | _NO_LINK | _NO_WAIT)
    except FileNotFoundError:
        names = ", ".join(sorted(entry.name for entry in folder.iterdir())[:4]) or "nothing"
        raise damaged(folder, f"it has no {name}, but {names}") from None
    except OSError as error:
        if (folder / name).is_symlink():
            raise damaged(folder, f"{name} is a link, needs a file") from None
        raise ModelError(f"{folder / name}: cannot be read: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise damaged(folder, f"{name} is no file")
        yield file


def damaged(folder: Path, what: str) -> ModelError:
    """Make the error for a folder that is not a whole model."""
    return ModelError(f"{folder}: not a whole model: {what}; copy or fit it again")


def seal(content: bytes) -> dict[str, Any]:
    """Give the size of a file's content and its CRC-32 in hexadecimal."""
    return {"bytes": len(content), "crc32": f"{zlib.crc32(content):08x}"}


def _is_seal(found: Any) -> bool:
    return isinstance(found, dict) and type(found.get("bytes")) is int and isinstance(found.get("crc32"), str)


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _replace(folder: Path, new: Path) -> None:
    """Put ``new`` in the place of ``folder``, in one step where the system can swap two folders."""
    old = old_of(folder)
    if folder.exists() and not disk.swapped(new, folder):
        _remove(old)
        folder.rename(old)
    if new.exists() and not folder.exists():
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    disk.sync(folder.parent)
    _remove(old)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _reason(error: OSError) -> str:
    if error.errno in disk.FULL:
        return f"the disk is full ({error.strerror}); free some space, or use another folder"
    return f"{error.strerror or error}; use another folder, or change its permissions"
