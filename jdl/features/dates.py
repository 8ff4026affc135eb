"""Dates as numbers: the parts of the calendar, in integers, and the time that has passed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jdl.features.numbers import median_and_span, scaled
from jdl.features.prepare import Prepare, Summary, from_summary

MISSING_DAY = -(2**31)
"""The day of a missing date, as ``schema.encode`` gives it."""

FARTHEST = 2**24
"""Days are cut here, 46 thousand years from 1970: so many are whole numbers in float32."""

DateStep = Callable[[tuple[str, ...]], Prepare]


class Civil(NamedTuple):
    """A day of the Gregorian calendar: month and day from 1, weekday (Monday) and day of the year from 0."""

    year: jax.Array
    month: jax.Array
    day: jax.Array
    weekday: jax.Array
    day_of_year: jax.Array


def civil(days: jax.Array) -> Civil:
    """Give the civil dates of days since 1970-01-01, int32 of any shape, within 5 million years of it.

    Source: Hinnant, "chrono-compatible low-level date algorithms", days in years that begin in March.

    >>> [int(part) for part in civil(jnp.array(19_782))]  # Thursday, 29 February 2024
    [2024, 2, 29, 3, 59]
    """
    shifted = days + 719_468  # since 0000-03-01
    era = jnp.floor_divide(shifted, 146_097)  # of 400 years
    day = shifted - era * 146_097
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    since_march = day - (365 * year + year // 4 - year // 100)
    month = (5 * since_march + 2) // 153
    civil_year = year + era * 400 + (month >= 10)
    leap = (civil_year % 4 == 0) & ((civil_year % 100 != 0) | (civil_year % 400 == 0))
    day_of_year = jnp.where(month >= 10, since_march - 306, since_march + 59 + leap)
    return Civil(
        civil_year,
        jnp.where(month < 10, month + 3, month - 9),
        since_march - (153 * month + 2) // 5 + 1,
        (days + 3) % 7,
        day_of_year,
    )


def calendar() -> DateStep:
    """Turn dates into the time since the training rows' median, and parts of the calendar.

    A step for the dates of a table: a function of the kinds of its columns, ``"date"`` or ``"datetime"``,
    that makes a preparation of ``(d, 2)``, days since 1970-01-01 and seconds of the day. Of each date it
    gives, in ``numbers``, the days since the median date of a sample of the training rows, over the span of
    their middle half (over half their range where that is 0); and in ``flat``:

    * the year, in tens of years since that of the median; month, day, weekday and day of the year, from -1
      to 1 over their range; sine and cosine of the weekday and the day of the year as angles;
    * of a date and time also the hour with its fraction, from -1 to 1, and as an angle;
    * 1 where the date is missing; all else is 0 then.

    >>> prepare = calendar()(("date",))
    >>> days = jnp.array([[[0, 0]], [[1, 0]], [[2, 0]], [[3, 0]], [[4, 0]]])
    >>> stats = prepare.fit(None, days, None, None)
    >>> found = prepare.apply(stats, jnp.array([[6, 0]]))
    >>> found["numbers"].tolist(), found["flat"].shape
    ([2.0], (10,))
    """

    def step(kinds: tuple[str, ...]) -> Prepare:
        timed = np.array([i for i, kind in enumerate(kinds) if kind == "datetime"], int)
        inner = median_and_span()

        def part(key: Any, rows: jax.Array, target: Any, weight: Any, first: Any = 0) -> Any:
            return inner.part(key, _since(rows, 0), target, weight, first)

        def apply(stats: Any, row: jax.Array, fold: Any = None, key: Any = None) -> dict[str, jax.Array]:
            there = row[:, 0] != MISSING_DAY
            base = jnp.floor(
                stats["center"]
            )  # differences of whole days first: no second is lost to rounding
            near = {"center": stats["center"] - base, "scale": stats["scale"]}
            elapsed = scaled(near, _since(row, base.astype(jnp.int32)))
            parts = [jnp.where(there, part, 0.0) for part in _parts(row[:, 0], base.astype(jnp.int32))]
            parts += [jnp.where(there[timed], part, 0.0) for part in _hours(row[timed, 1])]
            flat = jnp.concatenate([*parts, ~there], dtype=jnp.float32)
            return {"numbers": jnp.where(there, elapsed, 0.0), "flat": flat}

        return from_summary(Summary(part, inner.merge, inner.finish), apply)

    return step


def _since(dates: jax.Array, base: Any) -> jax.Array:
    """Give days with their fraction since day ``base``, NaN where missing."""
    days = (jnp.clip(dates[..., 0], -FARTHEST, FARTHEST) - base).astype(jnp.float32)
    return jnp.where(dates[..., 0] == MISSING_DAY, jnp.nan, days + _seconds(dates[..., 1]) / 86_400)


def _parts(days: jax.Array, base: jax.Array) -> list[jax.Array]:
    at = civil(jnp.clip(days, -FARTHEST, FARTHEST))
    years = (at.year - civil(base).year) / 10
    return [
        years,
        (at.month - 6.5) / 5.5,
        (at.day - 16) / 15,
        (at.weekday - 3) / 3,
        at.day_of_year / 182.5 - 1,
        *_angle(at.weekday / 7),
        *_angle(at.day_of_year / 365.25),
    ]


def _hours(seconds: jax.Array) -> list[jax.Array]:
    day = _seconds(seconds) / 86_400
    return [2 * day - 1, *_angle(day)]


def _seconds(seconds: jax.Array) -> jax.Array:
    return jnp.clip(seconds, 0, 86_399).astype(jnp.float32)


def _angle(turns: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.sin(2 * jnp.pi * turns), jnp.cos(2 * jnp.pi * turns)
