"""``jdl fit``: a model of any table."""

import argparse
from pathlib import Path

from jdl.cli.schema import read
from jdl.cli.show import report
from jdl.cli.study import Study, study
from jdl.data import DataError, holdout, infer_schema, read_table

TEST = 0.2  # of the labelled rows, held out for the scores
FEWEST = 10  # labelled rows: some train, some choose the epoch, some are scored


def run(options: argparse.Namespace) -> None:
    """Hold out test rows, train on the others, score and save."""
    out = options.out or Path(f"{options.table.stem}-model")
    given = None if options.schema is None else read(options.schema)
    table = read_table(options.table, given.text_columns if given else ())
    schema = given or infer_schema(table, options.target, options.task)
    rows = schema.labelled(table)
    if rows.height < FEWEST:
        raise DataError(
            f"{options.table}: {rows.height} rows have a target; needs at least {FEWEST}: "
            "some train, some choose the epoch, some are scored"
        )
    train, test = holdout(
        schema.encode_target(rows), TEST, options.seed, stratify=schema.task == "classification"
    )
    # The levels and ranges of the columns are those of the training rows, unless they were given.
    goals = tuple(part.name for part in schema.targets)
    found = given or infer_schema(rows[train], goals, schema.task)
    job = Study(
        options.table.name, str(options.table), rows[train], rows[test], found, out, options.seed,
        options.epochs, options.model, unlabelled=table.height - rows.height, reason=schema.target.reason,
        command=options.typed,
    )  # fmt: skip
    report(study(job), as_json=options.json)
