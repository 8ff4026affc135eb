"""scikit-learn's own tests of its networks, run with our estimators in their place."""

from pathlib import Path

import pytest

from tests.outside.plugged import own_tests


@pytest.mark.slow
def test_scikit_learns_own_tests_of_networks(record_property):
    """As expected_failures.py has it."""
    own_tests(Path(__file__).parent, "sklearn.neural_network.tests.test_mlp", 1, record_property)
