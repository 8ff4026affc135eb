"""A server of `jdl serve` in a process of its own, for as long as a block lasts."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """Serve a model on a free port, and give the port; it must end by SIGTERM with exit code 0."""
    command = [sys.executable, "-m", "jdl.cli", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("served at"):
                yield int(line.split(";")[0].rsplit(":", 1)[1])
                break
        process.terminate()
        if code := process.wait():
            raise RuntimeError(f"jdl serve ended with exit code {code}; its error is above")


def trained(folder: Path, *options: str) -> None:
    """Train the demo's model."""
    command = [sys.executable, "-m", "jdl.cli", "demo", "--out", str(folder), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment())


def environment() -> dict[str, str]:
    """Give the variables with which this jdl is found."""
    paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
