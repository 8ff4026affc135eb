"""Streams of Parquet files: which rows come when, from any state, on any host; errors about bad files."""

import os
import tempfile
from functools import partial
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdl.data import DataError, Number, Schema, Target, infer_schema, sample, stream
from jdl.data.stream_batches import shuffled
from jdl.features.prepare import inner_folds
from tests.data.streamed import KEY, SCHEMA, epoch, files, ids, opened, table, write
from tests.train.tiny import assert_same_bits


def test_a_batch_is_what_the_schema_gives(tmp_path):
    batches = list(opened(files(tmp_path, [3, 2, 4], [5]), key=None, weight="w"))
    whole = table(14)
    assert [batch["weight"].tolist() for batch in batches] == [
        [0, 1, 2, 0],
        [1, 2, 0, 1],
        [2, 0, 1, 2],
        [0, 1, 0, 0],
    ]
    for i, batch in enumerate(batches):
        part = whole[4 * i : 4 * i + 4]
        cut = jax.tree.map(lambda leaf: leaf[: part.height], {"x": batch["x"], "y": batch["y"]})  # noqa: B023
        assert_same_bits(cut, {"x": SCHEMA.encode(part), "y": SCHEMA.encode_target(part)})
    assert ids(batches[-1]) == [13]


def test_the_order_is_a_function_of_the_key_and_the_epoch(tmp_path):
    folder = files(tmp_path, [3, 4, 5], [2, 6])
    one, same, other = opened(folder), opened(folder), opened(folder, key=jax.random.key(4))
    first, second = epoch(one), epoch(one)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second and first != epoch(other) and first != list(range(20))
    assert [epoch(same), epoch(same)] == [first, second]
    legacy = opened(folder, key=jax.random.key_data(KEY))
    assert epoch(legacy) == first


def test_rows_are_mixed_within_a_window_and_row_groups_within_an_epoch(tmp_path):
    folder = files(tmp_path, [10] * 10)
    order = np.array(epoch(opened(folder, window=20))) // 10  # row groups, as they come
    windows = order.reshape(5, 20)
    assert all(len(set(window)) == 2 for window in windows)  # two row groups each
    assert all((np.diff(window) != 0).sum() > 4 for window in windows)  # in turns, not one after the other
    assert [set(window) for window in windows] != [{2 * i, 2 * i + 1} for i in range(5)]


def test_numbers_in_order_of_their_random_bits():
    for count in (1, 2, 8, 1000):
        bits = np.random.PCG64(np.random.SeedSequence([1, 2, 3])).random_raw(count)
        assert shuffled([1, 2, 3], count).tolist() == np.argsort(bits).tolist()
    counts = np.bincount([shuffled([seed], 3).tolist()[0] for seed in range(3000)])
    assert (abs(counts - 1000) < 120).all()


@given(
    st.lists(st.lists(st.integers(1, 7), min_size=1, max_size=4), min_size=1, max_size=3),
    st.integers(1, 9),
    st.integers(1, 20),
    st.data(),
)
def test_every_row_once_and_the_rest_from_any_state(sizes, batch_size, window, data):
    with tempfile.TemporaryDirectory() as folder:
        files(Path(folder), *sizes)
        rows = sum(map(sum, sizes))
        batches = opened(folder, batch_size, window=window)
        seen, states = [], []
        for _ in range(2):
            for batch in batches:
                seen.append(batch)
                states.append(batches.get_state())
        assert len(batches) == len(seen) // 2 == -(-rows // batch_size)
        assert sorted(epoch(seen[: len(batches)])) == sorted(epoch(seen[len(batches) :])) == list(range(rows))
        assert all(len(batch["y"]) == batch_size for batch in seen)
        at = data.draw(st.integers(0, len(states) - 1))
        again = opened(folder, batch_size, window=window)
        again.set_state(states[at])
        rest = [batch for _ in range(2) for batch in again][: len(seen) - at - 1]
        assert_same_bits(rest, seen[at + 1 :])


def test_a_window_of_wide_rows_is_shorter(tmp_path):
    wide = Schema(SCHEMA.target, tuple(Number(f"x{i}") for i in range(2_000)))
    frame = pl.DataFrame({number.name: [0.5] for number in wide.numbers} | {"y": [1.0]})
    frame.write_parquet(tmp_path / "t.parquet")
    assert abs(stream(tmp_path, wide, 4, KEY).window - 2**28 / 8_000) < 100
    assert stream(files(tmp_path, [3]) / "part-0.parquet", SCHEMA, 4, KEY).window == 2**19


