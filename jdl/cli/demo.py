"""``jdl demo``: a real table from start to end."""

import argparse

from jdl import datasets
from jdl.cli.show import report
from jdl.cli.study import Study, study
from jdl.data import infer_schema


def run(options: argparse.Namespace) -> None:
    """Train on the official training rows of Adult and score the official test rows."""
    train, test = datasets.adult()
    title = "Adult: does a person of the 1994 census earn more than $50,000 a year? (UCI, CC BY 4.0)"
    hyper = {} if options.epochs is None else {"epochs": options.epochs}
    asked = options.out, options.seed or 0, hyper, options.model
    job = Study("adult", title, train, test, infer_schema(train, "income"), *asked, command=options.typed)
    report(study(job), as_json=options.json)
