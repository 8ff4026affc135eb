"""What columns are: jdl beside skrub on the labelled columns of tests/data/torture.

python benchmarks/schema_inference.py [--judges jdl skrub] [--wrong]

Each judge sees one column at a time as text, as it stands in a CSV, and says its kind and its cleaned cells.
It prints the share of kinds and of cleaned cells that are right, over all columns, by half, and by kind.
`--wrong` lists every mistake. skrub is `pip install skrub`.
"""

import argparse
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.data.torture.case import DROPPED, KINDS, Case  # noqa: E402
from tests.data.torture.cases import cases  # noqa: E402
from tests.data.torture.score import OTHER, Judge, score  # noqa: E402

Answer = tuple[str | Collection[str], Sequence[Any] | None]
REASONS = {
    "constant": "constant",
    "identifier": "identifier",
    "all missing": "empty",
    "duplicate": "duplicate",
}
# What skrub's kinds count as. It tells yes and no from no other two levels, and a key from no other words:
# both answers are right. Its threshold of 40 levels parts categories that it spells out from those it embeds.
SKRUB = {
    "numeric": {"number", "boolean"},
    "datetime": {"date"},
    "low_cardinality": {"category", "boolean"},
    "high_cardinality": {"text", "identifier", "category"},
}


def jdl_judge(frame: pl.DataFrame, name: str) -> Answer:
    """Say what jdl's schema says of a column of a CSV file, its cells as ``Schema.encode`` reads them."""
    from jdl.data import infer_schema, read_table

    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        frame.fill_null("").write_csv(file.name, quote_style="always")  # an empty line is no row
        schema = infer_schema(read_table(file.name))
        for dropped in schema.dropped:
            if dropped.name == name:
                return next(kind for start, kind in REASONS.items() if dropped.reason.startswith(start)), None
        return _as_encoded(schema, read_table(file.name, schema.text_columns)[name])


def _as_encoded(schema: Any, column: pl.Series) -> Answer:
    from jdl.data.encode import to_codes, to_days, to_float
    from jdl.data.nulls import clean

    part = next(part for part in schema.columns if part.name == column.name)
    if part in schema.numbers:
        kind = "number" if part.kind == "duration" else part.kind
        return kind, [None if math.isnan(value) else value for value in to_float(column, part).tolist()]
    if part in schema.categories:
        levels = (None, *part.levels)
        return "category", [levels[code] for code in to_codes(column, part)]
    if part in schema.dates:
        return "date", [_moment(*pair) for pair in to_days(column, part).tolist()]
    return "text", clean(column).to_list()


def _moment(day: int, second: int) -> datetime | None:
    return None if day == -(2**31) else datetime(1970, 1, 1) + timedelta(days=day, seconds=second)


def skrub_judge(frame: pl.DataFrame, name: str) -> Answer:
    """Say what skrub's TableVectorizer assigns a column to, with the cells as its cleaner leaves them.

    It reads more dates and padded numbers from pandas than from polars, so pandas it is.
    """
    from skrub import DropSimilar, TableVectorizer

    as_they_are = dict.fromkeys(SKRUB, "passthrough")
    vectorizer = TableVectorizer(drop_if_constant=True, **as_they_are)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clean = vectorizer.fit_transform(frame.to_pandas())
        if OTHER in frame.columns and clean.shape[1] == 2:
            clean = DropSimilar().fit_transform(clean)
            if clean.shape[1] == 1:  # skrub leaves open which of the two is the copy
                return "duplicate", None
    if name not in clean.columns:
        return {"constant", "empty"}, None
    return SKRUB[vectorizer.column_to_kind_[name]], clean[name].tolist()


JUDGES: dict[str, Judge] = {"jdl": jdl_judge, "skrub": skrub_judge}


def groups() -> dict[str, Callable[[Case], bool]]:
    """All columns, the halves, those that a model can use, and those of which one kind alone is right."""
    parts: dict[str, Callable[[Case], bool]] = {
        "all": lambda case: True,
        "real": lambda case: case.source != "made",
        "made": lambda case: case.source == "made",
        "of use for a model": lambda case: not case.kinds <= DROPPED,
    }
    return parts | {kind: lambda case, kind=kind: case.kinds == {kind} for kind in KINDS}


def main() -> None:
    """Print a table of scores, and the mistakes where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judges", nargs="+", choices=JUDGES, default=list(JUDGES))
    parser.add_argument("--wrong", action="store_true", help="list every mistake")
    options = parser.parse_args()
    for name in options.judges:
        result = score(JUDGES[name], cases())
        print(name)
        for group, wanted in groups().items():
            print(f"  {group:20}{result.of(wanted)}")
        if options.wrong:
            print(*result.wrong, sep="\n")


if __name__ == "__main__":
    main()
