"""A model as a value: rows and tables give the same predictions, in the table's own terms."""

import pickle
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest

from jdl.data import DataError
from jdl.io import Model
from jdl.train.predict import SIZES


def test_one_row_is_jitted_and_equals_its_place_in_the_table(classifier: Model, frame: pl.DataFrame) -> None:
    rows = classifier.schema.encode(frame)
    whole = classifier.predict_rows(rows)
    one = jax.jit(classifier.predict)({name: values[3] for name, values in rows.items()})
    assert one.shape == (2,)
    np.testing.assert_allclose(one, whole[3], rtol=1e-5)
    np.testing.assert_allclose(whole.sum(1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", ["classifier", "regressor"])
def test_one_raw_row_is_predicted_as_a_table_of_it(
    name: str, frame: pl.DataFrame, request: pytest.FixtureRequest
) -> None:
    model: Model = request.getfixturevalue(name)
    for row in (frame.row(0, named=True), frame.row(1, named=True)):
        assert model.predict_one(row) == model.predict_table(pl.DataFrame([row])).row(0, named=True)
    copied = pickle.loads(pickle.dumps(model))  # without the programs that were made meanwhile
    assert copied.predict_one(row) == model.predict_one(row)


def test_predictions_of_classes(classifier: Model, frame: pl.DataFrame) -> None:
    found = classifier.predict_table(frame)
    assert found.columns == ["prediction", "probability_false", "probability_true"]
    assert found.dtypes == [pl.Boolean, pl.Float32, pl.Float32]
    np.testing.assert_array_equal(found["prediction"], found["probability_true"] > found["probability_false"])


def test_predictions_of_numbers_are_in_the_target_s_units(regressor: Model, frame: pl.DataFrame) -> None:
    found = regressor.predict_table(frame)
    assert found.columns == ["prediction"] and found.dtypes == [pl.Float64]
    row = {name: values[0] for name, values in regressor.schema.encode(frame).items()}
    target = regressor.schema.target
    want = float(regressor.predict(row)) * target.scale + target.offset
    assert found["prediction"][0] == pytest.approx(want, rel=1e-9)
    assert abs(found["prediction"].mean() - 1e6) < 100


def test_a_table_longer_than_a_chunk(regressor: Model, frame: pl.DataFrame) -> None:
    long = pl.concat([frame] * (2 * SIZES[-1] // frame.height + 1))
    assert long.height % SIZES[-1]
    found = regressor.predict_table(long)["prediction"].to_numpy()
    short = regressor.predict_table(frame)["prediction"].to_numpy()
    assert len(found) == long.height
    np.testing.assert_allclose(found, np.resize(short, long.height), rtol=1e-9)


def test_missing_and_unseen_values_are_predicted(classifier: Model) -> None:
    rows = {"age": [None, float("inf"), 30.0, 30.0], "work": ["a", "a", "new", None], "pay": [1e6] * 4}
    found = classifier.predict_table(rows)["probability_true"].to_numpy()
    assert found[0] == found[1] and found[2] == found[3] and found[0] != found[2]


def test_extra_columns_and_their_order_do_not_matter(classifier: Model, frame: pl.DataFrame) -> None:
    other = frame.select("pay", pl.lit("x").alias("new"), "work", "age")
    assert classifier.predict_table(other).equals(classifier.predict_table(frame))


def test_tables_that_do_not_fit(classifier: Model, frame: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="column 'age' is not in the table"):
        classifier.predict_table(frame.drop("age"))
    with pytest.raises(DataError, match="column 'age', row 2: found 'x', needs a number"):
        classifier.predict_table({"age": ["1", "x"], "work": ["a", "a"], "pay": [1.0, 1.0]})
    with pytest.raises(DataError, match="no rows"):
        classifier.predict_table(frame[:0])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_in_parts_is_predicted_as_the_whole(
    ending: str, classifier: Model, frame: pl.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / f"table.{ending}"
    getattr(frame, f"write_{ending}")(path)
    parts = list(classifier.predict_parts(path, rows=17))
    assert [part.height for part in parts] == [17, 17, 6]
    whole, found = classifier.predict_table(frame), pl.concat(parts)
    assert found["prediction"].equals(whole["prediction"])
    np.testing.assert_allclose(found["probability_true"], whole["probability_true"], rtol=1e-6)
    wrong = frame.with_columns(pl.col("age").cast(pl.String))
    wrong[30, "age"] = "old"
    wrong.write_csv(tmp_path / "wrong.csv")
    with pytest.raises(DataError, match="column 'age', row 31: found 'old'"):
        list(classifier.predict_parts(tmp_path / "wrong.csv", rows=17))
