"""scikit-learn's own tests, run with a plug-in that puts ours in the place of what they test."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def own_tests(folder: Path, module: str, lines: int, record: Callable[[str, str], None]) -> None:
    """Run a module of tests with ``folder/plugin.py``, which says in so many lines what came of them.

    A process of its own: what is replaced in scikit-learn stays so.
    """
    path = os.pathsep.join([str(folder), str(folder.parents[2])])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "plugin"]
    command += ["--pyargs", module, "-c", os.devnull, "--disable-warnings"]
    result = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=600
    )
    total = [line for line in result.stdout.splitlines() if line.startswith("scikit-learn")]
    record("summary", "\n".join(total))
    assert result.returncode == 0 and len(total) == lines, result.stdout[-10_000:] + result.stderr
