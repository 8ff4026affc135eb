"""Cleaned values of some cells of the real columns, by row of the sample.

A number, a bool, a text, a day with or without a time ("2013-01-06 17:00:00"), or None where the cell is
missing. A tuple holds values of which any is right.
"""

from typing import Any


def zoned(wall: str, utc: str) -> tuple[str, str]:
    """Both readings of a time with an offset."""
    return wall, utc


def span(seconds: float) -> tuple[float, ...]:
    """A length of time, in whatever unit."""
    return seconds, seconds / 60, seconds / 3600, seconds / 86400, seconds * 1000


VALUES: dict[str, dict[int, Any]] = {
    "flights/dep_time": {16: None},
    "flights/tailnum": {0: "N14228", 194: None},
    "weather-ny/wind_gust": {0: None, 4: 27.61872, 6: 19.56326},
    "weather-ny/time_hour": {0: "2013-01-01 06:00:00", 1: "2013-01-06 17:00:00"},
    "planes/year": {65: None},
    "penguins-raw/Sex": {0: "MALE", 2: None},
    "penguins-raw/Delta 13 C (o/oo)": {0: None, 1: -24.69454, 15: -24.3613},
    "penguins-raw/Comments": {1: None, 2: "Adult not sampled."},
    "penguins-raw/Clutch Completion": {0: True, 4: False},
    "penguins-raw/Date Egg": {0: "2007-11-11", 2: "2007-11-16"},
    "penguins/body_mass_g": {0: 3750, 2: None},
    "countries/continentcode": {0: "EU", 3: "NA"},
    "cities/admin1code": {0: "08", 2: "06", 29: "ZH"},
    "counties/fips": {0: "01001", 1: "01033"},
    "elements/atomic mass": {0: 1.00794, 32: 74.9216},
    "elements/density": {0: 8.99e-5, 2: 0.54, 84: None},
    "elements/year discovered": {0: (1766, "1766-01-01")},
    "elements/group": {0: 1, 1: 18, 56: None},
    "anscombe/Iy": {0: 8.04, 8: 10.84},
    "antibiotics/penicillin": {0: 800, 2: 3, 9: 0.001, 14: 0.005},
    "antibiotics/gram": {0: ("negative", False), 7: ("negative", False), 13: ("positive", True)},
    "sprint/Time": {0: 9.63, 11: 10.04},
    "unemployment/1": {0: "01", 1: "01"},
    "unemployment/2": {0: "001", 2: "065"},
    "unemployment/5": {0: 23288, 3: 181879, 56: 960},
    "commits/date": {
        0: zoned("2017-04-22 15:11:58", "2017-04-22 20:11:58"),
        5: zoned("2017-01-03 12:08:32", "2017-01-03 18:08:32"),
        101: zoned("2014-08-01 15:06:49", "2014-08-01 14:06:49"),
        102: zoned("2014-07-27 10:41:24", "2014-07-27 08:41:24"),
    },
    "glucose/isig": {0: 22.59, 227: None},
    "glucose/datetime": {0: "2010-03-24 09:51:00", 2: "2010-03-26 05:21:00"},
    "sea/time (UTC)": {0: "2016-02-15", 1: "2016-02-17"},
    "cycling/time": {1: span(21), 2: span(43)},
    "seattle-temps/date": {1: "2010-01-02 19:00:00", 2: "2010-01-04 15:00:00"},
    "seattle-weather/date": {0: "2012-01-01", 2: "2012-01-15"},
    "stocks/date": {0: "2000-01-01", 2: "2000-06-01"},
    "stocks-bokeh/Volume": {0: 9616100, 166: 127843200},
    "iowa/year": {0: "2001-01-01"},
    "co2/date": {0: "1958-03-29", 1: "1958-06-14"},
    "co2/co2": {0: 316.1, 1: None},
    "electric/DATE": {0: "1995-01-01", 1: "1995-02-01"},
    "tips/smoker": {0: False, 46: True},
    "titanic/class": {0: "1st"},
    "superstore/Postal Code": {0: "42420", 6: "7109"},
    "superstore/Profit": {0: 41.9136, 8: -317.1528},
    "movies/Released": {0: "2009-01-19", 1: "1998-10-29"},
    "education/Code": {0: "01", 2: "04", 52: None},
    "education/TOTAL": {0: 12426, 1: 1158, 45: 768, 52: None},
    "surplus/ship_date": {0: "2006-05-19", 3: "2010-12-15", 5: "2006-10-02", 14: "2010-08-03"},
    "languages/AIANHH": {0: "0000"},
    "languages/COUNTY": {0: "000", 2: "001"},
    "languages/POP": {0: 281421905, 83: None, 116: 0},
    "reactors/Docket No": {0: "05000293", 1: None, 2: "05000335"},
    "reactors/Notification Time": {0: "09:03:00", 1: "14:29:00"},
    "reactors/Event Time": {0: "01:20:00", 1: None, 2: "02:00:00"},
    "reactors/Event Dt": {0: "2011-01-05", 1: "2011-01-10", 2: "2011-01-19"},
    "reactors/Agreement State Ind": {0: True},
    "actg175/cd496": {0: 660, 6: None, 177: 7},
    "gbsg2/horTh": {0: False, 1: True},
    "lung/meal.cal": {0: 1175, 2: None, 119: 96},
    "lymph/diagdateb": {0: "1984-08-17", 2: "1985-06-26"},
    "lupus/dead": {0: False, 1: True},
    "lupus/year_month_of_diagnosis": {0: ("1949-02-01", "1949-02"), 1: ("1949-03-01", "1949-03")},
    "mice/u": {0: 381, 27: (float("inf"), None), 130: 1008},
    "nh4/Date.On": {0: "2009-01-06"},
    "nh4/NH4.Orig.mg.per.L": {2: 0.006, 57: 0.08},
    "nh4/Censored": {0: True, 2: False},
    "senators/start_date": {0: "1887-05-12", 2: "1995-09-21"},
    "senators/end_date": {0: "1893-10-30", 28: ("2013-10-01 22:20:10", "2013-10-01")},
    "senators/observed": {0: True, 28: False},
    "arrests/released": {0: True, 3: False},
    "strikes/iprod": {0: 0.01138, 14: -0.03957, 39: 0.0645},
    "rand/ghindx": {0: None, 45: 100, 47: 96.3},
    "febrl/street_number": {0: 6, 22: None, 37: 1075},
    "febrl/postcode": {0: "4011", 171: "0870"},
    "febrl/state": {0: "wa", 2: "nsw"},
    "febrl/date_of_birth": {0: "1908-12-09", 1: "1953-03-13", 13: None},
    "adult/workclass": {0: "Private", 6: None, 7: "Self-emp-not-inc"},
}
