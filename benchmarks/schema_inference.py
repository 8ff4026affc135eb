"""What columns are: jdl beside skrub on the labelled columns of tests/data/torture.

python benchmarks/schema_inference.py [--judges jdl skrub] [--wrong]

Each judge sees one column at a time as text, as it stands in a CSV, and says its kind and its cleaned cells.
It prints the share of kinds and of cleaned cells that are right, over all columns, by half, and by kind.
`--wrong` lists every mistake. skrub is `pip install skrub`.
"""

import argparse
import sys
import warnings
from collections.abc import Callable, Collection, Sequence
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
    """Say what jdl's schema says of a column, with the cells as its table holds them."""
    from jdl.data import infer_schema, read_table

    table = read_table(frame)
    schema = infer_schema(table, target=None)
    for dropped in schema.dropped:
        if dropped.name == name:
            return next(kind for start, kind in REASONS.items() if dropped.reason.startswith(start)), None
    cleaned = table[name].to_list()
    for number in schema.numbers:
        if number.name == name:
            return ("number" if number.kind == "duration" else number.kind), cleaned
    kept = {"category": schema.categories, "date": schema.dates, "text": schema.texts}
    return next(kind for kind, columns in kept.items() if name in {each.name for each in columns}), cleaned


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
