"""Dates against Python's calendar, and texts against the formula."""

import datetime

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jdl import features

civil = jax.jit(features.civil)
EPOCH = datetime.date(1970, 1, 1)
MISSING = -(2**31)


def fitted_and_applied(prepare, rows, weight):
    @jax.jit
    def both(rows, weight):
        stats = prepare.fit(None, rows, None, weight)
        return jax.vmap(prepare.apply, (None, 0))(stats, rows)

    return both(rows, weight)


@given(st.lists(st.dates(), min_size=40, max_size=40))
def test_civil_dates_are_python_s(dates: list[datetime.date]) -> None:
    dates[:6] = [
        datetime.date(*day)
        for day in [(1, 1, 1), (9999, 12, 31), (2000, 2, 29), (1900, 2, 28), (1900, 3, 1), (1970, 1, 1)]
    ]
    found = civil(np.array([(date - EPOCH).days for date in dates], np.int32))
    parts = [(d.year, d.month, d.day, d.weekday(), d.timetuple().tm_yday - 1) for d in dates]
    np.testing.assert_array_equal(np.stack(found, 1), parts)


def test_a_calendar_of_dates_and_times() -> None:
    moments = [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=37 * i) for i in range(21)]
    days = np.array([[(m.date() - EPOCH).days, m.hour * 3600 + m.minute * 60] for m in moments], np.int32)
    rows = np.stack([days, days], 1)
    rows[20, 0] = [MISSING, 0]
    prepare = features.calendar()(("date", "datetime"))
    found = fitted_and_applied(prepare, rows, None)
    assert found["numbers"].shape == (21, 2) and found["flat"].shape == (21, 2 * 9 + 3 + 2)
    hours = np.arange(21) * 37.0
    middle, low, high = (np.quantile(hours, q) for q in (0.5, 0.25, 0.75))
    np.testing.assert_allclose(found["numbers"][:, 1], (hours - middle) / (high - low), atol=2e-3)
    assert (found["numbers"][20, 0], found["flat"][20, -2], found["flat"][19, -2]) == (0, 1, 0)
    flat = np.asarray(found["flat"])
    np.testing.assert_array_equal(flat[20, 0:18:2], 0)
    m = moments[7]
    yday = m.timetuple().tm_yday - 1
    turns = [m.weekday() / 7, yday / 365.25]
    angles = [part(2 * np.pi * turn) for turn in turns for part in (np.sin, np.cos)]
    want = [0, (m.month - 6.5) / 5.5, (m.day - 16) / 15, (m.weekday() - 3) / 3, yday / 182.5 - 1, *angles]
    np.testing.assert_allclose(flat[7, 1:18:2], want, atol=1e-5)
    day = (m.hour + m.minute / 60) / 24
    want = [2 * day - 1, np.sin(2 * np.pi * day), np.cos(2 * np.pi * day)]
    np.testing.assert_allclose(flat[7, 18:21], want, atol=1e-5)


def test_texts_are_signed_counts_of_what_is_rare() -> None:
    width, high = 8, 2**30
    texts = np.array([[[1, 9, 2, high + 3]], [[1, 0, 0, 0]], [[1, 2, 0, 0]], [[0, 0, 0, 0]]], np.int32)
    prepare = features.ngrams(width)
    found = fitted_and_applied(prepare, texts, jnp.array([1.0, 1.0, 1.0, 0.0]))
    rarity = lambda count: np.log(4 / (1 + count)) + 1
    want = np.zeros((4, width))
    want[0, [1, 2, 3]] = [np.log(3) * rarity(3), np.log(2) * rarity(2), -np.log(2) * rarity(1)]
    want[1, 1] = 1
    want[2, [1, 2]] = [np.log(2) * rarity(3), np.log(2) * rarity(2)]
    want[:3] /= np.linalg.norm(want[:3], axis=1, keepdims=True)
    np.testing.assert_allclose(found, want, atol=1e-6)
