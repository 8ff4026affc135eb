"""The torture suite itself: enough columns, of every kind, with labels that fit their cells."""

from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from tests.data.torture.case import KINDS
from tests.data.torture.cases import cases
from tests.data.torture.label import Label
from tests.data.torture.real_values import VALUES
from tests.data.torture.score import equal, frame_of, score
from tests.data.torture.sources import SOURCES, VERSIONS

CASES = cases()
NAN = float("nan")


def test_size_of_the_suite():
    real = [case for case in CASES if case.source != "made"]
    assert len(CASES) >= 220
    assert 2 * len(real) >= len(CASES)
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_kind_is_there():
    for kind in KINDS:
        assert sum(case.kinds == {kind} for case in CASES) >= 5, kind
    assert set().union(*(case.kinds for case in CASES)) == set(KINDS)


def test_labels_fit_their_cells():
    for case in CASES:
        rows = set(case.values).union(*case.same)
        assert case.kinds, case.name
        assert rows <= set(range(len(case.cells))), case.name
        assert case.other is None or len(case.other) == len(case.cells), case.name
        assert len(set(case.cells)) > 1 or case.kinds <= {"constant", "empty"}, case.name
        assert all(cell is None or isinstance(cell, str) for cell in case.cells), case.name
        assert frame_of(case).height == len(case.cells), case.name


def test_identifiers_are_unique_but_for_a_few():
    for case in CASES:
        filled = [cell for cell in case.cells if cell]
        if case.kinds == {"identifier"}:
            assert len(set(filled)) >= 0.98 * len(filled), case.name


def test_values_belong_to_a_column():
    names = {case.name for case in CASES}
    assert set(VALUES) <= names


def test_sources_are_used_and_have_a_licence():
    used = {case.name.split("/")[0] for case in CASES if case.source != "made"}
    assert used == set(SOURCES)
    assert {source.package for source in SOURCES.values()} == set(VERSIONS)
    assert all(source.licence and source.credit for source in SOURCES.values())


def test_the_readme_credits_every_source():
    text = (Path(__file__).parent / "torture" / "README.md").read_text()
    for source in SOURCES.values():
        credit = f"| {source.package} | {source.path.split('/')[-1]} | {source.licence} | {source.credit} |"
        assert credit in text, credit


def test_the_made_half_is_the_same_each_time():
    assert cases() == CASES


def test_the_labels_themselves_score_everything():
    for case in CASES:
        cleaned = {row: value[0] if isinstance(value, tuple) else value for row, value in case.values.items()}
        cleaned.update({row: "one" for rows in case.same for row in rows if row not in cleaned})
        result = score(lambda frame, name, c=case, v=cleaned: (c.kinds, v), [case])
        assert not result.wrong
        assert result.kinds == 1


def test_one_answer_for_all_gets_little():
    result = score(lambda frame, name: ("category", frame[name].to_list()), CASES)
    assert result.kinds < 0.5
    assert result.cleaning < 0.5


def test_mistakes_are_told():
    case = next(case for case in CASES if case.name == "made/number/percent")
    result = score(lambda frame, name: ("number", [0.0] * frame.height), [case])
    assert (result.kinds, result.cleaning) == (1, 0)
    assert "made/number/percent[5]: '12%' became 0.0, needs (12, 0.12)" in result.wrong
    result = score(lambda frame, name: ("text", frame[name].to_list()), [case])
    assert result.wrong == ["made/number/percent: said text, needs number"]


def test_an_exception_is_a_wrong_answer():
    def judge(frame, name):
        raise ValueError("no")

    result = score(judge, CASES[:3])
    assert result.kinds == 0
    assert "ValueError: no" in result.wrong[0]


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (None, None),
        (None, NAN),
        (1.5, 1.5),
        (1e9, 1e9 + 1),
        (3, "3.0"),
        (True, 1),
        (True, "Yes"),
        (False, "nein"),
        ((1, None), None),
        ("red", "RED"),
        ("2024-01-31", date(2024, 1, 31)),
        ("2024-01-31", datetime(2024, 1, 31)),
        ("2024-01-31", "2024-01-31T00:00:00"),
        ("2024-01-31 15:30:00", datetime(2024, 1, 31, 15, 30)),
        ("15:30:00", time(15, 30)),
        ("15:30:00", timedelta(hours=15.5)),
        ("15:30:00", 55800),
        ("15:30:00", 15.5),
    ],
)
def test_values_that_are_equal(expected, got):
    assert equal(expected, got)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (None, "NA"),
        (1.5, None),
        (1234.5, "1'234,5"),
        (True, "maybe"),
        (False, None),
        ("red", " red"),
        ("01", 1),
        ("01", "1"),
        ("2024-01-31", datetime(2024, 1, 31, 1)),
        ("2024-03-04", date(2024, 4, 3)),
        ("15:30:00", time(15, 31)),
    ],
)
def test_values_that_differ(expected, got):
    assert not equal(expected, got)


def test_labels_are_named_by_source_and_column():
    assert Label("planes", "year", "number").name == "planes/year"
