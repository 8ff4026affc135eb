"""The sections of a report, each from the model and the rows it is judged on."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from jdl.data import Schema
from jdl.data.targets import shown
from jdl.io import Model
from jdl.report import draw, html, judge, slices
from jdl.report.scores import score

POINTS = 200  # of a curve
CLOUD = 800  # points of a scatter plot
IMPORTANT = 1000  # rows by which the importance of columns is judged
BINS = 10  # of the calibration plot


class Judged(NamedTuple):
    """A model and rows it was not trained on: as a frame and encoded, what is true, and what is predicted."""

    model: Model
    frame: pl.DataFrame
    rows: dict[str, NDArray]
    target: NDArray
    outputs: NDArray
    others: Mapping[str, NDArray]  # outputs of other models

    @property
    def schema(self) -> Schema:
        """The model's schema."""
        return self.model.schema


def verdict(judged: Judged) -> str:
    """Say in a sentence whether the network is worth it: by its loss against the best of the others."""
    schema, target = judged.schema, judged.target
    own = judge.losses(schema, judged.outputs, target)
    if not judged.others:
        return "Nothing else was trained on the same rows, so whether a network is worth it is not known."
    each = {name: judge.losses(schema, found, target) for name, found in judged.others.items()}
    name = min(each, key=lambda other: each[other].mean())
    gap = judge.difference(each[name], own)
    share = 100 * abs(gap.value) / each[name].mean()
    what = "squared error" if schema.task == "regression" else "log-loss"
    if gap.low > 0:
        return f"Deep learning is worth it here: its {what} is {share:.0f} % below that of the {name}."
    if gap.high < 0:
        return f"Deep learning is not worth it here: the {name} has a {what} {share:.0f} % lower. Take that."
    return (
        f"Deep learning is not clearly better here: its {what} and that of the {name} do not differ by more "
        "than chance on these rows. Take what is easier to explain."
    )


def scores(judged: Judged) -> str:
    """Give every score of the network with its interval, and those of the other models."""
    own = judge.intervals(judged.schema, judged.outputs, judged.target)
    rows = [["jdl", *(f"{one.value:.4f} ({one.low:.4f}–{one.high:.4f})" for one in own.values())]]
    for name, outputs in judged.others.items():
        found = score(judged.schema, outputs, judged.target)
        rows.append([name, *(f"{found[each]:.4f}" for each in own)])
    said = f"On {len(judged.target):,} rows not trained on; in brackets the 95 % interval (bootstrap)."
    return html.section("Scores", html.text(said, "soft"), html.table(["", *own], rows))


def columns(judged: Judged) -> str:
    """Say what each column is, how much of it is missing and how its values lie."""
    schema, rows = judged.schema, judged.rows
    found = [
        _ordered(number.name, number.kind, rows["numbers"][:, i]) for i, number in enumerate(schema.numbers)
    ]
    for i, category in enumerate(schema.categories):
        codes = rows["categories"][:, i]
        counts = np.sort(np.bincount(codes, minlength=1 + len(category.levels))[1:])[::-1][:24]
        says = f"category of {len(category.levels)}"
        found.append([category.name, says, 100 * float((codes == 0).mean()), _spark(category.name, counts)])
    found += [_ordered(date.name, date.kind, slices.days(rows, i)) for i, date in enumerate(schema.dates)]
    found += [_ordered(part.name, "text", slices.lengths(judged.frame, part.name)) for part in schema.texts]
    dropped = [f"{part.name} ({part.reason})" for part in schema.dropped]
    notes = [html.text("Left out: " + "; ".join(dropped), "soft")] if dropped else []
    notes += [html.text(note, "soft") for note in schema.notes]
    head = ["column", "kind", "missing or unseen, %", "values"]
    return html.section("Data", html.table(head, found), *notes)


def curves(judged: Judged) -> str:
    """Draw what training saw, epoch by epoch."""
    history = judged.model.history
    if not history:
        return ""
    names = [name for name in history[0] if f"valid_{name}" in history[0]]
    epochs = np.arange(1, len(history) + 1)
    drawn = []
    for name in names or [name for name in history[0] if not name.startswith("valid_")]:
        kinds = [(name, "training")] + ([(f"valid_{name}", "held out")] if names else [])
        shown_lines = [(said, epochs, np.array([row[kind] for row in history])) for kind, said in kinds]
        last = ", ".join(f"{said} {ys[-1]:.4g}" for said, _, ys in shown_lines)
        drawn.append((name, draw.lines(shown_lines, f"{name} by epoch; at the end {last}", ("epoch", name))))
    return html.section("Learning", html.figures(*drawn))


def errors(judged: Judged) -> str:
    """Draw how predictions and truth go together."""
    drawn = _of_classes(judged) if judged.schema.task == "classification" else _of_numbers(judged)
    return html.section("Predictions and truth", html.figures(*drawn)) if drawn else ""


def reasons(judged: Judged) -> str:
    """Rank columns by how much worse the loss is without them."""
    some = np.random.default_rng(0).permutation(len(judged.target))[:IMPORTANT]
    rows = {name: values[some] for name, values in judged.rows.items()}
    found = judge.importance(judged.model.predict_rows, judged.schema, rows, judged.target[some])
    what = "squared error" if judged.schema.task == "regression" else "log-loss"
    said = f"By how much the {what} grows where a column's values are shuffled among the rows (3 times)."
    table = html.table(["column", f"{what} grows by", "standard error"], found[:30])
    return html.section("What it goes by", html.text(said, "soft"), table)


