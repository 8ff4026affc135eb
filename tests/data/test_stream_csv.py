"""CSV files of any size, converted once."""

import os
from pathlib import Path

import polars as pl
import pyarrow.parquet as pa_parquet
import pytest

from jdl.data import DataError, read_table, stream_csv, to_parquet

ROWS = """id,work, age,pay,there,day,at,moment,zoned,code,"a ""b"",c"
1, Private ,39,1.5,true,2024-01-31,12:30,2024-01-31 12:30:00,2024-01-31T12:30:00Z,001,"x
y"
2,?,N/A,,False,,12:30:01,2024-01-31 12:30:00.5,2024-01-31T12:30:00+01:00,99999999999999999999x," z "
3,"Local, own", 50 ,-2e3,TRUE,2024-02-29,,,,03,NA
4,null,7,inf,,,23:59:59,1999-12-31 00:00:00,,4,7
"""


def write(path: Path, text: str = ROWS) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("block", [200, 2**24])
@pytest.mark.parametrize("text", [(), ("id", "pay")])
def test_the_table_is_that_of_read_table(tmp_path, monkeypatch, block, text):
    monkeypatch.setattr(stream_csv, "BLOCK", block)
    path = write(tmp_path / "t.csv")
    expected = read_table(path, text)
    found = pl.read_parquet(to_parquet(path, tmp_path / "made", text))
    assert found.schema == expected.schema
    assert found.equals(expected)


def test_types_come_from_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(stream_csv, "BLOCK", 64)
    lines = [f"{i},{i},true,2024-01-01" for i in range(100)]
    path = write(tmp_path / "t.tsv", "\n".join(["a,b,c,d", *lines, "1.5,x,no,never"]).replace(",", "\t"))
    found = pl.read_parquet(to_parquet(path, tmp_path))
    assert [dtype.__name__ for dtype in map(type, found.dtypes)] == ["Float64", "String", "String", "String"]
    assert found.height == 101 and found["a"].to_list() == [*range(100), 1.5]


def test_codes_are_no_numbers(tmp_path):
    path = write(tmp_path / "t.csv", "zip,long,id,zero\n01234,1,1,0\n99999,12345678901234567890,2,0.5\n")
    found = pl.read_parquet(to_parquet(path, tmp_path))
    assert found.rows() == [("01234", "1", 1, 0.0), ("99999", "12345678901234567890", 2, 0.5)]


def test_row_groups_are_of_a_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setattr(stream_csv, "BLOCK", 64)
    monkeypatch.setattr(stream_csv, "GROUP_ROWS", 30)
    path = write(tmp_path / "t.csv", "a,b\n" + "".join(f"{i},{i}\n" for i in range(100)))
    sizes = lambda: (
        (about := pa_parquet.read_metadata(to_parquet(path, tmp_path)))
        and [about.row_group(i).num_rows for i in range(about.num_row_groups)]
    )
    assert sizes() == [30, 30, 30, 10]
    monkeypatch.setattr(stream_csv, "GROUP_BYTES", 100)
    path.write_text(path.read_text() + "100,100\n")
    assert sum(sizes()) == 101 and max(sizes()) < 30


def test_a_conversion_is_used_again_until_the_file_changes(tmp_path, monkeypatch):
    path = write(tmp_path / "t.csv")
    first = to_parquet(path, tmp_path / "made")
    made = first.stat().st_mtime_ns
    with monkeypatch.context() as patched:
        patched.setattr(stream_csv, "_convert", None)  # is not asked
        assert to_parquet(path, tmp_path / "made") == first
    content = path.read_text()
    write(path, content + "5,Other,1,1,,,,,,5,\n")
    assert to_parquet(path, tmp_path / "made") == first and pl.read_parquet(first).height == 5
    write(path, content)  # of its old size
    os.utime(path, ns=(made + 10**9, made + 10**9))
    assert to_parquet(path, tmp_path / "made") == first and pl.read_parquet(first).height == 4
    assert pl.read_parquet(to_parquet(path, tmp_path / "made", ["id"]))["id"].dtype == pl.String
    first.write_bytes(first.read_bytes()[:100])  # half a file is none
    assert pl.read_parquet(to_parquet(path, tmp_path / "made")).height == 4
    (tmp_path / "other").mkdir()
    twin = to_parquet(write(tmp_path / "other" / "t.csv"), tmp_path / "made")
    assert twin != first and sorted(tmp_path.glob("made/*")) == sorted([first, twin])


def test_a_conversion_that_is_broken_off_leaves_none(tmp_path, monkeypatch):
    path = write(tmp_path / "t.csv")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(stream_csv, "_types", stop)
    with pytest.raises(KeyboardInterrupt):
        to_parquet(path, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "t.csv: the file is empty"),
        ("t.csv", b"a,b\n", "t.csv: has no rows; a table needs at least one row"),
        (
            "t.csv",
            b"a,b\n1,2\n3,4,5\n",
            "row 2 has 3 fields, the header has 2; every row needs as many",
        ),
        ("t.csv", b"a,a\n1,2\n", "t.csv: column 'a' occurs 2 times"),
        ("t.csv", b"a,b\n1,\xff\n", "t.csv: cannot be read: .*UTF8.*; save the file as UTF-8"),
        ("t.txt", b"a\n1\n", "t.txt: ending '.txt'; needs a file ending in .csv or .tsv"),
        ("none.csv", None, "none.csv: no such file; check the path from"),
    ],
)
def test_files_that_cannot_be_converted(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        to_parquet(tmp_path / name, tmp_path / "made")
