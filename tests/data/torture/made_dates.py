"""Made columns of days and times, and what only looks like them."""

import random
from datetime import UTC, date, datetime, time, timedelta

from tests.data.torture.case import Case, Draw, level, made, plain
from tests.data.torture.made_numbers import gone
from tests.data.torture.words import words

GERMAN = words("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")
FRENCH = words("janvier février mars avril mai juin juillet août septembre octobre novembre décembre")


def moment(chance: random.Random, first: int = 2015, last: int = 2024) -> datetime:
    """A second of these years."""
    start = datetime(first, 1, 1)
    return start + timedelta(
        seconds=chance.randrange(int((datetime(last + 1, 1, 1) - start).total_seconds()))
    )


def days(form: str, first: int = 2015, last: int = 2024) -> Draw:
    """Draw days, written as ``strftime`` does; without zeros in front where the form has ``%-``."""

    def draw(chance, _):
        day = moment(chance, first, last).date()
        text = form.replace("%-d", str(day.day)).replace("%-m", str(day.month))
        return day.strftime(text), day.isoformat()

    return draw


def times(form: str, offset: int = 0) -> Draw:
    """Draw days with times; ``offset`` hours lie between the clock on the wall and UTC."""

    def draw(chance, _):
        at = moment(chance)
        text = at.strftime(form).replace("%-I", str((at.hour + 11) % 12 + 1))
        if "%S" not in form:
            at = at.replace(second=0)
        utc = at - timedelta(hours=offset)
        value = str(at) if not offset else (str(at), str(utc))
        return text, value

    return draw


def named(months: list[str], form: str) -> Draw:
    """Draw days with the months of another language."""

    def draw(chance, _):
        day = moment(chance).date()
        return form.format(day=day.day, month=months[day.month - 1], year=day.year), day.isoformat()

    return draw


def epoch(scale: int) -> Draw:
    """Draw seconds since 1970, times ``scale``."""

    def draw(chance, i):
        at = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=9 * i, seconds=chance.randrange(9000))
        return str(int(at.timestamp()) * scale), at.strftime("%Y-%m-%d %H:%M:%S")

    return draw


def serial(chance, _):
    """A day as a spreadsheet counts them."""
    day = moment(chance).date()
    return str((day - date(1899, 12, 30)).days), (day.isoformat(), (day - date(1899, 12, 30)).days)


def either(chance, _):
    """Day and month both at most twelve: nothing tells which is which."""
    a, b = chance.randint(1, 12), chance.randint(1, 12)
    return f"{a:02d}/{b:02d}/2023", (f"2023-{a:02d}-{b:02d}", f"2023-{b:02d}-{a:02d}")


def clock(form: str, exact: bool = False) -> Draw:
    """Draw times of day."""

    def draw(chance, _):
        at = time(chance.randint(0, 23), chance.randint(0, 59), chance.randint(0, 59) if exact else 0)
        text = at.strftime(form.replace("%-H", str(at.hour)).replace("%-I", str((at.hour + 11) % 12 + 1)))
        return text, at.isoformat()

    return draw


def hhmm(chance, _):
    """A time of day in four digits, which may stay a number or a code."""
    at = time(chance.randint(0, 23), chance.randint(0, 59))
    text = at.strftime("%H%M")
    return text, (at.isoformat(), int(text), text)


