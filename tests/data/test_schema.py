"""The schema: what is inferred, what its arrays hold, and what is said of what does not fit."""

import datetime as dt
import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdl.data import (
    MISSING_DAY,
    WORDS,
    Category,
    DataError,
    Date,
    Dropped,
    Format,
    Number,
    Schema,
    Target,
    Text,
    infer_schema,
)

ROWS = 40
Y = ["no", "yes"] * (ROWS // 2)
SCHEMA = Schema(
    Target("y", "classification", classes=("no", "yes")), (Number("age"),), (Category("work", ("a", "b")),)
)


def infer(y: Any = Y, target: str = "y", task: Any = None, **columns: Any) -> Schema:
    return infer_schema(pl.DataFrame({**columns, "y": y}, strict=False), target, task)


# What is inferred.


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (Y, "classification", ("no", "yes")),
        ([True, False] * 20, "classification", (False, True)),
        ([3, 1] * 20, "classification", (1, 3)),
        ([1.0, 0.0] * 20, "classification", (0.0, 1.0)),
        (list(range(10)) * 4, "classification", tuple(range(10))),
        (list(range(40)), "regression", ()),
        ([0.5, 1.0] * 20, "regression", ()),
        (np.linspace(0, 1, 40), "regression", ()),
    ],
)
def test_the_task(values: Any, task: str, classes: tuple) -> None:
    schema = infer(values, x=[1.0, 2.5] * 20)
    assert (schema.task, schema.classes) == (task, classes)
    assert [type(value) for value in schema.classes] == [type(value) for value in classes]
    assert "values" in schema.target.reason


def test_the_task_may_be_given() -> None:
    x = [1.0, 2.5] * 20
    assert infer([0, 1] * 20, task="regression", x=x).task == "regression"
    assert infer(list(range(20)) * 2, task="classification", x=x).classes == tuple(range(20))
    assert infer([str(i) for i in range(40)], task="regression", x=x).task == "regression"
    with pytest.raises(DataError, match="column 'y', row 1: found 'no', needs a number"):
        infer(task="regression", x=x)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2] * 20, "number"),
        ([0.5, None] * 20, "number"),
        ([True, False] * 20, "boolean"),
        ([dt.time(10), dt.time(11)] * 20, "time"),
        ([dt.timedelta(1), dt.timedelta(2)] * 20, "duration"),
    ],
)
def test_numbers_of_every_kind(values: Any, kind: str) -> None:
    (number,) = infer(x=values).numbers
    assert (number.name, number.kind) == ("x", kind)


def test_categories_have_their_levels_in_order() -> None:
    schema = infer(x=["b", " a", "?", "a "] * 10)
    assert schema.categories == (Category("x", ("a", "b"), missing=10, ignore_case=True),)
    assert schema.cardinalities == (3,)
    assert schema.text_columns == ("x", "y")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([None] * ROWS, "all missing"),
        (["?", "NA"] * 20, "all missing"),
        ([float("nan"), float("inf")] * 20, "all missing: no finite value"),
        ([7] * ROWS, "constant: every row holds 7"),
        (["same"] * ROWS, "constant: every row holds 'same'"),
        ([f"id{i}" for i in range(ROWS)], "identifier: 40 different texts in 40 rows"),
        ([[1, 2]] * ROWS, "unsupported: of type List(Int64)"),
    ],
)
def test_columns_left_out(values: Any, reason: str) -> None:
    schema = infer(bad=values, good=[1.0, 2.5] * 20)
    assert schema.dropped == (Dropped("bad", reason),)
    assert [number.name for number in schema.numbers] == ["good"]


def test_a_shuffled_row_number_is_an_identifier() -> None:
    ids = np.random.default_rng(0).permutation(200) + 1
    schema = infer(["a", "b"] * 100, id=ids, good=ids * 1.5)
    assert schema.dropped == (Dropped("id", "identifier: counts the rows from 1 to 200"),)


def test_a_constant_with_gaps_is_kept() -> None:
    schema = infer(x=[1, None] * 20, c=["a", None] * 20)
    assert [len(schema.numbers), len(schema.categories)] == [1, 1]


