"""A folder that keeps what a sweep has trained, so that one that was killed goes on where it was."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jdl.train.recipe import RecipeError

HEADER = "sweep.json"
FORMAT = 1


class Journal:
    """Members in a folder: a header that says of which sweep, and a file for each call of a stage."""

    def __init__(self, folder: str | os.PathLike, header: dict[str, Any]) -> None:
        """Open a folder, or make it.

        Raises:
            RecipeError: the folder holds another sweep, or something else.
        """
        self.folder = Path(folder)
        path = self.folder / HEADER
        header = json.loads(json.dumps({"format": FORMAT, **header}))
        if path.exists():
            found = json.loads(path.read_text())
            differing = [name for name in header if found.get(name) != header[name]]
            if differing:
                raise RecipeError(
                    f"{path}: is of another sweep: {', '.join(differing)} differ; give another folder"
                )
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            raise RecipeError(f"{self.folder}: holds other files; give a folder that is empty or new")
        _write(path, lambda file: file.write(json.dumps(header, indent=1).encode()))

    def write(self, stage: str, numbers: Sequence[int], found: Any) -> None:
        """Keep members, whole or not at all."""
        leaves: dict[str, Any] = {str(i): np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(found))}
        path = self.folder / f"{stage}-{min(numbers):07d}.npz"
        _write(path, lambda file: np.savez(file, numbers=np.asarray(numbers), **leaves))

    def read(self, stage: str, shape: Callable[[int], Any]) -> Iterator[tuple[int, Any]]:
        """Give the members that are kept of a stage; ``shape(number)`` says what a member is like there."""
        for path in sorted(self.folder.glob(f"{stage}-*.npz")):
            with np.load(path, allow_pickle=False) as file:
                numbers = file["numbers"].tolist()
                leaves = [file[str(i)] for i in range(len(file.files) - 1)]
            wanted, tree = jax.tree.flatten(shape(numbers[0]))  # all of one file are of one group
            if [leaf.shape for leaf in wanted] != [leaf.shape[1:] for leaf in leaves]:
                raise RecipeError(f"{path}: holds other members than this sweep's; give another folder")
            # numpy knows types such as bfloat16 by their bytes alone
            leaves = [leaf.view(spec.dtype) for leaf, spec in zip(leaves, wanted, strict=True)]
            for row, number in enumerate(numbers):
                yield number, jax.tree.unflatten(tree, [leaf[row] for leaf in leaves])


def fingerprint(values: Any) -> str:
    """Give a digest of the arrays of a tree, and of how it is made."""
    digest = hashlib.sha256(str(jax.tree.structure(values)).encode())
    for leaf in jax.tree.leaves(values):
        leaf = np.ascontiguousarray(leaf)
        digest.update(f"{leaf.dtype} {leaf.shape}".encode())
        digest.update(leaf.tobytes())
    return digest.hexdigest()


def _write(path: Path, write: Any) -> None:
    """Write a file so that it is there whole or not at all."""
    beside = path.with_name(f"{path.name}.part")
    with beside.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
