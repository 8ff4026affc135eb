"""Any table: whatever it holds is judged, coded and read back."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdl.data import Category, Format, Number, infer_schema, read_table
from jdl.data.judge import judge

FORMS = ["%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y", "%d %b %Y", "%B %d, %Y", "%Y%m%d", "%d/%m/%Y %H:%M:%S"]


CELLS = ["1", "2,5", "1.234", "(4)", "5 kg", "$3", "007", "yes", "no", "NA", "unknown", "10:30", "1h"]
CELLS += ["2024-01-31", "01/02/24", "31.1.2024", "2024-01-31 10:00"]


forms = st.builds(
    lambda decimal, thousands, unit: Format(decimal, thousands if thousands != decimal else "", unit),
    st.sampled_from([".", ","]),
    st.sampled_from(["", ",", ".", "'", " "]),
    st.sampled_from([(), ("%",), ("kg",), ("$",)]),
)


@given(forms, st.lists(st.integers(-(10**9), 10**9), min_size=3, max_size=20))
@settings(max_examples=25, deadline=None)
def test_numbers_come_back_however_they_are_written(form: Format, cents: list[int]) -> None:
    def written(number: int) -> str:
        text = f"{number / 100:,.2f}".translate({ord(","): form.thousands, ord("."): form.decimal})
        return f"{text} {form.units[0]}" if form.units else text

    texts = [written(number) for number in (*cents, 123456789, 5)]
    found = judge(pl.Series("x", texts))
    assert isinstance(found, Number)
    assert found.low == pytest.approx(min(*cents, 5) / 100)
    assert found.high == pytest.approx(max(*cents, 123456789) / 100)


@given(
    st.sampled_from(
        ["%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y", "%d %b %Y", "%B %d, %Y", "%Y%m%d", "%d/%m/%Y %H:%M:%S"]
    ),
    st.lists(st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2099, 1, 1)), min_size=2, max_size=20),
)
@settings(max_examples=25, deadline=None)
def test_dates_come_back_however_they_are_written(form: str, moments: list[dt.datetime]) -> None:
    moments = [moment.replace(microsecond=0) for moment in (*moments, dt.datetime(2001, 1, 31, 1, 2, 3))]
    frame = pl.DataFrame({"x": [moment.strftime(form) for moment in moments]})
    schema = infer_schema(frame)
    if schema.dropped:  # all the same
        return
    days = schema.encode(frame)["dates"][:, 0]
    since = [(moment.date() - dt.date(1970, 1, 1)).days for moment in moments]
    assert days[:, 0].tolist() == since
    if "%H" in form:
        assert days[:, 1].tolist() == [m.hour * 3600 + m.minute * 60 + m.second for m in moments]


cells = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "1",
            "2,5",
            "1.234",
            "yes",
            "no",
            "NA",
            "2024-01-31",
            "01/02/24",
            "10:30",
            "5 kg",
            "$3",
            "007",
            "(4)",
            "unknown",
            "1h",
        ]
    ),
    st.text(max_size=6),
)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=25))
@settings(max_examples=40, deadline=None)
def test_any_table_is_judged_coded_and_read_back(rows: list[tuple]) -> None:
    frame = read_table({"a": [row[0] for row in rows], "b": [row[1] for row in rows]})
    schema = infer_schema(frame)
    assert len(schema.columns) + len(schema.dropped) == 2
    assert all(part.evidence for part in (*schema.columns, *schema.dropped))
    coded = type(schema).from_json(schema.to_json()).encode(frame)
    assert not np.isinf(coded["numbers"]).any()
    assert schema.describe().height == 2
    for part in schema.columns:
        if isinstance(part, Category):
            codes = coded["categories"][:, [c.name for c in schema.categories].index(part.name)]
            assert (codes == 0).sum() == part.missing
    for part, values in zip(schema.numbers, coded["numbers"].T, strict=True):
        assert np.isnan(values).sum() == part.missing


@given(st.lists(cells, min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_changes_nothing_but_the_evidence(values: list) -> None:
    first = judge(pl.Series("x", values, dtype=pl.String))
    second = judge(pl.Series("x", values[::-1], dtype=pl.String))
    assert type(first) is type(second)
    if isinstance(first, Category):
        assert first == second