def iso_dates() -> list[Case]:
    """What the standard says, and near it."""
    return [
        made("date/iso", "date", days("%Y-%m-%d")),
        made(
            "date/iso-gaps",
            "date",
            days("%Y-%m-%d"),
            odd=gone("", "NA", "n/a", "-", "null", "0000-00-00", "NaT"),
        ),
        made("date/iso-words", "date", days("%Y-%m-%d"), odd=gone("unknown", "pending", "not yet", "tbd")),
        made("date/iso-t", "date", times("%Y-%m-%dT%H:%M:%S")),
        made("date/iso-space", "date", times("%Y-%m-%d %H:%M:%S")),
        made("date/iso-minutes", "date", times("%Y-%m-%d %H:%M")),
        made("date/iso-z", "date", times("%Y-%m-%dT%H:%M:%SZ")),
        made("date/iso-millis", "date", times("%Y-%m-%dT%H:%M:%S.000Z")),
        made("date/iso-offset", "date", times("%Y-%m-%dT%H:%M:%S+02:00", 2)),
        made("date/iso-slash", "date", days("%Y/%m/%d")),
        made("date/iso-points", "date", days("%Y.%m.%d")),
        made("date/iso-blanks", "date", days(" %Y-%m-%d ")),
        made("date/compact", "date", days("%Y%m%d"), column="birth_date"),
        made("date/compact-time", "date", times("%Y%m%dT%H%M%S")),
        made("date/compact-digits", "date", times("%Y%m%d%H%M%S"), column="created"),
        made("date/old", "date", days("%Y-%m-%d", 1290, 1899)),
        made(
            "date/far-future",
            "date",
            days("%Y-%m-%d"),
            odd=[("9999-12-31", (None, "9999-12-31"))] * 4,
            column="valid_until",
        ),
        made(
            "date/two-days",
            "date category",
            level(("2024-01-15", "2024-01-15"), ("2024-06-20", "2024-06-20")),
            column="exam_date",
        ),
        made("date/month", "date category", plain(lambda c, _: moment(c).strftime("%Y-%m"))),
        made(
            "date/quarter", "date category", plain(lambda c, _: f"{c.randint(2018, 2024)}-Q{c.randint(1, 4)}")
        ),
        made("date/week", "date category", plain(lambda c, _: f"2023-W{c.randint(1, 52):02d}"), n=200),
    ]


def other_dates() -> list[Case]:
    """Dates of Europe and America, with words, as numbers."""
    return [
        made("date/eu-points", "date", days("%d.%m.%Y"), odd=[("03.04.2021", "2021-04-03")]),
        made("date/eu-points-short", "date", days("%-d.%-m.%Y"), odd=[("3.4.2021", "2021-04-03")]),
        made("date/eu-points-two-digits", "date", days("%d.%m.%y"), odd=[("03.04.21", "2021-04-03")]),
        made("date/eu-points-time", "date", times("%d.%m.%Y %H:%M")),
        made("date/eu-slash", "date", days("%d/%m/%Y"), odd=[("03/04/2021", "2021-04-03")]),
        made("date/eu-dash", "date", days("%d-%m-%Y"), odd=[("03-04-2021", "2021-04-03")]),
        made("date/us-slash", "date", days("%m/%d/%Y"), odd=[("03/04/2021", "2021-03-04")]),
        made("date/us-short", "date", days("%-m/%-d/%Y"), odd=[("3/4/2021", "2021-03-04")]),
        made("date/us-two-digits", "date", days("%-m/%-d/%y"), odd=[("3/4/21", "2021-03-04")]),
        made("date/us-dash", "date", days("%m-%d-%Y"), odd=[("03-04-2021", "2021-03-04")]),
        made("date/us-noon", "date", times("%m/%d/%Y %-I:%M:%S %p")),
        made("date/us-time", "date", times("%m/%d/%Y %H:%M")),
        made("date/either", "date", either),
        made("date/eu-gaps", "date", days("%d.%m.%Y"), odd=gone("-", "unbekannt", "", "00.00.0000", "k.A.")),
        made("date/day-month", "date", days("%d-%b-%Y")),
        made("date/day-month-two-digits", "date", days("%d-%b-%y")),
        made(
            "date/day-month-upper",
            "date",
            plain(lambda c, _: moment(c).strftime("%d%b%Y").upper()),
            odd=[("05JAN2024", "2024-01-05")],
        ),
        made("date/month-day", "date", days("%B %-d, %Y"), odd=[("March 4, 2021", "2021-03-04")]),
        made("date/month-day-time", "date", times("%b %d, %Y %-I:%M %p")),
        made("date/written", "date", days("%-d %B %Y")),
        made("date/weekday", "date", days("%a %d %b %Y")),
        made("date/mail", "date", times("%a, %d %b %Y %H:%M:%S +0100", 1)),
        made("date/german", "date", named(GERMAN, "{day}. {month} {year}")),
        made("date/french", "date", named(FRENCH, "{day} {month} {year}")),
        made("date/epoch-seconds", "date", epoch(1), column="timestamp"),
        made("date/epoch-millis", "date", epoch(1000), column="created_at_ms"),
        made("date/spreadsheet", "date number", serial, column="order_date"),
        made(
            "date/two-forms",  # two people filled it in
            "date",
            lambda chance, i: (days("%Y-%m-%d") if i % 3 else days("%d.%m.%Y"))(chance, i),
            labelled=6,
        ),
    ]


