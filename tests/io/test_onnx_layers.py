"""Every layer of the catalogue as ONNX: ONNX Runtime gives what JAX gives, or the reason why not is here."""

import jax
import numpy as np
import pytest

from jdl.io import ModelError
from jdl.io.onnx import convert
from tests.nn.catalogue import CATALOGUE

REFUSED = {"linear_recurrence": "the primitive 'complex' of .* has no translation"}


def example(value):
    if isinstance(value, tuple):
        return np.random.default_rng(2).normal(size=value).astype(np.float32)
    return np.asarray(value)


@pytest.mark.slow
@pytest.mark.parametrize("case", CATALOGUE, ids=lambda case: case.constructor)
def test_layer(case):
    inputs = [example(value) for value in case.inputs]
    params, state = case.net.init(jax.random.key(0), *inputs, **case.keywords)
    forward = lambda *given: case.net.apply(params, state, *given, **case.keywords)[0]
    if case.constructor in REFUSED:
        with pytest.raises(ModelError, match=REFUSED[case.constructor]):
            convert(forward, *inputs)
    else:
        assert len(convert(forward, *inputs)) > 50  # it has compared the two
