"""Tests that compare programs bit for bit compile as users do."""

import sys
from collections.abc import Iterator

import pytest

import jdl.train
from tests.quick import optimised as compiling

running = sys.modules[jdl.train.run.__module__]  # the package holds the function by this name


@pytest.fixture(scope="module")
def optimised() -> Iterator[None]:
    """All programs of a module with XLA's optimisation; those that ``jdl.run`` keeps are made anew."""
    running._programs.clear()
    with compiling():
        yield
    running._programs.clear()
