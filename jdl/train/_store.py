"""Named arrays and their description in one folder, which gets its name once it is whole."""

import json
import logging
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jdl import disk

FORMAT = "jdl checkpoint 1"
_DESCRIPTION = "checkpoint.json"
_UNFINISHED = re.compile(r"\d+\.(unfinished|deleting)")


class CheckpointError(ValueError):
    """A checkpoint that cannot be written, or cannot be read as asked.

    The message names the folder or path, what was found, what was needed and what to do.
    """


def write(path: Path, description: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write the folder ``path``: the arrays by Orbax, then a description with the checksum of every file."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        unfinished.mkdir(parents=True)
        if arrays:
            _write_arrays(unfinished / "arrays", arrays)
        body = description | {"format": FORMAT, "files": _files(unfinished)}
        text = json.dumps(body | {"crc32": _crc(body)}, indent=1)
        disk.write(unfinished / _DESCRIPTION, text.encode())
        unfinished.rename(path)
        disk.sync(path.parent)
    except Exception as error:  # Orbax and TensorStore report a full disk as one of many types
        shutil.rmtree(unfinished, ignore_errors=True)
        raise CheckpointError(
            f"{path}: checkpoint not written: {_reason(error)}; the checkpoints before it are unharmed"
        ) from error


def describe(path: Path) -> dict[str, Any]:
    """Read and check the description of the folder ``path``; the arrays are not read."""
    try:
        body = json.loads((path / _DESCRIPTION).read_text())
        found, expected = _crc({name: body[name] for name in body if name != "crc32"}), body["crc32"]
    except FileNotFoundError:
        names = ", ".join(sorted(entry.name for entry in path.iterdir())[:4]) or "nothing"
        raise damaged(path, f"no {_DESCRIPTION} among its files ({names})") from None
    except (ValueError, KeyError, TypeError):
        raise damaged(path, f"{_DESCRIPTION} cannot be read") from None
    if found != expected:
        raise damaged(path, f"{_DESCRIPTION} has been changed")
    if body["format"] != FORMAT:
        raise CheckpointError(f"{path}: found {body['format']!r}, this version reads {FORMAT!r}")
    return body


def read(path: Path, description: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read the arrays of the folder ``path`` after checking every file against its description."""
    found = _files(path)
    for name, needed in description["files"].items():
        if name not in found:
            raise damaged(path, f"{name} is missing")
        if found[name] != needed:
            raise damaged(path, f"{name} has {found[name][0]} bytes, {_difference(found[name], needed)}")
    names = [leaf["array"] for leaf in description["leaves"].values() if "array" in leaf]
    return _read_arrays(path / "arrays", names) if names else {}


def damaged(path: Path, what: str) -> CheckpointError:
    """Make the error for a folder that is not a whole checkpoint."""
    return CheckpointError(
        f"{path}: not a whole checkpoint: {what}; delete this folder, or name another step"
    )


def remove(path: Path) -> None:
    """Delete a checkpoint so that one half deleted does not pass for whole."""
    doomed = path.with_name(f"{path.name}.deleting")
    path.rename(doomed)
    shutil.rmtree(doomed)


def clean(folder: Path) -> None:
    """Delete what a killed run left half written or half deleted."""
    for entry in folder.iterdir() if folder.exists() else ():
        if _UNFINISHED.fullmatch(entry.name):
            shutil.rmtree(entry)


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    import orbax.checkpoint as ocp

    with _quiet(), ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        checkpointer.save(path.absolute(), args=ocp.args.PyTreeSave(arrays))


def _read_arrays(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    import orbax.checkpoint as ocp

    as_numpy = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in names}
    with _quiet(), ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        return checkpointer.restore(
            path.absolute(), args=ocp.args.PyTreeRestore(dict.fromkeys(names, 0), restore_args=as_numpy)
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Orbax's log off the terminal: what fails is raised as well."""

    def foreign(record: logging.LogRecord) -> bool:
        return "orbax" not in record.pathname

    logger = logging.getLogger("absl")
    logger.addFilter(foreign)
    try:
        yield
    finally:
        logger.removeFilter(foreign)


def _files(path: Path) -> dict[str, list[int]]:
    """Give the size and the CRC-32 of every file below ``path`` but the description."""
    found: dict[str, list[int]] = {}
    for file in sorted(entry for entry in path.rglob("*") if entry.is_file()):
        size = checksum = 0
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                size, checksum = size + len(chunk), zlib.crc32(chunk, checksum)
        found[file.relative_to(path).as_posix()] = [size, checksum]
    found.pop(_DESCRIPTION, None)
    return found


def _difference(found: list[int], needed: list[int]) -> str:
    return "their checksum differs" if found[0] == needed[0] else f"needs {needed[0]}"


def _crc(body: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(body, sort_keys=True).encode())


def _reason(error: Exception) -> str:
    """Say in a few words why writing failed; TensorStore puts the system's error number in its text."""
    if found := re.search(r"os_error_code='(\d+)'", str(error)):
        number = int(found[1])
    elif isinstance(error, OSError) and error.errno:
        number = error.errno
    else:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    if number in disk.FULL:
        return f"the disk is full ({os.strerror(number)}); free some space, or use another folder"
    return os.strerror(number)
