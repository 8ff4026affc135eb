"""Files that survive a power cut."""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The system's error numbers for a full disk."""

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


def write(path: Path, content: bytes) -> None:
    """Write a file, and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def put(path: Path, content: bytes) -> None:
    """Write a file beside its place, then put it there: a full disk leaves what stood there as it was.

    Raises:
        OSError: it cannot be written; the error names ``path``.
    """
    with new_file(path) as unfinished:
        write(unfinished, content)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give the path of a file to write; at the end of the block it becomes ``path``, or is gone.

    Raises:
        OSError: it cannot be written; the error names ``path``.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error
    finally:
        unfinished.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Wait until the names in ``folder`` are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def swapped(left: Path, right: Path) -> bool:
    """Swap two folders in one step; False where the system cannot, and then nothing is changed.

    Source: ``renameat2`` with ``RENAME_EXCHANGE``, Linux 3.15.
    """
    swap = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    return swap is not None and swap(_HERE, os.fsencode(left), _HERE, os.fsencode(right), _EXCHANGE) == 0
