"""What the name of a column says of its values."""

import re

_KEY = re.compile(
    r"(?i:(?:^|[_\s.-])(?:id|ids|uid|key|zip|zipcode|zip_?code|post_?code|postal_?code|plz|sku|code|no)$)"
    r"|[a-z](?:Id|ID|Code)$"
    r"|(?i:(?:^|[_\s.-])(?:naics|isbn|issn|ean|gtin|upc|imei|ssn)$)|(?i:fips$)"
)
_INDEX = re.compile(r"(?i:^(?:unnamed: ?\d+|index|id|row|row_?(?:id|number|no)|)$)")
_COUNTED = re.compile(r"(?i:[_\s.-](?:num|number|nr)$|\w(?:id|num|nr)$)")
_NO_KEY = re.compile(  # words that end so, and numbers of something
    r"(?i:(?:paid|acid|covid|fluid|grid|hybrid|humid|lipid|liquid|pyramid|rapid|solid|steroid|thyroid|centroid"
    r"|squid|tabloid|valid|vivid|void|aluminum|platinum|tantalum|molybdenum)$"
    r"|(?:^|[_\s.-])(?:aid|avid|(?:high|low|max|min|best|last|start)?bid|kid|laid|maid|mid|raid|said)$"
    r"|^(?:total|sum|mean|avg|average|max|min|count)(?![a-z]))"
)
_TIMES = frozenset(["ts", "utc", "epoch", "unix", "created", "updated", "modified"])
_QUANTITY = re.compile(
    r"(?i:(?:^|[_\s.-])(?:ns|us|nanos|micros|(?:nano|micro|milli|pico)?secs?|(?:nano|micro|milli|pico)?seconds?"
    r"|bytes|bits|cycles|count|total|sum|amount|balance|size|volume|population|duration|elapsed|distance|flops"
    r"|gdp|revenue|mass|energy)(?:$|[_\s.-]))"
)


def is_key(name: str) -> bool:
    """Tell whether a name is that of keys or codes: whole numbers under it are no quantities.

    >>> [is_key(name) for name in ("customer_id", "Docket No", "FIPS", "paid", "children")]
    [True, True, True, False, False]
    """
    return _KEY.search(name) is not None


def may_be_key(name: str) -> bool:
    """Tell whether a name allows that whole numbers of which each stands once are keys.

    >>> [may_be_key(name) for name in ("geonameid", "lot number", "KundenNr", "paid", "total_num")]
    [True, True, True, False, False]
    """
    return _COUNTED.search(name) is not None and _NO_KEY.search(name) is None


def is_index(name: str) -> bool:
    """Tell whether a name is that of a count of the rows."""
    return _INDEX.search(name) is not None


def is_time(name: str) -> bool:
    """Tell whether a name is that of a moment: a word ends in time, date or stamp, or says so otherwise.

    >>> [is_time(name) for name in ("timestamp", "created_at_ms", "pickupTime", "at", "rate", "candidate_id")]
    [True, True, True, False, False, False]
    """
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]
    ends = any(re.search(r"(?:time|date|stamp)$", word) and word != "candidate" for word in words)
    return ends or not _TIMES.isdisjoint(words) or "at" in words[1:]


def is_quantity(name: str) -> bool:
    """Tell whether a name is that of something measured or counted, of numbers of any length.

    >>> [is_quantity(name) for name in ("nanoseconds_busy", "total_bytes", "tweet")]
    [True, True, False]
    """
    return _QUANTITY.search(name) is not None
