"""Times of day and durations written as text, in seconds."""

import polars as pl

from jdl.data.columns import Kind

_CLOCK = (
    r"^(?P<sign>-)?(?:(?P<days>\d+) ?d(?:ays?)?,? ?)?(?P<hours>\d+):(?P<minutes>[0-5]\d)"
    r"(?::(?P<seconds>[0-5]\d(?:[.,]\d+)?))? ?(?P<half>[AaPp])?(?:\.?[Mm]\.?)?$"
)
_PARTS = (
    r"^(?P<sign>-)?(?:(?P<days>\d+) ?d(?:ays?)?)?,? ?(?:(?P<hours>\d+) ?h(?:ours?|rs?)?)?,? ?"
    r"(?:(?P<minutes>\d+) ?m(?:in(?:utes?|s)?)?)?,? ?(?:(?P<seconds>\d+(?:\.\d+)?) ?s(?:ec(?:onds?|s)?)?)?$"
)


def parse(text: pl.Series, kind: Kind) -> pl.Series:
    """Read times of day or durations as seconds.

    Times are ``14:30``, ``14h30``, ``2:30:15.5 pm``; durations ``36:15:00``, ``1 day 02:00:00``, ``1h 30m``,
    ``PT5M``.

    What cannot be read is null; a time of day has neither a sign nor days, and less than 24 hours.

    >>> parse(pl.Series(["2:30 pm", "14:30:00.5", "25:00"]), "time").to_list()
    [52200.0, 52200.5, None]
    >>> parse(pl.Series(["1 day 02:00:00", "1h 30m", "PT5M"]), "duration").to_list()
    [93600.0, 5400.0, 300.0]
    """
    if not len(text):
        return pl.Series(text.name, [], pl.Float64)
    text = text.str.replace(r"^(\d{1,2}) ?[hH] ?([0-5]\d)$", "${1}:${2}")
    parts = text.str.extract_groups(_CLOCK).struct.unnest()
    hours, half = parts["hours"].cast(pl.Float64, strict=False), parts["half"].str.to_lowercase()
    if kind == "time":
        twelve = half.is_not_null()
        allowed = (twelve & hours.is_between(1, 12)) | (~twelve & (hours < 24))
        usable = allowed & parts["sign"].is_null() & parts["days"].is_null()
        hours = hours.zip_with(~twelve, hours % 12 + 12.0 * (half == "p").fill_null(False).cast(pl.Float64))
        return _seconds(parts, hours).set(~usable.fill_null(False), None)
    clocked = _seconds(parts, hours).set(half.is_not_null() | hours.is_null(), None)
    if not clocked.null_count():
        return clocked
    plain = (
        text.str.to_lowercase().str.replace(r"^(-?)p(\d.*)?t?", "${1}${2}").str.replace("t", "", literal=True)
    )
    written = text.str.contains(r"^-?[Pp]").fill_null(False)
    lower = plain.zip_with(written, text.str.to_lowercase())
    named = lower.str.extract_groups(_PARTS).struct.unnest()
    empty = pl.DataFrame([named[name].is_null() for name in ("days", "hours", "minutes", "seconds")])
    lengths = _seconds(named, named["hours"].cast(pl.Float64, strict=False))
    return clocked.fill_null(lengths.set(empty.select(pl.all_horizontal(pl.all())).to_series(), None))


def kind_of(sample: pl.Series) -> Kind | None:
    """Tell whether a sample of texts holds times of day, or durations, or None of them."""
    for kind in ("time", "duration"):
        if 2 * parse(sample, kind).count() > len(sample):
            return kind if kind == "duration" or _all_times(sample) else "duration"
    return None


def _all_times(sample: pl.Series) -> bool:
    """Tell whether what reads as a duration reads as a time, too; ``36:15`` does not."""
    times, spans = parse(sample, "time"), parse(sample, "duration")
    return not (times.is_null() & spans.is_not_null()).any()


def _seconds(parts: pl.DataFrame, hours: pl.Series) -> pl.Series:
    days = parts["days"].cast(pl.Float64, strict=False).fill_null(0.0)
    minutes = parts["minutes"].cast(pl.Float64, strict=False).fill_null(0.0)
    seconds = (
        parts["seconds"].str.replace(",", ".", literal=True).cast(pl.Float64, strict=False).fill_null(0.0)
    )
    size = 86400 * days + 3600 * hours.fill_null(0.0) + 60 * minutes + seconds
    return size.zip_with(parts["sign"].is_null(), -size)
