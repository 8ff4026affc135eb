"""What a run says as it goes: ``metrics.jsonl``, and one line of progress on a terminal."""

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

Append = Callable[[int, Mapping[str, Any]], None]


@contextmanager
def metrics_log(path: str | Path, after: int | None = None) -> Iterator[Append]:
    """Open a file of one JSON object a line and give ``append(step, metrics)``.

    A line is on its way to the disk when ``append`` returns, so a killed run loses none. Numbers that are not
    finite, which JSON does not know, become ``null``; arrays become lists.

    Args:
        path: the file; its folder is made where absent.
        after: the step a run resumes from: later lines are cut off, and the half line a crash may have left.
            None starts the file anew.

    Raises:
        ValueError: the file to resume is not such a log (the message names the line), or a metric is named
            ``step``.
        OSError: the line cannot be written; the lines before it stay whole.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "metrics.jsonl"
    >>> with metrics_log(path) as append:
    ...     for step in 1, 2, 3:
    ...         append(step, {"loss": 1 / step, "gradient": math.inf})
    >>> with metrics_log(path, after=1) as append:
    ...     append(2, {"loss": 0.25})
    >>> print(path.read_text(), end="")
    {"step": 1, "loss": 1.0, "gradient": null}
    {"step": 2, "loss": 0.25}
    """
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    end = _end_of(file, after) if after is not None and file.exists() else 0
    with file.open("ab", buffering=0) as stream:
        stream.truncate(end)

        def append(step: int, metrics: Mapping[str, Any]) -> None:
            nonlocal end
            if "step" in metrics:
                raise ValueError("metrics: the name 'step' is taken; rename this metric")
            entry = {"step": int(step)} | {name: _plain(value) for name, value in metrics.items()}
            line = json.dumps(entry, allow_nan=False).encode() + b"\n"
            try:
                done = stream.write(line)
                while done < len(line):  # a disk about to be full takes a part first
                    done += stream.write(line[done:])
            except OSError as error:
                stream.truncate(end)
                raise OSError(error.errno, os.strerror(error.errno or 0), str(file)) from None
            end += len(line)

        yield append


@contextmanager
def progress(epochs: int, stream: TextIO | None = None) -> Iterator[Append]:
    """Give ``show(epoch, metrics)``, which draws one line on a terminal and nothing elsewhere.

    Args:
        epochs: how many there are; ``epoch`` counts those that are finished.
        stream: where to, standard error by default, so that the output of a program can be piped.

    >>> import io
    >>> with progress(2, io.StringIO()) as show:
    ...     show(1, {"loss": 0.5})
    """
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        yield lambda epoch, metrics: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(20),
        TextColumn("{task.fields[metrics]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream)) as bar:
        task = bar.add_task("", total=epochs, metrics="")

        def show(epoch: int, metrics: Mapping[str, Any]) -> None:
            text = "  ".join(
                f"{name} {float(value):.4g}" for name, value in metrics.items() if np.ndim(value) == 0
            )
            bar.update(task, completed=epoch, metrics=text)

        yield show


def _end_of(path: Path, after: int) -> int:
    """Find where the lines up to step ``after`` end; the last line may be half of one."""
    end = 0
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if not line.endswith(b"\n"):
            break
        try:
            step = json.loads(line)["step"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{path}: line {number} is no entry of a metrics log; move the file away to start a new one"
            ) from None
        if step > after:
            break
        end += len(line)
    return end


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | int | None):
        return value
    return _plain(np.asarray(value).tolist())