def test_notes_say_what_was_left_out() -> None:
    schema = infer(["a", "b", None, "c", "a", "b"], x=[1.0, 2.0, 3.0, float("inf"), 4.0, 5.0])
    assert schema.rows == 5
    assert schema.notes == (
        "1 of 6 rows have no target: left out",
        "class 'c' of 'y' has a single row",
        "column 'x': 1 infinite values are read as missing",
    )


@pytest.mark.parametrize(
    ("y", "columns", "target", "message"),
    [
        (Y, {"x": [1, 2] * 20}, "Y", "target column 'Y' is not in the table; did you mean 'y'?"),
        (Y, {"x": [1, 2] * 20}, "price", "is not in the table; the table has 'x', 'y'"),
        ([None] * 40, {"x": [1, 2] * 20}, "y", "target column 'y' has no value in any of 40 rows"),
        (["?"] * 40, {"x": [1, 2] * 20}, "y", "has no value in any of 40 rows"),
        (["a"] * 40, {"x": [1, 2] * 20}, "y", "holds one value, 'a', in all 40 rows"),
        (["a"], {"x": [1]}, "y", "1 row has a value; a fit needs at least 2"),
        (["a", None], {"x": [1, 2]}, "y", "1 row has a value; a fit needs at least 2"),
        (Y, {}, "y", "no column is left to learn 'y' from (the table has no other)"),
        (Y, {"x": [1] * 40}, "y", "no column is left to learn 'y' from ('x': constant: every row holds 1)"),
        ([f"row {i}" for i in range(40)], {"x": [1, 2] * 20}, "y", "all 40 values differ"),
        ([dt.date(2024, 1, 1)] * 40, {"x": [1, 2] * 20}, "y", "holds Date; needs text, booleans or numbers"),
        ([float("inf"), float("nan")] * 20, {"x": [1, 2] * 20}, "y", "has no value in any of 40 rows"),
    ],
)
def test_targets_that_cannot_be_learned(y: Any, columns: dict, target: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        infer(y, target, **columns)
    assert message in str(caught.value)
    assert str(caught.value).count("\n") <= 1


# What its arrays hold.


def test_encode() -> None:
    frame = pl.DataFrame(
        {"extra": [0] * 5, "work": ["b", None, "new", " a", "?"], "age": [1.0, None, float("inf"), 2.0, 3.0]}
    )
    rows = SCHEMA.encode(frame)
    assert {name: part.dtype for name, part in rows.items()} == {
        "numbers": np.float32,
        "categories": np.int32,
        "dates": np.int32,
        "texts": np.int32,
    }
    assert rows["dates"].shape == (5, 0, 2)
    assert rows["texts"].shape == (5, 0, WORDS)
    np.testing.assert_array_equal(rows["numbers"][:, 0], [1, np.nan, np.nan, 2, 3])
    np.testing.assert_array_equal(rows["categories"][:, 0], [2, 0, 0, 1, 0])


def test_values_of_another_type_are_read_where_they_fit() -> None:
    codes = Schema(SCHEMA.target, (Number("n"), Number("b", "boolean")), (Category("c", ("1", "2")),))
    frame = pl.DataFrame({"n": [" 1", "2.5", "NA"], "b": ["True", "false", None], "c": [1.0, None, 2.0]})
    rows = codes.encode(frame)
    np.testing.assert_array_equal(rows["numbers"], [[1, 1], [2.5, 0], [np.nan, np.nan]])
    np.testing.assert_array_equal(rows["categories"][:, 0], [1, 0, 2])
    empty = codes.encode(pl.DataFrame({"n": [None], "b": [None], "c": [None]}))
    assert np.isnan(empty["numbers"]).all()
    assert not empty["categories"].any()


def test_dates_are_days_and_seconds_and_text_dates_too() -> None:
    days = [dt.date(2024, 1, 1), dt.date(1969, 12, 31)] * 20
    moments = [dt.datetime(2024, 1, 1, 12, 0, 0, 500_000), dt.datetime(1969, 12, 31, 23, 59, 59)] * 20
    frame = pl.DataFrame({"day": days, "moment": moments, "time": [dt.time(1), dt.time(2)] * 20})
    schema = infer_schema(frame)
    assert [(date.name, date.kind) for date in schema.dates] == [("day", "date"), ("moment", "datetime")]
    rows = schema.encode(frame)
    np.testing.assert_array_equal(rows["dates"][0], [[19723, 0], [19723, 12 * 3600]])
    np.testing.assert_array_equal(rows["dates"][1], [[-1, 0], [-1, 86399]])
    np.testing.assert_array_equal(rows["numbers"][:2, 0], [3600, 7200])
    as_text = frame.select(
        pl.col("day").cast(pl.String), pl.col("moment").dt.to_string("%Y-%m-%dT%H:%M:%S%.f"), "time"
    )
    for name, values in schema.encode(as_text).items():
        np.testing.assert_array_equal(values, rows[name])
    gone = schema.encode(pl.DataFrame({"day": [None], "moment": ["NA"], "time": [None]}))
    np.testing.assert_array_equal(gone["dates"][0], [[MISSING_DAY, 0]] * 2)


def test_large_numbers_keep_their_digits() -> None:
    seconds = 1.7e9 + np.arange(ROWS) % 7
    huge = 1e200 * np.linspace(-1, 1, ROWS)
    tiny = 1e-200 * np.linspace(-1, 1, ROWS)
    schema = infer(seconds=seconds, huge=huge, tiny=tiny, plain=np.linspace(0, 100, ROWS))
    frame = pl.DataFrame({"seconds": seconds, "huge": huge, "tiny": tiny, "plain": np.linspace(0, 100, ROWS)})
    numbers = schema.encode(frame)["numbers"].astype(np.float64)
    parts = {number.name: number for number in schema.numbers}
    assert (parts["plain"].offset, parts["plain"].scale) == (0.0, 1.0)
    for i, number in enumerate(schema.numbers):
        exact = frame[number.name].to_numpy()
        np.testing.assert_allclose(
            numbers[:, i] * number.scale + number.offset, exact, rtol=0, atol=1e-6 * np.ptp(exact)
        )
        assert 1e-9 < numbers[:, i].std() < 1e9
    beyond = pl.DataFrame({"seconds": [1e300], "huge": [-1.7e308], "tiny": [1e300], "plain": [1e300]})
    assert np.isfinite(schema.encode(beyond)["numbers"]).all()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"age": [1]}, "column 'work' is not in the table; the table has 'age'"),
        ({"Age": [1], "work": ["a"]}, "column 'age' is not in the table; did you mean 'Age'?"),
        ({"age": ["1", "abc"], "work": ["a", "a"]}, "column 'age', row 2: found 'abc', needs a number"),
        ({"age": [dt.date(2024, 1, 1)], "work": ["a"]}, "column 'age': holds Date; needs a number"),
        ({"age": [[1]], "work": ["a"]}, "column 'age': holds List(Int64); needs a number"),
        ({"age": [1], "work": [["a"]]}, "column 'work': holds List(String); needs text"),
    ],
)
def test_rows_that_do_not_fit(columns: dict, message: str) -> None:
    with pytest.raises(DataError) as caught:
        SCHEMA.encode(pl.DataFrame(columns))
    assert message in str(caught.value)


