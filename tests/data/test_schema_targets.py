"""Targets: classes, quantities, labels and several of them, and what cannot be learned."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import strategies as st

from jdl.data import (
    DataError,
    Format,
    infer_schema,
)
from tests.data.inferred import ROWS, SCHEMA, Y, infer


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


names = st.text(min_size=1, max_size=5)
