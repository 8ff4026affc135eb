"""``jdl report``: a saved model judged on labelled rows, as one page of HTML."""

import argparse

from jdl import disk, io
from jdl.report import report


def run(options: argparse.Namespace) -> None:
    """Write the page, beside the model unless another place is named."""
    model = io.load(options.model)
    out = options.out or options.model / "report.html"
    page = report(model, options.table, title=options.table.stem, command=options.typed)
    disk.put(out, page.encode())
    print(f"written to {out}")
