"""Reading tables: what comes in, and what is said of what cannot."""

from pathlib import Path

import numpy as np
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
    FRAME.write_ipc(tmp_path / "t.arrow")
    FRAME.write_ipc_stream(tmp_path / "t.ipc")
    FRAME.to_pandas().to_feather(tmp_path / "t.feather")
    FRAME.write_ndjson(tmp_path / "t.jsonl")
    names = ("t.csv", "semicolons.csv", "t.tsv", "t.parquet", "t.arrow", "t.ipc", "t.feather", "t.jsonl")
    files = [tmp_path / name for name in names]
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
    assert read_table(path)["zip"].to_list() == ["01234", None]  # zeros in front: a code
    assert read_table(path)["n"].dtype == pl.Int64
    assert read_table(path, text=("n",))["n"].to_list() == ["1", "2"]
    assert read_table(path, text=("zip", "absent"))["zip"].to_list() == ["01234", None]


def test_quoted_separators_newlines_and_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", '\ufeff"a;b;c;d",e\n"x,\ny",1\n')
    assert read_table(path).to_dict(as_series=False) == {"a;b;c;d": ["x,\ny"], "e": [1]}


def test_an_index_that_pandas_has_written(tmp_path: Path) -> None:
    FRAME.to_pandas().to_csv(tmp_path / "t.csv")
    table = read_table(tmp_path / "t.csv")
    assert table.columns == ["", "age", "work", "pay"]
    assert table[""].to_list() == [0, 1, 2]


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
        (
            "t.xlsx",
            "a",
            "ending '.xlsx' is unknown; a table is a file ending in .csv, .tsv, .parquet, .arrow",
        ),
        ("table", "a", "ending '' is unknown"),
        ("t.arrow", "ARROW1 and then nothing", "not a whole Arrow file (23 bytes"),
        ("t.jsonl", '{"a": 1}\n{"a":\n', "line 2 is not JSON (Expecting value)"),
        ("t.jsonl", '{"a": 1}\n[2]\n', "line 2 is no object of named values"),
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
    with pytest.raises(DataError, match=r"folder\.csv: the folder holds no table; needs files ending in"):
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
        (pd.DataFrame({"a": [1, [2]]}), "a column cannot be read"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "column '1' occurs 2 times"),
        (np.zeros(3), "an array of shape (3,); needs (rows, columns)"),
        (np.zeros((0, 2)), "the table: has 2 columns and no rows"),
        (pa.table([[1], [2]], names=["a", "a"]), "column 'a' occurs 2 times"),
        (3, "found int; a table is a path"),
    ],
)
def test_bad_frames(source: object, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_table(source)
    assert message in str(caught.value)


def test_arrays_and_pandas_of_many_types() -> None:
    assert read_table(np.array([[1, 2], [3, 4]])).to_dict(as_series=False) == {"x0": [1, 3], "x1": [2, 4]}
    named = np.array([(1, "a"), (2, "b")], dtype=[("n", int), ("s", "U3")])
    assert read_table(named).to_dict(as_series=False) == {"n": [1, 2], "s": ["a", "b"]}
    assert read_table({"o": np.array([1, "x", None], dtype=object)})["o"].to_list() == ["1", "x", None]
    frame = pd.DataFrame(
        {
            0: pd.array([1, None], dtype="Int64"),
            "mixed": [1, "x"],
            "c": pd.Categorical(["a", None]),
            "t": pd.to_datetime(["2024-01-01", None]).tz_localize("Europe/Zurich"),
        }
    )
    table = read_table(frame)
    assert table.columns == ["0", "mixed", "c", "t"]
    assert table.drop("t").rows() == [(1, "1", "a"), (None, "x", None)]
    assert table["t"].dtype == pl.Datetime("us", "Europe/Zurich")
    assert frame["mixed"].to_list() == [1, "x"]  # the caller's frame is left as it was


def test_a_folder_is_one_table(tmp_path: Path) -> None:
    write(tmp_path / "b.csv", "n,s\n3,x\n")
    write(tmp_path / "a.csv", "s,n\n7,1\n8,2.5\n")
    write(tmp_path / "_notes.csv", "other\n1\n")
    write(tmp_path / "readme.txt", "not a table")
    want = {"s": ["7", "8", "x"], "n": [1, 2.5, 3]}
    for source in (tmp_path, str(tmp_path), tmp_path / "[ab].csv"):
        assert read_table(source).to_dict(as_series=False) == want
    pl.DataFrame({"s": ["y"], "n": [4]}).write_parquet(tmp_path / "c.parquet")
    assert read_table(tmp_path)["s"].to_list() == ["7", "8", "x", "y"]
    with pytest.raises(DataError, match="no file has such a name; check the pattern"):
        read_table(tmp_path / "z*.csv")


def test_files_of_a_folder_that_differ(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "n,s\n1,x\n")
    write(tmp_path / "b.csv", "n,t\n1,x\n")
    with pytest.raises(DataError) as caught:
        read_table(tmp_path)
    assert str(caught.value).startswith(
        f"{tmp_path / 'b.csv'}: lacks the column 's' and has the further column 't', compared with"
    )
    pl.DataFrame({"n": ["one"], "s": ["x"]}).write_parquet(tmp_path / "b.parquet")
    (tmp_path / "b.csv").unlink()
    pl.DataFrame({"n": [1], "s": ["x"]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"b\.parquet: column 'n' holds String, in .*\.csv String|holds Int64, in"
    ):
        read_table(tmp_path)


def test_codes_too_long_for_a_float_stay_text(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "card,big\n12345678901234567890,1e300\n12345678901234567891,2\n")
    table = read_table(path)
    assert table["card"].to_list() == ["12345678901234567890", "12345678901234567891"]
    assert table["big"].to_list() == [1e300, 2.0]