def test_every_kind_needs_its_own_values() -> None:
    schema = Schema(
        SCHEMA.target,
        (
            Number("yes", "boolean", true=("yes", "y"), false=("no", "n")),
            Number("paid", format=Format(",", ".", ("kg",)), nulls=("tbd",)),
            Number("time", "time"),
            Number("span", "duration"),
        ),
        (),
        (Date("day"), Date("at", "datetime"), Date("eu", format="%d.%m.%Y")),
        (Text("said"),),
    )
    good = {
        "yes": "Y", "paid": "1.234,5 KG", "time": "10:00", "span": "36:00:00", "day": "2024-01-01",
        "at": "2024-01-01 10:00", "eu": "2.1.2024", "said": "all good",
    }  # fmt: skip
    rows = schema.encode(pl.DataFrame([good, good | {"paid": "tbd"}]))
    np.testing.assert_array_equal(rows["numbers"][0], [1, 1234.5, 36000, 129600])
    assert np.isnan(rows["numbers"][1, 1])
    np.testing.assert_array_equal(rows["dates"][0], [[19723, 0], [19723, 36000], [19724, 0]])
    assert schema.text_columns == ("said", "yes", "paid", "eu", "y")
    for name, value, message in [
        ("yes", "si", "column 'yes', row 2: found 'si', needs yes or no"),
        ("yes", "", None),
        ("paid", "1,234.5", "column 'paid', row 2: found '1,234.5', needs a number such as 1.234,5"),
        ("paid", "12 lb", "column 'paid', row 2: found '12 lb'"),
        ("time", "25:00", "column 'time', row 2: found '25:00', needs a time of day such as 23:59:59"),
        ("span", "long", "column 'span', row 2: found 'long', needs a duration such as 36:15:00"),
        ("day", "soon", "column 'day', row 2: found 'soon', needs a date such as 2024-12-31"),
        ("day", "2024-02-30", "column 'day', row 2: found '2024-02-30', needs a date such as 2024-12-31"),
        ("day", "31.12.2024", "column 'day', row 2: found '31.12.2024'"),
        ("at", "10:00", "column 'at', row 2: found '10:00', needs a date and time"),
        ("eu", "2024-01-31", "column 'eu', row 2: found '2024-01-31', needs a date written as %d.%m.%Y"),
    ]:
        frame = pl.DataFrame([good, good | {name: value}])
        if message is None:
            schema.encode(frame)
            continue
        with pytest.raises(DataError) as caught:
            schema.encode(frame)
        assert message in str(caught.value)
    numbers = pl.DataFrame([good]).with_columns(day=pl.lit(3))
    with pytest.raises(DataError, match="column 'day': holds Int32; needs a date"):
        schema.encode(numbers)
    with pytest.raises(DataError, match="column 'yes', row 1: found 2, needs yes or no"):
        schema.encode(pl.DataFrame([good]).with_columns(yes=pl.lit(2)))


