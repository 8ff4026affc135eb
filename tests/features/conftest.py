"""Every test of a module draws the same numbers, whichever ran before it."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def same_draws(request: pytest.FixtureRequest) -> None:
    """Begin the module's generator anew."""
    drawn = getattr(request.module, "RNG", None)
    if drawn is not None:
        drawn.bit_generator.state = np.random.default_rng(0).bit_generator.state
