"""One job from a table to a saved model: each stage gives the facts it found."""

import hashlib
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import polars as pl
from numpy.typing import NDArray

import jdl
from jdl import models, nn, train
from jdl.cli.settings import overridden
from jdl.cli.show import NAMES, status
from jdl.data import Schema, holdout
from jdl.data.targets import shown
from jdl.io import Model, save
from jdl.io.files import check_destination
from jdl.report import report, scores
from jdl.train.log import progress

VALID = 0.1  # of the training rows, cut off to choose the best epoch

Facts = dict[str, Any]


class Study(NamedTuple):
    """What is asked for: rows to train on and rows to score, all labelled."""

    name: str
    title: str
    train: pl.DataFrame
    test: pl.DataFrame
    schema: Schema
    out: Path
    seed: int
    hyper: Mapping[str, Any]  # given in the place of the defaults
    network: str | None
    unlabelled: int = 0
    reason: str = ""
    command: str = ""


def study(job: Study) -> Iterator[tuple[str, Facts]]:
    """Train, score and save; give ``(stage, facts)`` after each stage. Test rows are only scored."""
    began = time.perf_counter()
    models.check_network(job.network or models.DEFAULT)
    check_destination(job.out)  # before the work, not after it
    schema = job.schema
    rows, target = schema.encode(job.train), schema.encode_target(job.train)
    yield "data", _data(job, schema, target)

    kept, held = holdout(target, VALID, job.seed, stratify=schema.task == "classification")
    data, valid = ({"x": _take(rows, part), "y": target[part]} for part in (kept, held))
    model, facts = _train(job, schema, data, valid)
    yield "training", facts

    with status("scoring the test rows"):
        found, others = _scores(job, model, data)
    yield "scores", found

    with status("writing the report"):
        made = {name: facts[name] for name in ("compile_seconds", "training_seconds", "peak_mib")}
        model = replace(model, metrics=found["of"]["jdl"], data=_fingerprint(job, rows, target) | made)
        page = report(model, job.test, others, job.title, job.command)
    save(model, job.out, page)
    seconds = time.perf_counter() - began
    yield "saved", {"folder": str(job.out), "seconds": round(seconds, 2)}


def fitted_rows(job: Study) -> int:
    """Count the rows that the network learns from: without those that choose the epoch."""
    rows = job.schema.encode_target(job.train)
    return len(holdout(rows, VALID, job.seed, stratify=job.schema.task == "classification")[0])


def _train(job: Study, schema: Schema, data: Facts, valid: Facts) -> tuple[Model, Facts]:
    network = job.network or models.DEFAULT
    recipe, hyper = models.recipe(schema, len(data["y"]), network)
    hyper = overridden(hyper, job.hyper)
    key = jax.random.key(job.seed)
    with status("compiling"):
        program = train.compiled(recipe, hyper, key, data, valid, reported=True)
    began = time.perf_counter()
    with progress(hyper["epochs"]) as show:
        run = jdl.run(recipe, hyper, key, data, valid, report=lambda epoch, row: show(epoch + 1, row))
    seconds = time.perf_counter() - began
    model = Model.of(schema, network, hyper, run)
    best = int(run.history["best_epoch"])
    facts = {
        "network": network,
        "parameters": nn.count(model.params),
        "rows": {"train": len(data["y"]), "valid": len(valid["y"])},
        "hyper": hyper,
        "placement": program.placement.reason,
        "sharded": program.placement.sharded,
        "compile_seconds": round(program.compile_seconds, 2),
        "training_seconds": round(seconds, 2),
        "rows_per_second": round(hyper["epochs"] * len(data["y"]) / seconds),
        "peak_mib": _peak(),
        "best_epoch": best + 1,
        "best": {name: value for name, value in model.history[best].items() if name.startswith("valid_")},
    }
    return model, facts


def _scores(job: Study, model: Model, data: Facts) -> tuple[Facts, Facts]:
    schema, rows, target = model.schema, model.schema.encode(job.test), model.schema.encode_target(job.test)
    began = time.perf_counter()
    outputs = model.predict_rows(rows)
    seconds = time.perf_counter() - began
    two = schema.task == "classification" and len(schema.classes) == 2
    constant, simple = ("mean", "ridge") if schema.task == "regression" else ("majority", "logistic")
    contenders = {
        "jdl": outputs,
        "trees": scores.trees(schema, data["x"], data["y"], rows),
        simple: scores.linear(schema, data["x"], data["y"], rows),
        constant: scores.without_model(schema, data["y"], len(target)),
    }
    facts = {
        "rows": len(target),
        "positive": shown(schema.classes[1]) if two else None,
        "of": {name: scores.score(schema, found, target) for name, found in contenders.items()},
        "predict_seconds": round(seconds, 2),
    }
    return facts, {NAMES[name]: contenders[name] for name in ("trees", simple, constant)}


def _data(job: Study, schema: Schema, target: NDArray) -> Facts:
    classes = schema.classes if schema.task == "classification" else ()
    counts: Any = np.bincount(target, minlength=len(classes)) if classes else []
    return {
        "title": job.title,
        "target": ", ".join(part.name for part in schema.targets),
        "task": schema.task,
        "reason": job.reason or schema.target.reason,
        "classes": {shown(name): int(n) for name, n in zip(classes, counts, strict=True)},
        "rows": {"train": job.train.height, "test": job.test.height, "unlabelled": job.unlabelled},
        "missing": sum(c.missing for c in schema.columns),
        "numbers": [{"name": c.name, "kind": c.kind, "missing": c.missing} for c in schema.numbers],
        "categories": [
            {"name": c.name, "levels": len(c.levels), "missing": c.missing} for c in schema.categories
        ],
        "dates": [{"name": c.name, "kind": c.kind, "missing": c.missing} for c in schema.dates],
        "texts": [{"name": c.name, "missing": c.missing} for c in schema.texts],
        "dropped": [{"name": c.name, "reason": c.reason} for c in schema.dropped],
        "notes": list(schema.notes),
    }


def _fingerprint(job: Study, rows: dict[str, NDArray], target: NDArray) -> Facts:
    """Describe the training rows so that the same ones can be told again."""
    content = hashlib.sha256()
    for values in (*(rows[name] for name in ("numbers", "categories", "dates", "texts")), target):
        content.update(np.ascontiguousarray(values).tobytes())
    return {"name": job.name, "rows": len(target), "seed": job.seed, "sha256": content.hexdigest()}


def _peak() -> int | None:
    """Give the MiB the run took at its peak: on an accelerator its memory, else the whole process's."""
    device = jax.local_devices()[0].memory_stats()
    if device and "peak_bytes_in_use" in device:
        return round(device["peak_bytes_in_use"] / 2**20)
    if sys.platform == "win32":  # which has no such count
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 2**10  # bytes
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


def _take(rows: dict[str, NDArray], part: NDArray) -> dict[str, NDArray]:
    return {name: values[part] for name, values in rows.items()}
