"""Identifiers, codes and levels, told from quantities."""

import random
import uuid
from pathlib import Path

import polars as pl
import pytest

from jdl.data import Category, Dropped, Number, infer_schema, read_table
from jdl.data.judge import judge
from tests.data.judged import N, judged

RANDOM = random.Random(0)


KEYS = {
    "UUIDs": [str(uuid.UUID(int=RANDOM.getrandbits(128))) for _ in range(N)],
    "hashes": [f"{RANDOM.getrandbits(160):040x}" for _ in range(N)],
    "e-mail": [f"name{i}@example.com" for i in range(N)],
    "web addresses": [f"https://example.com/{i}" for i in range(N)],
    "telephone": [f"+41 44 {i + 100} 45 67" for i in range(N)],
    "different texts": [f"K-{i:05}" for i in range(N)],
    "zeros in front": [f"{i:06}" for i in range(N)],
    "16 digits and more": [str(4 * 10**15 + RANDOM.getrandbits(40)) for _ in range(N)],
    "user names": [f"anna_lamp{i}" for i in range(N)],
    "files": [f"/data/images/red_lamp_{i}.jpg" for i in range(N)],
    "by its name a key": RANDOM.sample(range(10**6), N),
    "counts the rows": list(range(1, N + 1)),
}


@pytest.mark.parametrize("what", KEYS)
def test_identifiers(what: str) -> None:
    found = judge(pl.Series("order_id" if what == "by its name a key" else "id", KEYS[what]))
    assert isinstance(found, Dropped)
    assert found.reason.startswith("identifier: ")
    assert what in found.reason or what in ("user names", "files")


@pytest.mark.parametrize("name", ["customerid", "KundenNr", "flight number", "pidnum", "FIPS"])
def test_whole_numbers_that_the_name_makes_keys(name: str) -> None:
    assert isinstance(judge(pl.Series(name, KEYS["by its name a key"])), Dropped)


@pytest.mark.parametrize("name", ["paid", "grid", "platinum", "total_num", "num_rooms", "income"])
def test_whole_numbers_that_the_name_makes_no_keys(name: str) -> None:
    assert isinstance(judge(pl.Series(name, KEYS["by its name a key"])), Number)


def test_long_whole_numbers_are_quantities_by_name() -> None:
    values = [9 * 10**15 + RANDOM.getrandbits(45) for _ in range(N)]
    assert isinstance(judge(pl.Series("tweet", values)), Dropped)
    assert isinstance(judge(pl.Series("nanoseconds_busy", values)), Number)


def test_codes_keep_their_signs(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = [("+41", "17.0", "+5"), ("+1", "18.0", "-3"), ("+41", "", "+2"), ("+1", "4.0", "+2")]
    path.write_text("dial_code,shop_id,change\n" + "".join(f"{','.join(row)}\n" for row in rows * 15))
    schema = infer_schema(read_table(path))
    assert [part.levels for part in schema.categories] == [("+1", "+41"), ("17", "18", "4")]
    coded = schema.encode(read_table(path, schema.text_columns))
    assert coded["categories"][:3].tolist() == [[2, 1], [1, 2], [2, 0]]
    assert coded["numbers"][:3, 0].tolist() == [5, -3, 2]
    signed = judge(pl.Series("change", ["+1", "+2"] * 30))
    assert isinstance(signed, Number)


def test_few_slips_among_codes() -> None:
    codes = [f"0500{i:04}" for i in range(20)] * 2
    found = judge(pl.Series([*codes, "70-3103"]))
    assert isinstance(found, Category)
    assert len(found.levels) == 21


def test_keys_that_recur_are_levels() -> None:
    assert len(judged(KEYS["UUIDs"][:5]).levels) == 5
    assert isinstance(judged([0, 1], "yes_no"), Number)
    by_name = judged([17, 4, 17, 9], "customer_id")
    assert by_name.levels == ("17", "4", "9") == judged(["17", "4", "17", "9"], "customer_id").levels
    assert isinstance(judged(["17", "4", "17", "9"], "customers"), Number)
    frame = pl.DataFrame({"customer_id": [17.0, None, 4.0]})
    schema = infer_schema(pl.DataFrame({"customer_id": [17, 4, 9] * 20}))
    assert schema.encode(frame)["categories"][:, 0].tolist() == [1, 0, 2]  # of "17", "4", "9"


def test_a_lone_zero_in_front_is_a_slip() -> None:
    found = judge(pl.Series("age", [str(20 + i % 60) for i in range(100)] + ["031"]))
    assert isinstance(found, Number)
    assert (found.low, found.high) == (20, 79)
