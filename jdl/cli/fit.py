"""``jdl fit``: a model of any table."""

import argparse
from pathlib import Path

from jdl import models
from jdl.cli.schema import read
from jdl.cli.settings import completed, overridden, toml
from jdl.cli.show import report
from jdl.cli.study import Study, fitted_rows, study
from jdl.data import DataError, holdout, infer_schema, read_table

TEST = 0.2  # of the labelled rows, held out for the scores
FEWEST = 10  # labelled rows: some train, some choose the epoch, some are scored


def run(options: argparse.Namespace) -> None:
    """Hold out test rows, train on the others, score and save."""
    job = asked(options)
    if options.show_config:
        print(config(job))
        return
    report(study(job), as_json=options.json)


def asked(options: argparse.Namespace) -> Study:
    """Read the table and hold out its test rows: what is to be trained, as the options and their file say."""
    options = completed(options)
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
    hyper = options.hyper if options.epochs is None else options.hyper | {"epochs": options.epochs}
    return Study(
        options.table.name, str(options.table), rows[train], rows[test], found, out, options.seed,
        hyper, options.model, unlabelled=table.height - rows.height, reason=schema.target.reason,
        command=options.typed,
    )  # fmt: skip


def config(job: Study) -> str:
    """Write what would be trained as TOML, to be edited and given back by ``--config``."""
    network = job.network or models.DEFAULT
    hyper = overridden(models.defaults(fitted_rows(job), job.schema, network), job.hyper)
    goals = [part.name for part in job.schema.targets]
    options = {"target": goals[0] if len(goals) == 1 else goals, "model": network, "seed": job.seed}
    return toml(options, {name: value for name, value in hyper.items() if name != "rows"})
