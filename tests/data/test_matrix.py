"""Numbers coded many columns at a time: the bits of one after the other."""

from dataclasses import replace

import polars as pl
import pytest

from jdl.data import Number, Schema, encode, matrix
from tests.data.streamed import SCHEMA
from tests.train.tiny import assert_same_bits

FLOATS = [1.5, None, float("nan"), float("inf"), -0.0, 3.4e38, 1e-45]


@pytest.mark.parametrize(
    "names", [["f32", "i8", "b"], ["f32", "f64", "i64", "shifted", "text", "b"], ["f64"], ["u16"]]
)
def test_numbers_coded_together_are_those_of_one_after_the_other(names, monkeypatch):
    frame = pl.DataFrame(
        {
            "f32": pl.Series(FLOATS, dtype=pl.Float32),
            "f64": pl.Series([1e300, *FLOATS[1:]]),
            "i8": pl.Series([1, None, -128, 127, 0, 5, 6], dtype=pl.Int8),
            "u16": pl.Series(range(7), dtype=pl.UInt16),
            "i64": pl.Series([2**60 + 1, None, -(2**60), 16777217, 0, 5, 6]),
            "b": [True, False, None, True, True, False, None],
            "shifted": pl.Series(FLOATS, dtype=pl.Float32),
            "text": ["1.5", None, "2", "3", "?", "1e300", "7"],
            "c": ["a", None, "b", "z", "a", "a", "a"],
        }
    )
    numbers = [Number(name, "boolean" if name == "b" else "number") for name in names]
    numbers = [replace(number, offset=1.0) if number.name == "shifted" else number for number in numbers]
    schema = Schema(SCHEMA.target, tuple(numbers), SCHEMA.categories)
    together = schema.encode(frame)
    monkeypatch.setattr(matrix, "_EXACT", ())
    assert_same_bits(together, encode.rows(schema, frame))
