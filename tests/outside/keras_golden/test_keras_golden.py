"""Keras's golden values of losses and metrics, carried over as facts: inputs and the numbers it expects."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.outside.keras_golden.as_losses import NotApplicableError, loss_value
from tests.outside.keras_golden.as_metrics import metric_value

LINES = (Path(__file__).parent / "facts.jsonl").read_text().splitlines()
SOURCE, *FACTS = map(json.loads, LINES)
LEAST = 325  # how many of the facts must agree
WITHOUT = {
    "CTC": "a target with the blank in it",
    "CategoricalGeneralizedCrossEntropy": "no such loss",
    "CategoricalHinge": "no hinge loss of Crammer and Singer",
    "Circle": "no such loss",
    "ConcordanceCorrelation": "no such metric",
    "PrecisionAtRecall": "no such metric",
    "RecallAtPrecision": "no such metric",
    "SensitivityAtSpecificity": "no such metric",
    "SpecificityAtSensitivity": "no such metric",
}


def value(fact):
    """Compute what a fact says with our loss or metric."""
    if fact["class"] in WITHOUT:
        raise NotApplicableError(WITHOUT[fact["class"]])
    calls = [{name: np.asarray(x, np.float64) for name, x in call.items()} for call in fact["calls"]]
    if not calls:
        raise NotApplicableError("no rows, which give 0 there and NaN here")
    if fact["kind"] == "loss":
        return loss_value(fact["class"], fact["options"], **calls[0])
    return metric_value(fact["class"], fact["options"], calls)


def outcome(fact):
    """Whether our value agrees with a fact, or is not applicable, or how it differs."""
    try:
        ours, expected = value(fact), np.asarray(fact["expected"])
    except NotApplicableError:
        return "not applicable"
    close = np.allclose(ours, expected, rtol=1e-5, atol=fact["tolerance"], equal_nan=True)
    return "agrees" if close else f"{fact['test']}: {ours}, expected {expected}"


@pytest.mark.slow
def test_agrees_with_keras(record_property):
    """In one test, whose programs serve all facts about a class."""
    counts = Counter(map(outcome, FACTS))
    agree, total = counts.pop("agrees", 0), len(FACTS)
    applicable = total - counts.pop("not applicable", 0)
    source = SOURCE["source"].split(":")[0]
    record_property("summary", f"{source}: {agree} passed / {applicable} applicable / {total} total")
    assert not counts, "\n".join(counts)
    assert agree >= LEAST and total == 462
