"""Paired measurements: workers live side by side and take turns, so that noise hits all of them alike."""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent


class WorkerError(RuntimeError):
    """A worker ended instead of answering."""


class Worker:
    """A process that answers one line of JSON to each line it is sent, and waits in between."""

    def __init__(self, *arguments: str, environment: Mapping[str, str]):
        self.name = " ".join(arguments)
        paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **environment},
        )

    def listen(self) -> dict:
        """Wait for the next answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise WorkerError(f"worker '{self.name}' ended with code {code}; its error is above")
        return json.loads(line)

    def ask(self) -> dict:
        """Request one repeat and wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.write("repeat\n")
        self.process.stdin.flush()
        return self.listen()

    def close(self) -> None:
        """Let the process end by closing its input."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def workers(commands: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]]) -> Iterator[dict[str, tuple]]:
    """Start workers one after the other, each until it is warm; give each with its first answer."""
    started: dict[str, tuple[Worker, dict]] = {}
    try:
        for name, (arguments, environment) in commands.items():
            worker = Worker(*arguments, environment=environment)
            started[name] = worker, {}
            started[name] = worker, worker.listen()
        yield started
    finally:
        for worker, _ in started.values():
            worker.close()


def round_robin(running: Mapping[str, tuple[Worker, dict]], repeats: int) -> dict[str, list[dict]]:
    """Ask every worker in turn, ``repeats`` times over, every other time in reverse order."""
    answers: dict[str, list[dict]] = {name: [] for name in running}
    for i in range(repeats):
        for name in list(running)[:: 1 if i % 2 == 0 else -1]:
            answers[name].append(running[name][0].ask())
    return answers


def machine(packages: tuple[str, ...]) -> dict[str, object]:
    """Describe the processor and the versions measured."""
    versions = {}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "processor": processor(),
        **({"gpu": name} if (name := gpu()) else {}),
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": versions,
    }


def processor() -> str:
    """Give the processor's model name."""
    with contextlib.suppress(FileNotFoundError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def gpu() -> str | None:
    """Give the name of the first NVIDIA GPU, where there is one."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    found = subprocess.run(command, capture_output=True, text=True)
    return found.stdout.splitlines()[0] if found.returncode == 0 and found.stdout.strip() else None


def torch_device() -> str:
    """Where PyTorch computes: on a GPU where it finds one.

    Tensors are put there one by one: a default device would slow every call of PyTorch.
    """
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
