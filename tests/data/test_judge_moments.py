"""What writes dates, times and durations, judged from texts and from whole numbers."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from jdl.data import Category, Date, Number, infer_schema
from jdl.data.judge import judge
from tests.data.judged import N, encoded, judged

DATES = {
    "": (["2024-01-31", "2024-2-1", "2024-01-31"], 31),
    "%d/%m/%Y": (["31/01/2024", "01/02/2024", "12/12/2023"], 31),
    "%m/%d/%Y": (["01/31/2024", "2/1/2024", "12/12/2023"], 31),
    "%d.%m.%Y": (["31.1.2024", "02.02.2024"], 31),
    "%d.%m.%y": (["31.01.24", "02.02.24"], 31),
    "%m/%d/%y": (["1/31/24", "2/2/24"], 31),
    "%d-%m-%Y": (["31-01-2024", "2-2-2024"], 31),
    "%Y/%m/%d": (["2024/01/31", "2024/2/2"], 31),
    "%Y%m%d": (["20240131", "20240202", "20231212"], 31),
    "%d %B %Y": (["31 Jan 2024", "14 February 2023"], 31),
    "%B %d, %Y": (["Jan 31, 2024", "December 1, 2022"], 31),
    "%d-%B-%y": (["31-JAN-24", "14-Feb-23"], 31),
    "%d%B%Y": (["31JAN2024", "05MAY2023"], 31),
    "%d. %B %Y": (["31. Januar 2024", "1. M\u00e4rz 2023", "24. Dez 2022"], 31),
    "%d %B %Y ": (["31 janvier 2024", "14 F\u00c9VRIER 2023", "1 ao\u00fbt 2023", "2 juin 2022"], 31),
    "%d/%B/%Y": (["31/ene/2024", "14/agosto/2023", "3/gennaio/2022"], 31),
    "%A, %d %B %Y": (["Wed, 31 Jan 2024", "Tue, 14 Feb 2023"], 31),
    "%Y-%m-%d %I:%M %p": (["2024-01-31 10:30 AM", "2024-02-01 1:05 PM"], 31),
    "%Y-%m": (["2024-01", "2023-12"], 1),
    "%B %Y": (["Jan 2024", "December 2023"], 1),
    "%d/%m/%Y %H:%M": (["31/01/2024 10:30", "01/02/2024 00:00"], 31),
    "%m/%d/%Y %I:%M:%S%.f %p": (["1/31/2024 10:30:00 AM", "2/1/2024 1:05:10 pm"], 31),
}


@pytest.mark.parametrize("form", DATES)
def test_dates_in_text(form: str) -> None:
    texts, day = DATES[form]
    found = judged(texts)
    assert isinstance(found, Date)
    assert (found.format, found.missing) == (form.strip(), 0)
    timed = "%H" in form or "%I" in form
    assert found.kind == ("datetime" if timed else "date")
    first = encoded(texts, texts, "dates")[0]
    since = (dt.date(2024, 1, day) - dt.date(1970, 1, 1)).days
    assert first.tolist() == [since, (10 * 60 + 30) * 60 if timed else 0]


def test_time_zones_are_written_in_utc() -> None:
    some = ["2024-01-31 14:30 UTC", "2024-02-01 14:30 GMT"]
    assert (judged(some).kind, judged(some).format) == ("datetime", "")
    texts = ["2024-01-31T23:30:00-02:00", "2024-01-31 10:00:00+0100", "2024-01-31T10:00:00.25Z", "2024-01-31"]
    days = encoded(texts, texts, "dates")
    first = (dt.date(2024, 1, 31) - dt.date(1970, 1, 1)).days
    assert days.tolist() == [[first + 1, 5400], [first, 32400], [first, 36000], [first, 0]]


def test_iso_days_beside_others() -> None:
    texts = ["2024-01-31", "2024-02-29", "31.01.2024", "1.2.2024"]
    found = judged(texts)
    assert (found.format, found.iso, found.missing) == ("%d.%m.%Y", True, 0)
    assert found.evidence == "text read as dates written as %d.%m.%Y or in ISO 8601"
    assert encoded(texts, texts, "dates")[:, 0].tolist() == [19753, 19782, 19753, 19754]
    few = judge(pl.Series([f"2024-01-{1 + i % 28:02}" for i in range(99)] + ["3/4/2024"]))
    assert (few.format, few.nulls) == ("", ("3/4/2024",))


def test_days_in_order_tell_the_month() -> None:
    days = [dt.date(2024, month, day) for month in range(1, 13) for day in range(1, 13)]
    found = judge(pl.Series("x", [f"{day:%d/%m/%Y}" for day in days]))
    assert found.format == "%d/%m/%Y"
    assert "fits as well; the rows are in order in the one taken" in found.evidence


def test_compact_date_times() -> None:
    texts = ["20240131T103000", "20240201T000000"]
    assert judged(texts).format == "%Y%m%dT%H%M%S"
    assert encoded(texts, texts, "dates")[0].tolist() == [19753, 37800]


def test_whole_numbers_that_are_days() -> None:
    found = judged([20240131, 20240229, 20231212])
    assert isinstance(found, Date)
    assert (found.format, found.low) == ("%Y%m%d", "2023-12-12")
    rows = encoded([20240131, 20240229, 20231212], ["19700102", None], "dates")
    assert rows[0].tolist() == [1, 0]
    assert isinstance(judged([20240131, 20240232, 20231212]), Number)
    assert isinstance(judged([2019, 2020, 2021]), Number)


@pytest.mark.parametrize(
    ("name", "values", "form"),
    [
        ("timestamp", [1706697000, 1700000000], "%s"),
        ("createdAt", [1706697000_000, None, 1700000000_000], "%s%3f"),
        ("pickup_time", [1706697000_000_000, 1700000000_000_000], "%s%6f"),
        ("x", [20240131103000, 20240229000000, 20231212235959], "%Y%m%d%H%M%S"),
    ],
)
def test_whole_numbers_that_are_moments(name: str, values: list, form: str) -> None:
    frame = pl.DataFrame({name: [values[i % len(values)] for i in range(N)]})
    schema = infer_schema(frame)
    (found,) = schema.dates
    assert (found.kind, found.format) == ("datetime", form)
    assert found.missing == N // 3 * (None in values)
    assert form.startswith("%s") or judge(frame.cast(pl.String)[name]).format == form
    floats = frame.cast(pl.Float64)
    for part in (frame, floats, frame.cast(pl.String), floats.cast(pl.String)):
        assert schema.encode(part)["dates"][0, 0].tolist() == [19753, 37800]
    assert isinstance(judged([1706697000, 1700000000], "revenue"), Number)
    assert isinstance(judged([17066, 17000], "timestamp"), Number)


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["10:30", "23:15:30.5", "00:00"], "time", [37800, 83730.5, 0]),
        (["10:30 am", "11:15 PM", "12:00 a.m."], "time", [37800, 83700, 0]),
        (["14h30", "8h05", "23H59"], "time", [52200, 29100, 86340]),
        (["36:15:00", "10:00:00"], "duration", [130500, 36000]),
        (["1h 30m", "45m", "2h"], "duration", [5400, 2700, 7200]),
        (["1 day 02:00:00", "-3 days, 00:00:01"], "duration", [93600, -259201]),
        (["PT5M", "P1DT2H"], "duration", [300, 93600]),
        (["Yes", "no", "YES "], "boolean", [1, 0, 1]),
        (["t", "f"], "boolean", [1, 0]),
        (["ja", "Nein"], "boolean", [1, 0]),
        (["TRUE", "no", "1", "0", "Y"], "boolean", [1, 0, 1, 0, 1]),
        (["oui", "non"], "boolean", [1, 0]),
        (["on", "off"], "boolean", [1, 0]),
        (["S\u00ed", "no"], "boolean", [1, 0]),
    ],
)
def test_times_durations_and_booleans_in_text(texts: list[str], kind: str, values: list[float]) -> None:
    found = judged(texts)
    assert isinstance(found, Number)
    assert found.kind == kind
    np.testing.assert_array_equal(encoded(texts, texts, "numbers"), np.float32(values))


def test_impossible_days_among_dates() -> None:
    texts = [f"2024-01-{1 + i % 28:02}" for i in range(58)] + ["2024-02-30", "0000-00-00"]
    found = judge(pl.Series(texts))
    assert isinstance(found, Date)
    assert found.nulls == ("2024-02-30", "0000-00-00")
    assert isinstance(judged(["01/13/2024", "13/01/2024", "02/02/2024"]), Category)  # both orders: neither


def test_short_durations_may_come_as_times_of_day() -> None:
    schema = infer_schema(pl.DataFrame({"x": ["36:15:00", "10:00:00"]}))
    numbers = schema.encode(pl.DataFrame({"x": [dt.time(10), None]}))["numbers"]
    np.testing.assert_array_equal(numbers[:, 0], [36000, np.nan])
