"""Torch's own table of modules against jdl: values, and gradients by inputs and parameters, in float64.

Every case of ``torch.testing._internal.common_modules.module_db`` is compared, or left out for a reason that
``not_applicable.py`` gives. ``counts.json`` holds, by module, how many apply and how many there are; a run in
which a count shrinks fails. ``record_oracle.py`` prints the reasons and writes the counts.
"""

import json
from pathlib import Path

import pytest

from tests.outside.torch_modules.cases_oracle import infos
from tests.outside.torch_modules.not_applicable import NOT_COMPARED
from tests.outside.torch_modules.outcome_oracle import TWINS, outcome

RECORDED = json.loads((Path(__file__).parent / "counts.json").read_text())
SLOW = {"nn.CTCLoss", "nn.CrossEntropyLoss", "nn.GRU", "nn.LSTM", "nn.LinearCrossEntropyLoss"}
SLOW |= {"nn.MultiheadAttention", "nn.NLLLoss", "nn.RNN", "nn.Transformer", "nn.TransformerDecoderLayer"}
SLOW |= {"nn.TransformerEncoder", "nn.TransformerEncoderLayer"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in RECORDED]
)
def test_module_equals_torch(name, record_property):
    found = outcome(name)
    record_property("torch module", list(found.row))  # plain, to travel between processes
    assert not found.failures, f"{len(found.failures)} cases differ:\n" + "\n".join(found.failures)
    applicable, total = RECORDED[name]
    assert found.row.applicable >= applicable
    assert found.row.total >= total


def test_every_module_of_torch_is_compared_or_left_out_for_a_reason():
    assert sorted(infos()) == sorted(RECORDED)
    assert sorted(infos()) == sorted([*TWINS, *NOT_COMPARED])