@pytest.mark.parametrize("y", [Y, [True, False] * 20, [3, 1] * 20, [1.0, 0.0] * 20, ["1", "2"] * 20])
def test_classes_come_back_as_they_stood(y: list) -> None:
    schema = infer(y, x=[1.0, 2.5] * 20)
    frame = pl.DataFrame({"y": y})
    codes = schema.encode_target(frame)
    assert codes.dtype == np.int32
    back = schema.decode(np.eye(2)[codes])
    assert back["prediction"].to_list() == y
    assert back["prediction"].dtype == frame["y"].dtype
    names = [str(value).lower() if isinstance(value, bool) else str(value) for value in schema.classes]
    assert back.columns == ["prediction", *(f"probability_{name}" for name in names)]


def test_a_regression_target_is_standardised_and_comes_back() -> None:
    y = 1.7e9 + np.linspace(0, 10, ROWS)
    schema = infer(y, x=[1.0, 2.5] * 20)
    coded = schema.encode_target(pl.DataFrame({"y": y}))
    assert coded.dtype == np.float32
    assert coded.mean() == pytest.approx(0, abs=1e-6)
    assert coded.std() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(schema.decode(coded)["prediction"].to_numpy() - y, 0, atol=1e-5)


def test_targets_that_do_not_fit() -> None:
    with pytest.raises(DataError, match=r"row 2: found 'maybe', which is not one of the classes 'no', 'yes'"):
        SCHEMA.encode_target(pl.DataFrame({"y": ["no", "maybe"]}))
    frame = pl.DataFrame({"y": ["no", None, "?"]})
    with pytest.raises(DataError, match=r"2 of 3 rows have no usable value, the first is row 2"):
        SCHEMA.encode_target(frame)
    assert SCHEMA.labelled(frame).height == 1
    with pytest.raises(DataError, match="target column 'y' is not in the table"):
        SCHEMA.encode_target(pl.DataFrame({"x": [1]}))
    with pytest.raises(DataError, match=r"have shape \(3,\), need \(rows, 2\)"):
        SCHEMA.decode(np.zeros(3))


# Several targets, or none.


