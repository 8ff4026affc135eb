"""The Adult table that ships."""

from pathlib import Path

import jdl.datasets
from jdl.data import infer_schema


def test_the_official_rows() -> None:
    train, test = jdl.datasets.adult()
    assert (train.shape, test.shape) == ((32_561, 15), (16_281, 15))
    assert [(part["income"] == ">50K").sum() for part in (train, test)] == [7_841, 3_846]
    # The first rows of adult.data and of adult.test.
    assert train.row(0)[:6] == (39, "State-gov", 77516, "Bachelors", 13, "Never-married")
    assert test.row(0)[:6] == (25, "Private", 226802, "11th", 7, "Never-married")
    assert train.drop_nulls().height + test.drop_nulls().height == 45_222
    missing = {name: count for name, count in train.null_count().row(0, named=True).items() if count}
    assert missing == {"workclass": 1_836, "occupation": 1_843, "native-country": 583}


def test_the_schema() -> None:
    train, test = jdl.datasets.adult()
    schema = infer_schema(train, "income")
    assert schema.classes == ("<=50K", ">50K")
    assert (len(schema.numbers), len(schema.categories), schema.dropped) == (6, 8, ())
    assert schema.cardinalities == (9, 17, 8, 15, 7, 6, 3, 42)
    assert (schema.encode(test)["categories"] == 0).sum() == test.null_count().sum_horizontal()[0]


def test_the_file_is_small_and_attributed() -> None:
    folder = Path(jdl.datasets.__file__).parent
    assert (folder / "adult.parquet").stat().st_size < 450_000
    readme = (folder / "README.md").read_text()
    assert "10.24432/C5XW20" in readme
    assert "CC BY 4.0" in readme
