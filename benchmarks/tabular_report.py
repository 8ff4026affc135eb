"""The printed form of the tables benchmark: a table of scores each, verdicts on jdl, ranks over all."""

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import NamedTuple

from tabular_peers import CONTENDERS
from tabular_results import Results, Run

LOWER = ("rmse", "mae", "log_loss")  # better where lower
SHOWN = {
    "accuracy": ("accuracy", "log_loss", "auc"),
    "auc": ("auc", "log_loss", "accuracy"),
    "ap": ("ap", "log_loss", "auc", "accuracy"),
    "rmse": ("rmse", "r2"),
}
WIDTH = 24


class Summary(NamedTuple):
    """Mean and standard deviation of a score over seeds; the deviation is None for one seed."""

    mean: float
    sd: float | None
    seeds: int


def report(results: Results, tables: Sequence[str], contenders: Sequence[str]) -> str:
    """Lay everything out."""
    found = {
        table: {name: runs for name in contenders if (runs := results.of(table, name))}
        for table in tables
        if table in results.tables
    }
    found = {table: rows for table, rows in found.items() if rows}
    parts = [_table(results, table, rows) for table, rows in found.items()]
    return "\n".join([*parts, _ranks(results, found)])


def summary(runs: Sequence[Run], score: str) -> Summary:
    """Summarise a score over the runs of one contender."""
    values = [run["scores"][score] for run in runs]
    return Summary(mean(values), stdev(values) if len(values) > 1 else None, len(values))


def verdict(ours: Summary, best: Summary, score: str) -> tuple[float, float | None]:
    """Give by how much ours is better (below 0: worse), and the standard error of that over seeds.

    Where one side has a single seed, it is taken to vary as the other does; where both have, nobody knows.
    """
    gain = best.mean - ours.mean if score in LOWER else ours.mean - best.mean
    known = [each.sd for each in (ours, best) if each.sd is not None]
    if not known:
        return gain, None
    variances = ((each.sd if each.sd is not None else known[0]) ** 2 / each.seeds for each in (ours, best))
    return gain, math.sqrt(sum(variances))


def ranks(values: dict[str, float], lower: bool) -> dict[str, float]:
    """Rank from 1, the best; those that tie share the mean of their ranks."""
    order = {name: value if lower else -value for name, value in values.items()}
    return {
        name: 1 + sum(o < mine for o in order.values()) + (sum(o == mine for o in order.values()) - 1) / 2
        for name, mine in order.items()
    }


def _table(results: Results, table: str, rows: dict[str, list[Run]]) -> str:
    facts = results.tables[table]
    main, shown = facts["main"], SHOWN[facts["main"]]
    means = {name: summary(runs, main).mean for name, runs in rows.items()}
    ordered = sorted(rows, key=means.__getitem__, reverse=main not in LOWER)
    error = mean(run["test_error"] for run in rows[ordered[0]])
    count = facts["rows"]
    lines = [
        f"\n{table}: {count['train']:,} training and {count['test']:,} test rows, "
        f"{facts['columns']} columns; other test rows would move {main} by ± {_digits(error, main)}",
        f"{'':{WIDTH}}"
        + "".join(f"{name:>18}" for name in shown)
        + "".join(f"{name:>9}" for name in ("cold s", "warm s", "cpu s", "MiB", "seeds")),
    ]
    lines += [_row(name, rows[name], shown) for name in ordered]
    on_gpu = {name: gpu for name in ordered for run in rows[name] if (gpu := run.get("gpu"))}
    lines += [f"  {name}: on an {gpu}; its seconds compare with no other's" for name, gpu in on_gpu.items()]
    said = {name: results.notes.get(f"{table}/{name}") for name in CONTENDERS}
    absent = [name for name, text in said.items() if text and CONTENDERS[name].deep and name not in rows]
    lines += _verdicts(rows, main, absent)
    return "\n".join(lines + [f"  {name}: {text}" for name, text in said.items() if text])


def _row(name: str, runs: list[Run], shown: Sequence[str]) -> str:
    cells = []
    for score in shown:
        found = summary(runs, score)
        spread = "" if found.sd is None else f" ± {_digits(found.sd, score)}"
        cells.append(f"{_digits(found.mean, score) + spread:>18}")
    times = ([run["seconds"] for run in runs if run["cold"] is cold] for cold in (True, False))
    used = [run["cpu"] for run in runs if "cpu" in run]  # of all threads, whatever else ran
    cells += [f"{mean(each):9.1f}" if each else f"{'':9}" for each in (*times, used)]
    cells += [f"{max(run['mib'] for run in runs):9}", f"{len(runs):9}"]
    mark = "*" if CONTENDERS[name].deep else " "
    return f"{name + ' ' + mark:{WIDTH}}" + "".join(cells)


def _digits(value: float, score: str) -> str:
    return f"{value:.2f}" if score in ("rmse", "mae") and value > 5 else f"{value:.4f}"


def _verdicts(rows: dict[str, list[Run]], main: str, absent: list[str]) -> list[str]:
    """Say of each network of jdl how far it is from the best deep model of others that was run."""
    peers = [name for name in rows if CONTENDERS[name].deep and not name.startswith("jdl")]
    if not peers:
        return []
    order = {name: summary(rows[name], main).mean for name in peers}
    best = min(peers, key=order.__getitem__) if main in LOWER else max(peers, key=order.__getitem__)
    lines = []
    for name in rows:
        if not name.startswith("jdl"):
            continue
        gain, error = verdict(summary(rows[name], main), summary(rows[best], main), main)
        if error is None:
            word = "one seed each, so nobody knows"
        elif gain >= -error:
            word = "yes" if gain <= error else "yes, better"
        else:
            word = "no"
        shown = "" if error is None else f", standard error {error:.4f}"
        missing = f"; not run: {', '.join(absent)}" if absent else ""
        lines.append(f"  {name} within one standard error of {best}: {word} ({gain:+.4f}{shown}{missing})")
    return lines


def _ranks(results: Results, found: dict[str, dict[str, list[Run]]]) -> str:
    """Give mean ranks, by the main score and by the loss, among all and among deep models."""
    deep = {name for name, contender in CONTENDERS.items() if contender.deep}
    columns: list[dict[str, list[float]]] = []
    for by_loss in (False, True):
        for among in (deep, set(CONTENDERS)):
            places: dict[str, list[float]] = {}
            for table, rows in found.items():
                score = results.tables[table]["main"]
                if by_loss and results.tables[table]["task"] == "classification":
                    score = "log_loss"
                values = {name: summary(runs, score).mean for name, runs in rows.items() if name in among}
                for name, place in ranks(values, score in LOWER).items():
                    places.setdefault(name, []).append(place)
            columns.append(places)
    heads = ("main, deep", "main, all", "loss, deep", "loss, all", "tables")
    lines = [f"\n{'mean rank (* deep)':{WIDTH}}" + "".join(f"{head:>12}" for head in heads)]
    for name in sorted(columns[1], key=lambda name: mean(columns[1][name])):
        cells = (f"{mean(column[name]):.2f}" if name in column else "" for column in columns)
        mark = "*" if name in deep else " "
        row = [*cells, str(len(columns[1][name]))]
        lines.append(f"{name + ' ' + mark:{WIDTH}}" + "".join(f"{cell:>12}" for cell in row))
    return "\n".join(lines)