def test_several_numbers_are_a_regression() -> None:
    a, b = np.linspace(0, 1, ROWS), 1e6 + np.arange(ROWS) % 7
    frame = pl.DataFrame({"a": a, "b": b, "x": [1.0, 2.5] * 20})
    schema = infer_schema(frame, ("a", "b"))
    assert (schema.task, schema.target.name, [t.name for t in schema.targets]) == (
        "regression",
        "a",
        ["a", "b"],
    )
    coded = schema.encode_target(frame)
    assert coded.shape == (ROWS, 2)
    assert coded.dtype == np.float32
    back = schema.decode(coded)
    assert back.columns == ["prediction_a", "prediction_b"]
    np.testing.assert_allclose(back["prediction_b"].to_numpy(), b, atol=1e-2)
    with pytest.raises(DataError, match=r"have shape \(3,\), need \(rows, 2\)"):
        schema.decode(np.zeros(3))


def test_several_two_class_targets_are_labels() -> None:
    frame = pl.DataFrame({"a": Y, "b": [1, 0, 1, None] * 10, "x": [1.0, 2.5] * 20})
    schema = infer_schema(frame, ["a", "b"])
    assert schema.task == "multilabel"
    assert schema.rows == 30
    coded = schema.encode_target(schema.labelled(frame))
    assert coded.dtype == np.int32
    np.testing.assert_array_equal(coded[:3], [[0, 1], [1, 0], [0, 1]])
    back = schema.decode(np.array([[0.9, 0.2]]))
    assert back.row(0, named=True) == {
        "prediction_a": "yes", "probability_a": 0.9, "prediction_b": 0, "probability_b": 0.2,
    }  # fmt: skip


def test_targets_that_do_not_go_together() -> None:
    frame = pl.DataFrame({"a": Y, "b": ["u", "v", "w", "w"] * 10, "x": [1.0, 2.5] * 20})
    with pytest.raises(DataError, match="'a': 2 classes, 'b': 3 classes; several need to be all numbers, or"):
        infer_schema(frame, ("a", "b"))
    with pytest.raises(DataError, match="labels need at least two targets"):
        infer_schema(frame, "a", "multilabel")


def test_a_schema_may_only_describe() -> None:
    schema = infer_schema(pl.DataFrame({"x": [1.0, 2.5], "c": ["a", "a"]}))
    assert schema.targets == ()
    assert schema.describe().rows() == [
        ("x", "number", "1 to 2.5", 0, "fractional numbers from 1 to 2.5"),
        ("c", "dropped", "", 0, "constant: every row holds 'a'"),
    ]
    for part in (lambda: schema.target, lambda: schema.task, lambda: schema.encode_target(pl.DataFrame())):
        with pytest.raises(DataError, match="the schema has no target; infer it with a target"):
            part()


def test_targets_of_text() -> None:
    x = np.arange(40) % 7 + 0.5
    prices = [f"${1000 + 7 * i:,}" for i in range(39)] + ["unknown"]
    schema = infer(prices, x=x)
    assert (schema.task, schema.rows, schema.target.format) == ("regression", 39, Format(".", ",", ("$",)))
    frame = pl.DataFrame({"y": prices})
    values = schema.decode(schema.encode_target(schema.labelled(frame)))["prediction"].to_numpy()
    np.testing.assert_allclose(values, 1000 + 7 * np.arange(39), rtol=1e-5)
    spelled = infer(["Yes", "yes ", "NO", "yes"] * 10, x=x)
    assert spelled.classes == ("NO", "yes")
    assert spelled.encode_target(pl.DataFrame({"y": ["no", "YES"]})).tolist() == [0, 1]
    assert infer(["01", "02"] * 20, x=x).classes == ("01", "02")


def test_copies_are_left_out() -> None:
    a = [1.5, 2.0, None, 3.0] * 10
    schema = infer(
        a=a, b=a, c=["u", "v", "w", "x"] * 10, d=[" u", "v", "w ", "x"] * 10, leak=Y,
        e=[1.5, 2.0, 2.0, 3.0] * 10,
    )  # fmt: skip
    assert {part.name: part.reason for part in schema.dropped} == {
        "b": "duplicate of 'a'", "d": "duplicate of 'c'", "leak": "duplicate of 'y'",
    }  # fmt: skip
    assert "column 'leak' equals the target 'y': left out" in schema.notes


# As JSON.

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
