"""``jdl fit``: a model of any table."""

import argparse
from pathlib import Path

from jdl.cli.show import report
from jdl.cli.study import Study, study
from jdl.data import DataError, holdout, infer_schema, read_table

TEST = 0.2  # of the labelled rows, held out for the scores
FEWEST = 10  # labelled rows: some train, some choose the epoch, some are scored


def run(options: argparse.Namespace) -> None:
    """Hold out test rows, train on the others, score and save."""
    out = options.out or Path(f"{options.table.stem}-model")
    table = read_table(options.table)
    schema = infer_schema(table, options.target, options.task)
    rows = schema.labelled(table)
    if rows.height < FEWEST:
        raise DataError(
            f"{options.table}: {rows.height} rows have a target; needs at least {FEWEST}: "
            "some train, some choose the epoch, some are scored"
        )
    train, test = holdout(
        schema.encode_target(rows), TEST, options.seed, stratify=schema.task == "classification"
    )
    job = Study(
        options.table.name, str(options.table), rows[train], rows[test], options.target, schema.task, out,
        options.seed, options.epochs, options.model,
        unlabelled=table.height - rows.height, reason=schema.target.reason,
    )  # fmt: skip
    report(study(job), as_json=options.json)
