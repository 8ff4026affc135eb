"""Ranges around defaults: every network has some, the default within, and they are traced."""

import pytest

from jdl import models
from jdl.data import infer_schema, read_table
from jdl.sweeps import around
from jdl.sweeps.space import axes


@pytest.mark.parametrize("network", models.NETWORKS)
def test_every_networks_defaults_lie_within(network: str) -> None:
    schema = infer_schema(read_table({"x": [1.0, None, 3.0, 4.0] * 5, "y": ["a", "b"] * 10}), "y")
    hyper = models.defaults(5000, schema, network)
    space = around(hyper)
    assert "learning_rate" in space and len(space) >= 2
    for name, span in space.items():
        assert span.low <= hyper[name] <= span.high, name
        assert axes({name: span})[name].dtype is None and type(hyper[name]) is float