def test_going_on_reads_no_more_than_the_window(tmp_path, monkeypatch):
    folder = files(tmp_path, [5] * 8)
    batches = opened(folder, window=10)
    list(zip(range(6), batches, strict=False))  # of the third of four windows, 20 to 29
    read = []
    again = opened(folder, window=10)
    monkeypatch.setattr(again, "read", lambda group: read.append(group) or type(again).read(again, group))
    again.set_state(batches.get_state() | {"batch": 6})
    next(iter(again))
    assert len(read) == 2
    again.set_state(batches.get_state() | {"batch": 6})
    next(iter(again))
    assert len(read) == 2  # it is still there


@given(st.lists(st.integers(1, 9), min_size=4, max_size=9), st.integers(1, 4))
def test_shares_are_parts_of_the_whole(sizes, count):
    with tempfile.TemporaryDirectory() as folder:
        files(Path(folder), sizes)
        shares = [opened(folder, share=(i, count)) for i in range(count)]
        seen = [list(share) for share in shares]
        assert len({len(batches) for batches in seen}) == 1  # as many steps on every host
        assert sorted(number for batches in seen for number in epoch(batches)) == list(range(sum(sizes)))
        assert [len(epoch(batches)) for batches in seen] == [share.rows for share in shares]
        assert max(s.rows for s in shares) - min(s.rows for s in shares) <= max(sizes)


def test_a_share_without_rows_for_a_batch_gives_one_that_does_not_count(tmp_path):
    small = opened(files(tmp_path, [9, 1]), share=(1, 2), window=1)
    assert [batch["weight"].tolist() for batch in small] == [[1, 0, 0, 0], [0] * 4, [0] * 4]


def test_rows_without_a_target_do_not_count(tmp_path):
    frame = table(6).with_columns(y=pl.Series([1.0, None, 3.0, None, None, float("inf")]))
    write(tmp_path / "t.parquet", frame, [3, 3])
    batches = list(opened(tmp_path, key=None))
    assert epoch(batches) == [0, 2] and all(np.isfinite(batch["y"]).all() for batch in batches)


def test_inner_folds_belong_to_the_rows(tmp_path):
    batches = opened(files(tmp_path, [5, 4], [3]), folds=partial(inner_folds, folds=3))
    expected = np.asarray(inner_folds(KEY, 12, 3))
    for batch in [*batches, *batches]:
        counts = batch["weight"] > 0
        assert batch["fold"].dtype == np.int32
        assert batch["fold"][counts].tolist() == expected[ids(batch)].tolist()


def test_files_folders_and_globs(tmp_path):
    files(tmp_path, [2], [2], [2])
    below = tmp_path / "deeper"
    below.mkdir()
    write(below / "z.pq", table(2, 6), [2])
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "t.parquet").write_bytes(b"half")
    (tmp_path / ".t.parquet").write_bytes(b"half")
    first, last = tmp_path / "part-0.parquet", tmp_path / "part-2.parquet"
    found = lambda given: sorted(epoch(opened(given)))
    assert found(tmp_path) == found(str(tmp_path)) == list(range(8))
    assert found(f"{tmp_path}/part-[12].parquet") == [2, 3, 4, 5]
    assert found([last, str(first)]) == [0, 1, 4, 5]
    assert epoch(opened([last, first], key=None)) == [4, 5, 0, 1]
    assert found(f"{tmp_path}/**/*.pq") == [6, 7]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere.parquet", "nowhere.parquet: no such file or folder; check the path from"),
        ("nothing*.parquet", "no file matches; check the pattern from"),
        ("empty", "empty: the folder holds no file ending in .parquet or .pq"),
        (
            "t.csv",
            "ending '.csv'; a stream reads files ending in .* convert a CSV once with jdl.data.to_parquet",
        ),
        ([], "files: found an empty list, needs at least one Parquet file"),
        (["t.parquet", "./t.parquet"], "t.parquet: is listed 2 times"),
        ("cut.parquet", r"cut.parquet: not a whole Parquet file \(400 bytes: .*; it may be truncated"),
        ("other.parquet", "other.parquet: column 'x' is not in the table; did you mean 'X'"),
        ("none.parquet", r"none.parquet: no rows in 1 file\(s\)"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("t.csv").write_text("a\n1\n")
    write("t.parquet", table(4), [4])
    write("none.parquet", table(0), [])
    Path("cut.parquet").write_bytes(Path("t.parquet").read_bytes()[:400])
    write("other.parquet", table(4).rename({"x": "X"}), [4])
    with pytest.raises(DataError, match=message):
        opened(given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": ["a", "b"]}, "t.parquet, row group 1: column 'x', row 1: found 'a'"),
        ({"w": [1.0, -1.0]}, "row group 1: weight column 'w', row 2: found -1.0; needs finite weights"),
        ({"w": [None, 1.0]}, "row group 1: weight column 'w', row 1: found None; needs finite weights"),
    ],
)
def test_values_that_cannot_be_coded_are_named_with_their_row_group(tmp_path, change, message):
    frame = table(4)
    name, values = next(iter(change.items()))
    kept = frame[name].cast(pl.String) if isinstance(values[0], str) else frame[name].cast(pl.Float64)
    kept = pl.Series(name, kept.to_list()[:2] + values)
    write(tmp_path / "t.parquet", frame.with_columns(kept), [2, 2])
    with pytest.raises(DataError, match=message):
        list(opened(tmp_path, weight="w"))


