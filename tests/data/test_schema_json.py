"""A schema as JSON: written, read, edited by hand, and refused."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdl.data import (
    Category,
    DataError,
    Date,
    Dropped,
    Format,
    Number,
    Schema,
    Target,
    Text,
)
from tests.data.inferred import SCHEMA

names = st.text(min_size=1, max_size=5)


floats = st.floats(allow_nan=False, allow_infinity=False)


scales = st.floats(min_value=1e-300, allow_infinity=False)


formats = st.builds(Format, st.just(","), st.sampled_from(["", ".", " ", "'"]), st.tuples(names))


numbers = st.builds(
    Number, names, st.sampled_from(["number", "boolean", "time"]), floats, scales, st.integers(0, 99),
    formats, st.tuples(names), low=floats, evidence=names,
)  # fmt: skip


dates = st.builds(
    Date, names, st.sampled_from(["date", "datetime"]), names, st.integers(0, 9), st.tuples(names)
)


levels = st.lists(names, unique=True, max_size=4).map(tuple)


categories = st.builds(Category, names, levels, st.integers(0, 9))


kinds = (names, st.integers(), floats, st.booleans())


classes = st.one_of(st.lists(kind, min_size=2, max_size=4, unique=True) for kind in kinds)


targets = st.builds(
    Target, names, st.just("classification"), names, classes.map(tuple), floats, scales
) | st.builds(Target, names, st.just("regression"), names, st.just(()), floats, scales)


@given(
    targets,
    st.lists(numbers, max_size=3),
    st.lists(categories, max_size=3),
    st.lists(st.one_of(dates, st.builds(Text, names)), max_size=2),
    st.lists(st.builds(Dropped, names, names), max_size=2),
)
def test_json_round_trip(target: Target, ns: list, cs: list, others: list, ds: list) -> None:
    columns = [part.name for part in (target, *ns, *cs, *others, *ds)]
    days = tuple(part for part in others if isinstance(part, Date))
    texts = tuple(part for part in others if isinstance(part, Text))
    parts = (target,), tuple(ns), tuple(cs), days, texts, tuple(ds)
    if len(set(columns)) < len(columns):
        with pytest.raises(DataError, match="occurs"):
            Schema(*parts)
        return
    schema = Schema(*parts, 7, ("a note",))
    back = Schema.from_json(schema.to_json())
    assert back == schema
    assert repr(back) == repr(schema)  # evidence and ranges, too, which equality leaves out
    assert [type(value) for value in back.classes] == [type(value) for value in schema.classes]
    assert hash(back) == hash(schema)


def edited(**changes: Any) -> str:
    return json.dumps(json.loads(SCHEMA.to_json()) | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "schema: not JSON (line 1"),
        ("[]", "schema: found list, needs"),
        (edited(version=1), "schema: found {'format': 'jdl schema', 'version': 1}"),
        (edited(colour=1), "schema: found an unknown field 'colour'"),
        (edited(targets=[{"name": "y"}]), "schema.targets[0]: field 'task' is missing"),
        (edited(targets=[3]), "schema.targets[0]: found 3, needs an object of named fields"),
        (edited(targets=[{"name": "y", "task": "guess"}]), "needs 'classification' or 'regression'"),
        (edited(numbers=[{"name": "a", "offset": "x"}]), "numbers[0].offset: found 'x', needs a number"),
        (edited(numbers=[{"name": "a", "scale": 0}]), "column 'a': offset 0.0 and scale 0.0"),
        (edited(categories=[{"name": "a", "levels": [1]}]), "categories[0].levels[0]: found 1, needs text"),
        (edited(categories=[{"name": "a", "levels": ["b", "b"]}]), "level 'b' occurs 2 times"),
        (edited(categories="a"), "schema.categories: found 'a', needs a list of an object"),
        (edited(numbers=[{"name": "y"}]), "schema: column 'y' occurs 2 times"),
        (
            edited(dates=[{"name": "a", "kind": "month"}]),
            "dates[0].kind: found 'month', needs 'date' or 'date",
        ),
        (edited(numbers=[{"name": "a", "format": {"decimal": ";"}}]), "numbers[0].format.decimal: found ';'"),
        (
            edited(numbers=[{"name": "a", "format": {"decimal": ",", "thousands": ","}}]),
            "column 'a': decimal and thousands are both ','",
        ),
        (
            edited(numbers=[{"name": "a", "true": ["y"]}]),
            "column 'a': true ('y',) and false (); needs texts for",
        ),
        (
            edited(categories=[{"name": "a", "levels": ["b", "B"], "ignore_case": True}]),
            "level (its case ignored) 'b' occurs 2 times",
        ),
        (edited(rows=True), "schema.rows: found True, needs a whole number"),
        (
            edited(targets=[{"name": "y", "task": "classification", "classes": ["a"]}]),
            "a classification needs at least 2",
        ),
        (
            edited(targets=[{"name": "y", "task": "classification", "classes": ["a", 1]}]),
            "schema: target.classes: found int, str; needs values of one type",
        ),
    ],
)
def test_json_that_is_not_a_schema(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        Schema.from_json(text)
    assert message in str(caught.value)


def test_a_schema_is_edited_by_hand() -> None:
    data = json.loads(SCHEMA.to_json())
    assert data["numbers"] == [{"name": "age"}]  # what is as by default is left out
    data["numbers"] = [{"name": "age", "scale": 10, "low": 1, "format": {"decimal": ","}}]
    data["categories"] = [{"name": "work", "levels": ["b"], "ignore_case": True}]
    data["dates"] = [{"name": "day", "format": "%d.%m.%Y"}]
    schema = Schema.from_json(json.dumps(data))
    rows = schema.encode(pl.DataFrame({"age": ["20,5"], "work": ["B"], "day": ["1.2.1970"]}))
    assert rows["numbers"].item() == np.float32(2.05)
    assert rows["categories"].item() == 1
    assert rows["dates"].tolist() == [[[31, 0]]]
