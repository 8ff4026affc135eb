"""scikit-learn's own tests of metrics, run with our metrics in place of its own."""

from pathlib import Path

import pytest

from tests.outside.plugged import own_tests


@pytest.mark.slow
def test_scikit_learns_own_tests(record_property):
    """As expected_failures.txt has it."""
    own_tests(Path(__file__).parent, "sklearn.metrics.tests.test_common", 2, record_property)
