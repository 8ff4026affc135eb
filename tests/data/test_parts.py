"""A table in parts is the table: the same rows, the same errors by the same numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather as pa_feather
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars import CompatLevel
from polars.testing import assert_frame_equal

from jdl.data import DataError, read_parts, read_table
from jdl.data.parts import counted_from


@pytest.fixture
def frame() -> pl.DataFrame:
    n = 23
    return pl.DataFrame(
        {
            "x": [None if i % 7 == 0 else i / 4 for i in range(n)],
            "code": [f"0{i}" for i in range(n)],
            "day": [f"2024-01-{1 + i:02d}" for i in range(n)],
            "text": ["?" if i == 20 else f" some, words {i} " for i in range(n)],
        }
    )


def written(frame: pl.DataFrame, path: Path) -> Path:
    match path.suffix:
        case ".parquet":
            frame.write_parquet(path, row_group_size=10)
        case ".csv":
            frame.write_csv(path)
        case ".tsv":
            frame.write_csv(path, separator="\t")
        case ".jsonl":
            frame.write_ndjson(path)
        case ".arrow":
            frame.write_ipc(path, record_batch_size=10)
        case ".ipc":
            frame.write_ipc_stream(path, compat_level=CompatLevel.oldest())
        case ".feather":
            pa_feather.write_feather(frame.to_arrow(), path, chunksize=5)
    return path


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".tsv", ".jsonl", ".arrow", ".ipc", ".feather"])
@pytest.mark.parametrize("rows", [4, 1000])
def test_parts_make_the_whole(frame: pl.DataFrame, tmp_path: Path, ending: str, rows: int) -> None:
    path = written(frame, tmp_path / f"table{ending}")
    parts = list(read_parts(path, rows=rows))
    assert [first for first, _ in parts] == list(np.cumsum([0, *(part.height for _, part in parts[:-1])]))
    assert max(part.height for _, part in parts) <= rows
    assert_frame_equal(pl.concat([part for _, part in parts]), read_table(path))


def test_folders_and_patterns_are_read_in_order(frame: pl.DataFrame, tmp_path: Path) -> None:
    for i in range(3):
        written(frame[i * 8 : i * 8 + 8], tmp_path / f"{i}.parquet")
    for source in (tmp_path, tmp_path / "*.parquet", str(tmp_path / "[012].parquet")):
        parts = list(read_parts(source, columns=("day", "x"), rows=5))
        expected = read_table(source).select("day", "x")
        assert_frame_equal(pl.concat([part for _, part in parts]), expected)
        assert [first for first, _ in parts] == [0, 5, 8, 13, 16, 21]


def test_text_files_of_a_folder_are_one_table(frame: pl.DataFrame, tmp_path: Path) -> None:
    written(frame[:9].with_columns(place=pl.lit(7)), tmp_path / "0.csv")
    written(
        frame[9:].with_columns(place=pl.lit("7b")).select(reversed([*frame.columns, "place"])),
        tmp_path / "1.tsv",
    )
    parts = list(read_parts(tmp_path, rows=4))
    assert [first for first, _ in parts] == [0, 4, 8, 9, 13, 17, 21]
    whole = read_table(tmp_path)
    assert whole["place"].to_list() == ["7"] * 9 + ["7b"] * 14
    assert_frame_equal(pl.concat([part.select(whole.columns) for _, part in parts]), whole)
    written(frame.drop("day"), tmp_path / "2.csv")
    with pytest.raises(DataError, match="2.csv: lacks the column 'day'"):
        list(read_parts(tmp_path))


def test_files_of_several_kinds_are_one_table(frame: pl.DataFrame, tmp_path: Path) -> None:
    for i, ending in enumerate([".jsonl", ".arrow", ".parquet", ".jsonl"]):
        written(frame[i * 6 : i * 6 + 6], tmp_path / f"{i}{ending}")
    parts = list(read_parts(tmp_path, rows=4))
    assert [first for first, _ in parts] == [0, 4, 6, 10, 12, 16, 18, 22]
    assert_frame_equal(pl.concat([part for _, part in parts]), read_table(tmp_path))
    for read in (read_parts, read_table):
        with pytest.raises(DataError, match=r"1\.arrow: column 'x' holds Float64, in .*0\.jsonl String"):
            list(read(tmp_path, ["x"]))


ODD = {
    "c.arrow": lambda path: pl.DataFrame({"c": pl.Series(["a ", None], dtype=pl.Categorical)}).write_ipc(
        path
    ),
    "e.ipc": lambda path: pl.DataFrame({"c": pl.Series(["a"], dtype=pl.Enum(["a"]))}).write_ipc_stream(path),
    "date.arrow": lambda path: pa_feather.write_feather(pa.table({"d": pa.array([0], pa.date64())}), path),
    "wide.jsonl": lambda path: path.write_text('{"a":9999999999999999999}\n\n{"a":1}\n'),
    "mixed.jsonl": lambda path: path.write_text('{"a":1,"":2}\n{"a":" u "}\n{"a":true}'),
    "no fields.jsonl": lambda path: path.write_text('{"a":{}}'),
    "x[1].jsonl": lambda path: path.write_text('{"a":1}'),
    "p[2].parquet": lambda path: pl.DataFrame({"": [1.0, float("nan")]}).write_parquet(path),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_as_in_the_whole_table(tmp_path: Path, name: str) -> None:
    ODD[name](tmp_path / name)
    expected = read_table(tmp_path / name)
    assert_frame_equal(pl.concat([part for _, part in read_parts(tmp_path / name, rows=1)]), expected)


def test_categories_and_text_are_one_column(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": pl.Series(["a"], dtype=pl.Categorical)})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "b.csv")
    frame.write_ipc(tmp_path / "c.arrow")
    assert [part["x"].to_list() for _, part in read_parts(tmp_path)] == [["a"]] * 3


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("twice.arrow", lambda path: pa_feather.write_feather(pa.table([[1], [2]], names=["a", "a"]), path)),
        ("none.arrow", lambda path: pl.DataFrame({"a": [1]}).clear().write_ipc(path)),
        ("bare.jsonl", lambda path: path.write_text("{}")),
        ("empty.jsonl", lambda path: path.write_text("")),
        ("empty.parquet", lambda path: path.write_bytes(b"")),
        ("table.xyz", lambda path: path.write_text("a")),
    ],
)
def test_errors_are_those_of_the_whole_table(tmp_path: Path, name: str, write: Any) -> None:
    write(tmp_path / name)
    with pytest.raises(DataError) as whole:
        read_table(tmp_path / name)
    with pytest.raises(DataError) as parts:
        list(read_parts(tmp_path / name))
    assert str(parts.value).split(":")[0] == str(whole.value).split(":")[0] == str(tmp_path / name)
    assert name == "empty.parquet" or str(parts.value) == str(whole.value)  # the footer is asked for there


@given(st.integers(0, 50), st.integers(1, 50))
def test_errors_count_rows_of_the_whole(first: int, row: int) -> None:
    with pytest.raises(DataError) as caught, counted_from(first):
        raise DataError(f"column 'row 1', row {row}: found 'x'", column="row 1", row=row)
    assert caught.value.row == first + row
    assert f", row {first + row}: found 'x'" in str(caught.value)


def test_what_is_not_there_is_named(frame: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere.csv: no such file"):
        list(read_parts(tmp_path / "nowhere.csv"))
    for name in ("cut.arrow", "cut.jsonl"):
        path = written(frame, tmp_path / name)
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"cut\.arrow: not a whole Arrow file"):
        list(read_parts(tmp_path / "cut.arrow"))
    with pytest.raises(DataError, match=r"cut\.jsonl: line 23 is not JSON"):
        list(read_parts(tmp_path / "cut.jsonl"))
    path = written(frame, tmp_path / "table.parquet")
    with pytest.raises(DataError, match="column 'y' is not in the table"):
        list(read_parts(path, columns=("x", "y")))
    (tmp_path / "table.parquet").write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        list(read_parts(path))
