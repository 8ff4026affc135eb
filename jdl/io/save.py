"""A model as a folder that holds data alone: names, numbers and arrays."""

import json
import math
import os
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import numpy as safetensors

import jdl
from jdl import disk, tree
from jdl.io import files
from jdl.io.model import Model
from jdl.train.log import metrics_log


def save(model: Model, folder: str | os.PathLike, report: str | None = None) -> None:
    """Write ``model`` as a folder: ``model.json``, ``weights.safetensors``, and ``metrics.jsonl`` by epoch.

    A ``report``, as ``jdl.report`` makes one, goes beside them as ``report.html``.

    The folder gets its name once all of it is on the disk. A model that stands there is replaced at that
    moment; where writing fails it stays as it was.

    Raises:
        ModelError: something else stands there, or the disk is full.
    """
    body = {
        "format": files.FORMAT,
        "network": model.network_name,
        "hyper": dict(model.hyper),
        "schema": json.loads(model.schema.to_json()),
        "metrics": finite(model.metrics),
        "data": finite(model.data),
        "versions": {"jdl": jdl.__version__} | {name: metadata.version(name) for name in ("jax", "numpy")},
    }
    with files.new_folder(Path(folder)) as new:
        disk.write(new / files.WEIGHTS, safetensors.save(named_arrays(model)))
        with metrics_log(new / files.METRICS) as append:
            for epoch, row in enumerate(model.history):
                append(epoch, row)
        if report is not None:
            disk.write(new / files.REPORT, report.encode())
        files.write_description(new, body)


def named_arrays(model: Model) -> dict[str, np.ndarray]:
    """Give every array of a model by its path: ``params/body/dense/w``."""
    whole = {"params": model.params, "state": model.state, "stats": model.stats}
    # safetensors puts the elements of an array that is not contiguous in the wrong places.
    return {path: np.ascontiguousarray(leaf).reshape(np.shape(leaf)) for path, leaf in tree.items(whole)}


def finite(value: Any) -> Any:
    """Write what JSON lacks, NaN and infinity, as null."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
