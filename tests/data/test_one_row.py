"""One row read alone: bit for bit what the table's own reader makes of a table of this row."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jdl.data import Category, DataError, Date, Format, Number, Schema, Target, Text, read_table
from jdl.data.one_row import LONGEST, reader
from jdl.data.targets import decoded_rows

PARTS = {
    "number": Number("c"),
    "far number": Number("c", offset=1.7e9, scale=0.25, nulls=("0", "999")),
    "tiny number": Number("c", scale=1e-300),
    "written number": Number("c", format=Format(",", ".", ("€",))),
    "signed number": Number("c", format=Format(units=("n", "s"), negative=("s",))),
    "marked number": Number("c", format=Format(marked=True)),
    "boolean": Number("c", "boolean", true=("yes", "y"), false=("no", "n")),
    "plain boolean": Number("c", "boolean"),
    "time": Number("c", "time"),
    "duration": Number("c", "duration"),
    "category": Category("c", ("17", "17.0", "1.5", "a b", "NA", "true", " x", "é", "A")),
    "category of any case": Category("c", ("17", "a b", "É", "New York", "ſ"), ignore_case=True),
    "category without levels": Category("c", ()),
    "date": Date("c"),
    "moment": Date("c", "datetime"),
    "date with nulls": Date("c", nulls=("2024-01-01",)),
    "written date": Date("c", format="%d.%m.%Y", iso=True),
    "whole date": Date("c", format="%Y%m%d"),
    "seconds": Date("c", "datetime", format="%s"),
    "text": Text("c"),
}
KINDS = (Number, Category, Date, Text)
READ = {
    name: Schema((), *((part,) if isinstance(part, kind) else () for kind in KINDS))
    for name, part in PARTS.items()
}
READERS = {name: reader(schema) for name, schema in READ.items()}

SPELLINGS = """
    0 1 -0.0 +7 007 1. .5 1e5 1_000 inf nan NaN NA N/A ? - 999 12.50 1.234,5 (432) 5- 5s 5n <0.01
    4.5* 12% ٣ ½ ſ é É É A a NEW_YORK yes No TRUE f 17 17.0 17.00 1.5 true 2024-01-01 2024-02-30
    0999-01-01 2024-01-01T10:00:00 2024-01-01T24:00:00 2024-01-01T10:00:60
    2024-01-01T10:00:00.1234567 1969-12-31T23:59:59.9 2024-01-01T10:00:00+02:00 2024-01-01T10:00
    31.12.2024 20241231 1700000000 10:30 25:00 36:15:00 2:30pm PT5M 1h30m
"""
SPELLED = st.sampled_from(SPELLINGS.split())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-3, 20),
    st.floats(),
    st.floats(width=16).map(float),
    SPELLED,
    st.builds(lambda text, blank: blank + text + blank, SPELLED, st.sampled_from(" \t\n\x1c\x0b")),
    st.text(max_size=12),
    st.text("abcXYZ 019.-\t", max_size=400),
    st.decimals(-1000, 1000, places=3).map(str),
    st.dates().map(str),
    st.datetimes().map(str),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(dt.timedelta(-999), dt.timedelta(999)),
    st.floats(width=32).map(np.float32),
    st.integers(-5, 5).map(np.int64),
)


def outcome(read: Any, row: Any) -> Any:
    """The bits of the arrays, or what was said."""
    try:
        return {name: (values.dtype, values.shape, values.tobytes()) for name, values in read(row).items()}
    except DataError as error:
        return str(error), error.column, error.row


@pytest.mark.parametrize("name", PARTS)
@example("")
@example(" ")
@example(-0.0)
@example(2**63)
@example(-(2**63) - 1)
@example("x" * (LONGEST + 1))
@example([1])
@given(SCALARS)
def test_a_row_is_read_as_a_table_of_it(name: str, value: Any) -> None:
    def by_table(row: Any) -> Any:
        return READ[name].encode(read_table({key: [cell] for key, cell in row.items()}))

    needed = outcome(by_table, {"c": value})
    for _ in range(2):  # read, then remembered
        assert outcome(READERS[name], {"c": value}) == needed


def test_all_kinds_side_by_side() -> None:
    schema = Schema(
        (),
        (Number("n"), Number("b", "boolean")),
        (Category("c", ("a",)),),
        (Date("d"), Date("e")),
        (Text("t"),),
    )
    row = {"t": "big dog", "e": "2024-01-02", "d": None, "c": "a", "b": True, "n": 1.5, "more": {}}
    needed = schema.encode(read_table({name: [value] for name, value in row.items() if name != "more"}))
    found = reader(schema)(row)
    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in needed.items()
    }
    del row["e"]
    with pytest.raises(DataError, match="column 'e' is not in the table") as caught:
        reader(schema)(row)
    assert (caught.value.column, caught.value.row) == ("e", None)


def test_the_place_of_a_bad_value_stands_apart() -> None:
    with pytest.raises(DataError, match="column 'c', row 2: found 'x'") as caught:
        READ["number"].encode(pl.DataFrame({"c": ["1", "x"]}))
    assert (caught.value.column, caught.value.row) == ("c", 2)


TARGETS = {
    "classes": (Target("y", "classification", classes=(1, 3, 7)), (4, 3)),
    "truth": (Target("y", "classification", classes=(False, True)), (4, 2)),
    "number": (Target("y", "regression", offset=1e6, scale=0.3), (4,)),
    "numbers": ((Target("y", "regression", scale=3.0), Target("z", "regression", offset=0.1)), (4, 2)),
    "labels": (
        (Target("y", "classification", classes=("n", "y")), Target("z", "classification", classes=(0, 1))),
        (4, 2),
    ),
}


@pytest.mark.parametrize("name", TARGETS)
def test_decoded_rows_are_those_of_the_table(name: str) -> None:
    targets, shape = TARGETS[name]
    schema = Schema(targets, (Number("c"),))
    outputs = np.random.default_rng(0).random(shape, np.float32)
    outputs[0] = 0.5
    found, needed = decoded_rows(schema, outputs), schema.decode(outputs).to_dicts()
    assert found == needed
    assert [type(value) for row in found for value in row.values()] == [
        type(value) for row in needed for value in row.values()
    ]
