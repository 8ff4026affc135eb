"""The files of a model's folder, and a folder that gets its name once it is whole."""

import json
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jdl import disk
from jdl.io.errors import ModelError

FORMAT = "jdl model 1"
DESCRIPTION, WEIGHTS, METRICS = "model.json", "weights.safetensors", "metrics.jsonl"
REPORT = "report.html"

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
    unfinished, old = (folder.with_name(f".{folder.name}.{what}") for what in ("unfinished", "old"))
    try:
        check_destination(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove(unfinished)
        unfinished.mkdir()
        yield unfinished
        disk.sync(unfinished)
        _replace(folder, unfinished, old)
    except OSError as error:
        raise ModelError(f"{folder}: model not written: {_reason(error)}") from error
    finally:
        _remove(unfinished)


def write_description(folder: Path, body: dict[str, Any]) -> None:
    """Write ``model.json``: ``body``, the checksums of the other files, and its own."""
    body = body | {"files": {name: seal((folder / name).read_bytes()) for name in (WEIGHTS, METRICS)}}
    disk.write(folder / DESCRIPTION, _json(body | {"seal": seal(_json(body))}))


def read_description(folder: Path) -> dict[str, Any]:
    """Read ``model.json`` and check its form and its own checksum."""
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; needs the folder of a saved model")
    content = read(folder, DESCRIPTION)
    try:
        body = json.loads(content)
        found, needed = body["format"], body.pop("seal")
    except (ValueError, KeyError, TypeError):
        raise damaged(folder, f"{DESCRIPTION} cannot be read ({len(content)} bytes)") from None
    if found != FORMAT:
        raise ModelError(f"{folder}: found {found!r}, this version of jdl reads {FORMAT!r}")
    if seal(_json(body)) != needed:
        raise damaged(folder, f"{DESCRIPTION} has been changed")
    for name, kind in _FIELDS.items():
        if not isinstance(body.get(name), kind):
            found = repr(body[name]) if name in body else "nothing"
            raise ModelError(f"{folder / DESCRIPTION}: {name}: found {found}, needs {_KINDS[kind]}")
    return body


def read_checked(folder: Path, name: str, needed: dict[str, Any]) -> bytes:
    """Read a file whose size and checksum the description has."""
    content = read(folder, name)
    found = seal(content)
    if found["bytes"] != needed["bytes"]:
        raise damaged(folder, f"{name} has {found['bytes']} bytes, needs {needed['bytes']}")
    if found != needed:
        raise damaged(folder, f"{name} has been changed: its checksum differs")
    return content


def read(folder: Path, name: str) -> bytes:
    """Read a file of a model's folder."""
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        names = ", ".join(sorted(entry.name for entry in folder.iterdir())[:4]) or "nothing"
        raise damaged(folder, f"it has no {name}, but {names}") from None
    except OSError as error:
        raise ModelError(f"{folder / name}: cannot be read: {error.strerror}") from error


def damaged(folder: Path, what: str) -> ModelError:
    """Make the error for a folder that is not a whole model."""
    return ModelError(f"{folder}: not a whole model: {what}; copy or fit it again")


def seal(content: bytes) -> dict[str, Any]:
    """Give the size of a file's content and its CRC-32 in hexadecimal."""
    return {"bytes": len(content), "crc32": f"{zlib.crc32(content):08x}"}


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _replace(folder: Path, new: Path, old: Path) -> None:
    """Put ``new`` in the place of ``folder``: two renames, for a folder cannot be replaced by one."""
    _remove(old)
    if folder.exists():
        folder.rename(old)
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
