"""A model judged on rows it has not seen, as one page."""

from collections.abc import Mapping
from importlib import metadata
from typing import Any

from numpy.typing import NDArray

import jdl
from jdl import nn
from jdl.data import DataError, read_table
from jdl.io import Model
from jdl.report import html, sections
from jdl.report.sections import Judged

LARGEST = 100_000  # rows that are looked at
PACKAGES = ("jax", "numpy", "polars")
MADE = {  # what `jdl fit` notes of the rows and of the training
    "name": "table",
    "rows": "rows trained on",
    "seed": "seed",
    "sha256": "SHA-256 of these rows",
    "compile_seconds": "compile, seconds",
    "training_seconds": "training, seconds",
    "peak_mib": "memory at its peak, MiB",
}


def report(
    model: Model, table: Any, others: Mapping[str, NDArray] | None = None, title: str = "", command: str = ""
) -> str:
    """Give one page of HTML about a model and how good it is on labelled rows it was not trained on.

    What the columns are and how their values lie; learning curves; scores with intervals, beside those of
    other models; confusion, ROC, precision and recall, calibration, or errors of numbers; what the model
    goes by; where it is weak; how it was made. The page needs no network, and the same model and rows give
    the same bytes.

    Args:
        model: what is judged.
        table: whatever ``data.read_table`` reads; rows without a target are left out, and only the first
            100,000 others are looked at.
        others: outputs of other models of the same rows, by name, as ``Model.predict_rows`` gives them.
        title: what the page is about.
        command: what was typed, to be shown.

    Raises:
        DataError: no row has a target, or a column is missing or of the wrong type.

    >>> import jax
    >>> frame = read_table({"x": [i / 40 for i in range(40)], "y": ["a", "b"] * 20})
    >>> schema = jdl.data.infer_schema(frame, "y")
    >>> recipe, hyper = jdl.models.recipe(schema, rows=40, network="linear")
    >>> data = {"x": schema.encode(frame), "y": schema.encode_target(frame)}
    >>> model = Model.of(schema, "linear", hyper, jdl.run(recipe, hyper, jax.random.key(0), data))
    >>> page = report(model, frame, title="coins")
    >>> page.startswith("<!doctype html>"), "http://" in page or "https://" in page
    (True, False)
    """
    frame = model.schema.labelled(read_table(table, model.schema.text_columns))[:LARGEST]
    if not frame.height:
        raise DataError("report: no row has a target; needs labelled rows to judge the model by")
    rows, target = model.schema.encode(frame), model.schema.encode_target(frame)
    judged = Judged(model, frame, rows, target, model.predict_rows(rows), others or {})
    name = title or ", ".join(part.name for part in model.schema.targets)
    body = [
        f"<h1>{html.escape(name)}</h1>",
        html.text(_about(judged), "soft"),
        html.text(sections.verdict(judged), "lead"),
        sections.scores(judged),
        sections.errors(judged),
        sections.weaknesses(judged),
        sections.reasons(judged),
        sections.curves(judged),
        sections.columns(judged),
        _made(judged, command),
    ]
    return html.page(name, "\n".join(filter(None, body)))


def _about(judged: Judged) -> str:
    schema, data = judged.schema, judged.model.data
    goal = ", ".join(part.name for part in schema.targets)
    trained = f"trained on {data['rows']:,} rows, " if isinstance(data.get("rows"), int) else ""
    return (
        f"A {judged.model.network_name} network for the {schema.task} of {goal}: {trained}"
        f"judged on {len(judged.target):,}."
    )


def _made(judged: Judged, command: str) -> str:
    model = judged.model
    facts: list[list[Any]] = [["parameters", f"{nn.count(model.params):,}"]]
    facts += [[name, str(value)] for name, value in sorted(model.hyper.items())]
    facts += [[MADE.get(name, name), str(value)] for name, value in sorted(model.data.items())]
    facts += [["jdl", jdl.__version__], *([name, metadata.version(name)] for name in PACKAGES)]
    words = [html.text(f"Made by: {command}")] if command else []
    return html.section("How it was made", *words, html.table(["", "value"], facts))
