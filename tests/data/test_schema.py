"""The schema: what is inferred, what its arrays hold, and what is said of what does not fit."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest

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
    Text,
    infer_schema,
)
from tests.data.inferred import ROWS, SCHEMA, Y, infer

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