def test_a_class_the_schema_does_not_know_is_named_with_its_place(tmp_path):
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": ["a", "b", "a", "z"]})
    write(tmp_path / "t.parquet", frame, [2, 2])
    schema = Schema(Target("y", "classification", classes=("a", "b")), (Number("x"),))
    with pytest.raises(DataError, match="row group 1: target column 'y', row 2: found 'z', which is not one"):
        list(stream(tmp_path, schema, 2, KEY))


def test_a_damaged_row_group_is_named(tmp_path):
    path = write(tmp_path / "t.parquet", table(400), [200, 200])
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half : half + 300] = bytes(300)
    path.write_bytes(content)
    with pytest.raises(DataError, match="t.parquet, row group 1: cannot be read"):
        list(opened(tmp_path, key=None))


def test_a_file_that_changes_meanwhile(tmp_path):
    batches = opened(files(tmp_path, [5, 5]))
    write(tmp_path / "part-0.parquet", table(3), [3])
    with pytest.raises(DataError, match="part-0.parquet, row group .* changed meanwhile"):
        list(batches)
    os.remove(tmp_path / "part-0.parquet")
    with pytest.raises(DataError, match="part-0.parquet: no such file; it was there"):
        list(batches)


def test_a_state_of_another_table_or_setting(tmp_path):
    state = opened(files(tmp_path, [4, 4])).get_state()
    assert (state["epoch"], state["batch"]) == (0, 0)
    for other in ({"batch_size": 3}, {"window": 1}, {"key": jax.random.key(4)}, {"weight": "w"}):
        with pytest.raises(DataError, match="stream: has 8 rows in .* but the run to resume had 8 rows in"):
            opened(tmp_path, **other).set_state(state)
    files(tmp_path, [4, 5])
    with pytest.raises(DataError, match="stream: has 9 rows in 2 row groups, .* had 8 rows in 2 row groups"):
        opened(tmp_path).set_state(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; needs an integer of at least 1"),
        ({"window": 2.5}, "window is 2.5; needs an integer"),
        ({"key": 7}, "key is 7; needs a JAX key"),
        ({"key": None, "folds": lambda key, rows: rows}, "folds are drawn from a key"),
        ({"share": (2, 2)}, "share is 2 of 2; needs a number from 0 to 1"),
        ({"share": (0, 3)}, "2 row groups cannot be shared by 3 processes"),
        ({"weight": "v"}, "part-0.parquet: column 'v' is not in the table; did you mean|the table has"),
    ],
)
def test_settings_that_make_no_stream(tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        opened(files(tmp_path, [4, 4]), **options)


def test_a_schema_from_a_part_of_the_table(tmp_path):
    files(tmp_path, [10] * 5, [10] * 5)
    some = sample(tmp_path, rows=20, most_groups=4, seed=1)
    assert some.height == 20
    assert (
        len(set((some["id"] // 10).to_list())) == 4 and (some["id"] % 10).max() == 4
    )  # the first rows of four
    assert some.equals(sample(tmp_path, rows=20, most_groups=4, seed=1))
    assert sample(tmp_path).equals(table(100))
    schema = infer_schema(some.drop("unused", "w"), "y", "regression")
    batch = next(iter(stream(tmp_path, schema, 8, KEY)))
    assert np.isfinite(batch["y"]).all() and batch["x"]["numbers"].shape == (8, len(schema.numbers))
    with pytest.raises(DataError, match="sample: 0 rows of 16 row groups; needs at least 1"):
        sample(tmp_path, rows=0)
