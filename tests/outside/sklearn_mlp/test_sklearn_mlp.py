"""scikit-learn's own tests of its networks, run with our estimators in their place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_scikit_learns_own_tests_of_networks(record_property):
    """As expected_failures.py has it. A process of its own: the classes of scikit-learn are replaced."""
    path = os.pathsep.join([str(HERE), str(HERE.parents[2])])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "plugin", "--tb=no"]
    command += ["--pyargs", "sklearn.neural_network.tests.test_mlp", "-c", os.devnull, "--disable-warnings"]
    result = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=600
    )
    total = [line for line in result.stdout.splitlines() if line.startswith("scikit-learn")]
    record_property("summary", "\n".join(total))
    assert result.returncode == 0 and len(total) == 1, result.stdout[-10_000:] + result.stderr
