"""Reading tables: what comes in, and what is said of what cannot."""

from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from jdl.data import DataError, read_table

FRAME = pl.DataFrame({"age": [39, None, 50], "work": ["Private", None, "Self, own"], "pay": [1.5, 2.0, None]})


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_same_table_from_every_source(tmp_path: Path) -> None:
    FRAME.write_csv(tmp_path / "t.csv")
    FRAME.write_csv(tmp_path / "semicolons.csv", separator=";")
    FRAME.write_csv(tmp_path / "t.tsv", separator="\t")
    FRAME.write_parquet(tmp_path / "t.parquet")
    files = [tmp_path / name for name in ("t.csv", "semicolons.csv", "t.tsv", "t.parquet")]
    frames = [FRAME, FRAME.lazy(), FRAME.to_pandas(), FRAME.to_arrow(), FRAME.to_dict(as_series=False)]
    for source in [*files, *map(str, files), *frames]:
        table = read_table(source)
        assert table["age"].cast(pl.Int64).to_list() == [39, None, 50]
        assert table.drop("age").equals(FRAME.drop("age"))


def test_null_spellings_and_blanks(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv", 'a,b,c\n 1 , x ,?\n?,NA,2.5\n N/A,null,"nan"\nNone,"?",NULL\n, n/a ,None\n7,y,4\n'
    )
    table = read_table(path)
    assert table["a"].to_list() == [1, None, None, None, None, 7]
    assert table["a"].dtype == pl.Int64
    assert table["b"].to_list() == ["x", None, None, None, None, "y"]
    assert table["c"].to_list() == [None, 2.5, None, None, None, 4.0]
    frame = read_table({"x": [1.0, float("nan")], "s": ["?", " Nan "]})
    assert frame.null_count().row(0) == (1, 2)


def test_types_are_inferred_from_all_rows(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i}\n" for i in range(50_000))
    table = read_table(write(tmp_path / "t.csv", f"i,f\n{rows}1,0.5\n"))
    assert table.dtypes == [pl.Int64, pl.Float64]
    assert table["f"][-1] == 0.5


def test_columns_kept_as_text(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "zip,n\n01234,1\n?,2\n")
    assert read_table(path)["zip"].to_list() == [1234, None]
    assert read_table(path, text=("zip", "absent"))["zip"].to_list() == ["01234", None]


def test_quoted_separators_newlines_and_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", '\ufeff"a;b;c;d",e\n"x,\ny",1\n')
    assert read_table(path).to_dict(as_series=False) == {"a;b;c;d": ["x,\ny"], "e": [1]}


def test_a_caller_s_frame_is_left_as_it_was() -> None:
    frame = pl.DataFrame({"s": [" a", "?"]})
    read_table(frame)
    assert frame["s"].to_list() == [" a", "?"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "", "the file is empty"),
        ("t.csv", "a,b\n", "has 2 columns and no rows"),
        ("t.csv", "a,b\n1,2\n3\n", "row 2 has 1 fields, the header has 2"),
        ("t.csv", "a,b\n1,2\n3,4\n5,6,7\n", "row 3 has 3 fields, the header has 2"),
        ("t.csv", "a,b,a\n1,2,3\n", "column 'a' occurs 2 times"),
        ("t.csv", "\n\n", "cannot be read"),
        ("t.xlsx", "a", "ending '.xlsx' is unknown; a table is a file ending in .csv, .tsv or .parquet"),
        ("table", "a", "ending '' is unknown"),
        ("t.parquet", "PAR1 and then nothing", "not a whole Parquet file (21 bytes"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = write(tmp_path / name, text)
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert str(caught.value).count("\n") <= 1


def test_missing_file_folder_and_wrong_encoding(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv: cannot be read: Is a directory"):
        read_table(tmp_path / "folder.csv")
    (tmp_path / "latin.csv").write_bytes("name,n\nJosé,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.csv: column 'name' is not UTF-8 text"):
        read_table(tmp_path / "latin.csv")


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_truncated_parquet(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"x": range(10_000)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        read_table(path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "the table: has no columns"),
        ({"a": []}, "the table: has 1 columns and no rows"),
        ({"a": [1, 2], "b": [1]}, "the table's columns need one length; found 'a' 2, 'b' 1"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "column 'a' occurs 2 times"),
        (pd.DataFrame({"a": [1, "x"]}), "a column cannot be read"),
        (pa.table([[1], [2]], names=["a", "a"]), "column 'a' occurs 2 times"),
        (3, "found int; a table is a path"),
    ],
)
def test_bad_frames(source: object, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_table(source)
    assert message in str(caught.value)