def time_cases() -> list[Case]:
    """Times of day."""
    return [
        made("time/minutes", "time", clock("%H:%M")),
        made("time/seconds", "time", clock("%H:%M:%S", exact=True)),
        made("time/millis", "time", clock("%H:%M:%S.000", exact=True)),
        made("time/noon", "time", clock("%-I:%M %p")),
        made("time/noon-tight", "time", clock("%-I:%M%p")),
        made("time/short", "time", clock("%-H:%M")),
        made("time/gaps", "time", clock("%H:%M"), odd=gone("", "n/a", "-", "--:--")),
        made("time/french", "time", clock("%-Hh%M"), column="heure"),
        made("time/digits", "time number category", hhmm, column="time_hhmm"),
        made(
            "time/few",
            "time category",
            level(("08:00", "08:00:00"), ("12:30", "12:30:00"), ("18:15", "18:15:00")),
        ),
    ]


def traps() -> list[Case]:
    """What is neither."""
    parts = lambda c, _: f"{c.randint(40, 99)}-{c.randint(32, 99)}-{c.randint(10, 99)}"
    version = lambda c, _: c.choice(["1.2.3", "1.10.0", "2.0.1", "2.1.0", "3.0.0", "10.1.12"])
    pressure = lambda c, _: f"{c.randint(95, 160)}/{c.randint(55, 100)}"
    return [
        made("trap/versions", "category", plain(version), column="version"),
        made("trap/match-results", "category", plain(lambda c, _: f"{c.randint(0, 4)}-{c.randint(0, 4)}")),
        made(
            "trap/part-numbers",
            "identifier",
            plain(lambda c, i: parts(c, i) + f"{i:03d}"),
            n=200,
            column="part_no",
        ),
        made(
            "trap/blood-pressure", "text category identifier", plain(pressure), n=150, column="blood_pressure"
        ),
        made("trap/weekdays", "category", level("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")),
        made(
            "trap/months",
            "category",
            level("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
        ),
        made("trap/age-bands", "category", level("5-9", "10-12", "1-4", "13-17"), column="age_group"),
        made(
            "trap/birth-year-short",
            "number category date",
            plain(lambda c, _: f"{c.randint(40, 99)}"),
            n=200,
            column="birth_yr",
        ),
        made("trap/chess", "category", level("1-0", "0-1", "1/2-1/2"), column="result"),
        made("trap/semesters", "category date", level("2021/22", "2022/23", "2023/24"), column="season"),
        made(
            "trap/hours",
            "number category time",
            plain(lambda c, _: str(c.randint(0, 23))),
            n=200,
            column="hour",
        ),
        made(
            "trap/decimals-of-day",
            "number",
            plain(lambda c, _: f"{c.uniform(0, 24):.2f}"),
            column="hours_slept",
        ),
        made(
            "trap/person-number",
            "identifier",
            plain(lambda c, i: f"{c.randint(100, 899):03d}-{c.randint(10, 99)}-{1000 + 37 * i}"),
            column="ssn",
        ),
    ]


def cases() -> list[Case]:
    """All of this file."""
    return iso_dates() + other_dates() + time_cases() + traps()