def weaknesses(judged: Judged) -> str:
    """Show parts of the rows, and rows, that are predicted badly."""
    schema = judged.schema
    greater = schema.task != "regression"
    values = judge.right(schema, judged.outputs, judged.target)
    found = slices.weak(schema, judged.frame, judged.rows, values, greater=greater)
    what = "accuracy" if greater else "mean absolute error"
    rows = [[one.name, one.rows, one.inside, one.outside, one.errors] for one in found]
    head = ["rows where", "rows", what, "of the others", "standard errors apart"]
    said = "No level of a category, no quarter of a number, date or text is clearly worse than the others."
    parts = [html.table(head, rows) if rows else html.text(said)]
    loss = judge.losses(schema, judged.outputs, judged.target)
    worst = slices.worst(judged.frame, loss, schema.decode(judged.outputs).to_series(0))
    goals = [part.name for part in schema.targets]
    kept = ["row", "predicted", *goals, *(part.name for part in schema.columns)][:14]
    shown_rows = [[_plain(value) for value in row] for row in worst.select(kept).iter_rows()]
    parts += ["<h3>The rows that were predicted worst</h3>", html.table(kept, shown_rows)]
    return html.section("Where it is weak", *parts)


def _of_classes(judged: Judged) -> list[tuple[str, str]]:
    names = [shown(name) for name in judged.schema.classes]
    chosen, target = judged.outputs.argmax(1), judged.target
    counts = confusion_matrix(target, chosen, labels=range(len(names)))
    right = f"{(chosen == target).mean():.1%} of the rows are on the diagonal"
    drawn = [("Confusion", draw.grid(counts, names, f"Confusion matrix: {right}"))]
    if len(names) == 2 and 0 < target.sum() < len(target):
        drawn += _of_two(judged.outputs[:, 1], target, names[1])
    sure, hit = judged.outputs.max(1), (chosen == target).astype(float)
    if len(names) == 2:
        sure, hit = judged.outputs[:, 1], target.astype(float)
    xs, ys, gap = _calibration(sure, hit)
    says = f"Calibration: predicted and observed shares differ by {gap:.3f} in the mean"
    labels = ("predicted probability", "observed share")
    line = draw.lines([("", xs, ys)], says, labels, (0.0, 1.0), (0.0, 1.0), diagonal=True, dots=True)
    return [*drawn, ("Calibration", line)]


def _of_two(probability: NDArray, target: NDArray, name: str) -> list[tuple[str, str]]:
    one = (0.0, 1.0)
    false, true, _ = roc_curve(target, probability)
    precision, recall, _ = precision_recall_curve(target, probability)
    at, also = (np.unique(np.linspace(0, len(xs) - 1, POINTS).astype(int)) for xs in (false, recall))
    area = float(np.trapezoid(true, false))
    roc = [("", false[at], true[at])]
    kept = [("", recall[also], precision[also])]
    labels = ("false positives", "true positives")
    return [
        ("ROC", draw.lines(roc, f"ROC curve of {name}: area {area:.4f}", labels, one, one, diagonal=True)),
        (
            "Precision and recall",
            draw.lines(
                kept, f"Precision by recall of {name}; {target.mean():.1%} of the rows are {name}",
                ("recall", "precision"), one, one,
            ),
        ),
    ]  # fmt: skip


def _of_numbers(judged: Judged) -> list[tuple[str, str]]:
    if judged.schema.task == "multilabel":
        return []
    drawn = []
    true = judged.target.reshape(len(judged.target), -1)
    found = judged.outputs.reshape(true.shape)
    some = np.random.default_rng(0).permutation(len(true))[:CLOUD]
    for i, part in enumerate(judged.schema.targets):
        known, guess = (values[:, i].astype(float) * part.scale + part.offset for values in (true, found))
        linked = np.corrcoef(known, guess)[0, 1] if known.std() and guess.std() else 0.0
        says = f"Predicted and true {part.name}: correlation {linked:.3f}"
        drawn.append((part.name, draw.points(known[some], guess[some], says, ("true", "predicted"))))
        rest = guess - known
        low, high = np.percentile(rest, [2.5, 97.5])
        says = f"Errors of {part.name}: 95 % of them from {low:.4g} to {high:.4g}"
        drawn.append((f"{part.name}: errors", draw.histogram(rest, says, "predicted less true")))
    return drawn


def _calibration(sure: NDArray, hit: NDArray) -> tuple[NDArray, NDArray, float]:
    """Give mean probability and observed share of bins of equally many rows, and their mean distance."""
    groups = np.array_split(np.argsort(sure, kind="stable"), min(BINS, len(sure)))
    xs, ys = (np.array([values[rows].mean() for rows in groups]) for values in (sure, hit))
    return xs, ys, float(np.average(np.abs(xs - ys), weights=[len(rows) for rows in groups]))


def _ordered(name: str, kind: str, values: NDArray) -> list[Any]:
    """Give the row of a column whose values have an order; NaN is what is missing."""
    there = values[np.isfinite(values)]
    counts = np.histogram(there, 16)[0] if len(there) else np.zeros(1)
    return [name, kind, 100 * (1 - len(there) / len(values)), _spark(name, counts)]


def _spark(name: str, counts: NDArray) -> html.Raw:
    return html.Raw(draw.spark(counts, f"how the values of {name} lie"))


def _plain(value: Any) -> Any:
    if value is None:
        return "–"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return draw.cut(shown(value) if isinstance(value, bool) else str(value), 40)
