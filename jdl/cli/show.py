"""What the commands print: plain text in a pipe, rich tables on a terminal, or one JSON object."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jdl.io.save import finite

Facts = dict[str, Any]

COLUMNS = 24  # shown of a wide table

NAMES = {
    "jdl": "jdl",
    "trees": "boosted-tree model",
    "logistic": "logistic regression",
    "majority": "majority class",
    "ridge": "ridge regression",
    "mean": "mean of the training rows",
}


def report(stages: Iterable[tuple[str, Facts]], *, as_json: bool) -> None:
    """Print every stage as it ends, or all as one JSON object at the end."""
    found = {}
    for stage, facts in stages:
        found[stage] = facts
        if not as_json:
            _SHOW[stage](facts)
            sys.stdout.flush()
    if as_json:
        print(json.dumps(finite(found), indent=1))


@contextmanager
def status(text: str) -> Iterator[None]:
    """Say on a terminal's standard error what is being done, for as long as it is."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table: text to the left, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(head))]
    if sys.stdout.isatty():
        _rich_table(title, head, cells, right)
    else:
        _plain_table(title, head, cells, right)


def _plain_table(title: str, head: Sequence[str], cells: list[list[str]], right: list[bool]) -> None:
    lines = [list(head), *cells] if any(head) else cells
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    print(f"\n{title}" if title else "")
    for line in lines:
        padded = [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(line, widths, right, strict=True)
        ]
        print(f"  {'  '.join(padded)}".rstrip())


def _rich_table(title: str, head: Sequence[str], cells: list[list[str]], right: list[bool]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=Text(title, "bold"), title_justify="left", box=box.SIMPLE_HEAD, show_header=any(head))
    for name, number in zip(head, right, strict=True):
        grid.add_column(Text(name), justify="right" if number else "left")
    for row in cells:
        grid.add_row(*(Text(text) for text in row))  # as it stands: no markup
    Console().print(grid)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        small = value and abs(value) < 1e-3
        return f"{value:.2e}" if small else f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _data(facts: Facts) -> None:
    rows, classes = facts["rows"], facts["classes"]
    parts = {kind: len(facts[kind]) for kind in ("numbers", "categories", "dates", "texts")}
    columns, named = sum(parts.values()), ", ".join(f"{n} {kind}" for kind, n in parts.items() if n)
    lines = [
        ("rows", f"{rows['train']:,} to learn from, {rows['test']:,} held out for the scores"),
        ("columns", f"{columns}: {named}"),
        ("missing", f"{facts['missing']:,} of {rows['train'] * columns:,} cells"),
        ("target", f"{facts['target']}: {facts['task']} ({facts['reason']})"),
    ]
    if classes:
        lines.append(("classes", _shares(classes)))
    if rows["unlabelled"]:
        lines.append(("left out", f"{rows['unlabelled']:,} rows without a target"))
    lines += [("note", note) for note in facts["notes"]]
    table(facts["title"], ("", ""), lines)
    _columns(facts)


def _shares(classes: dict[str, int]) -> str:
    total = sum(classes.values())
    shown = [f"{name} {count / total:.1%}" for name, count in list(classes.items())[:8]]
    return ", ".join(shown) + (f", … ({len(classes)} classes)" if len(classes) > 8 else "")


def _columns(facts: Facts) -> None:
    rows = [(c["name"], c["kind"], c["missing"], "") for c in facts["numbers"]]
    rows += [(c["name"], f"{c['levels']:,} levels", c["missing"], "") for c in facts["categories"]]
    rows += [(c["name"], c["kind"], c["missing"], "") for c in facts["dates"]]
    rows += [(c["name"], "text", c["missing"], "") for c in facts["texts"]]
    rows += [(c["name"], "not used", 0, c["reason"]) for c in facts["dropped"]]
    table("columns, as inferred", ("name", "kind", "missing", ""), rows[:COLUMNS])
    if len(rows) > COLUMNS:
        print(f"  … and {len(rows) - COLUMNS} more")


def _sweep(facts: Facts) -> None:
    found, (trained, members) = facts["configurations"], facts["members"]
    rows = [[_named(facts, row["config"]), *list(row.values())[1:]] for row in found[:COLUMNS]]
    title = f"{len(found)} configurations on {facts['folds']} folds, the best {facts['monitor']} first"
    table(title, ("", *list(found[0])[1:]), rows)
    ended = f"; {facts['ended']}" if facts["ended"] else ""
    print(f"\n  {trained} of {members} trained in {facts['seconds']:.1f} s{ended}")
    if facts["best"] == facts["default"]:
        print("  nothing tried is better than the defaults")
    elif facts["against_default"]:
        gap = facts["against_default"]
        print(
            f"  the best and the defaults differ by {gap['difference']:.4f} ± {gap['error']:.4f} "
            f"(p = {gap['p_value']:.2f}, not corrected for the choice of the best)"
        )


def _named(facts: Facts, config: int) -> str:
    return "defaults" if config == facts["default"] else f"{config}"


def _training(facts: Facts) -> None:
    hyper, rows = facts["hyper"], facts["rows"]
    best = ", ".join(f"{name.removeprefix('valid_')} {value:.4f}" for name, value in facts["best"].items())
    devices = "batch spread over all devices" if facts["sharded"] else "one device"
    lines = [
        ("network", f"{facts['network']}, {facts['parameters']:,} parameters"),
        ("rows", f"{rows['train']:,} train, {rows['valid']:,} choose the epoch"),
        ("schedule", f"{hyper['epochs']} epochs in batches of {hyper['batch_size']}"),
        ("placement", f"{devices}: {facts['placement']}"),
        ("compile", f"{facts['compile_seconds']:.1f} s"),
        ("training", f"{facts['training_seconds']:.1f} s, {facts['rows_per_second']:,} rows/s"),
        ("memory", "unknown" if facts["peak_mib"] is None else f"{facts['peak_mib']:,} MiB at the peak"),
        ("best epoch", f"{facts['best_epoch']}; there, on the rows that chose it: {best}"),
    ]
    table("training", ("", ""), lines)


def _scores(facts: Facts) -> None:
    names = list(facts["of"]["jdl"])
    rows = [(NAMES[name], *values.values()) for name, values in facts["of"].items()]
    title = f"scores on {facts['rows']:,} held-out rows"
    if facts["positive"] is not None:
        title += f" (precision, recall and F1 of {facts['positive']!r})"
    table(title, ("", *names), rows)


def _saved(facts: Facts) -> None:
    lines = [
        ("model", facts["folder"]),
        ("report", f"{facts['folder']}/report.html"),
        ("use it", f"jdl predict {shlex.quote(facts['folder'])} TABLE --out predictions.csv"),
        ("took", f"{facts['seconds']:.1f} s in all"),
    ]
    table("saved", ("", ""), lines)


_SHOW = {"sweep": _sweep, "data": _data, "training": _training, "scores": _scores, "saved": _saved}
