"""Record what the published RealMLP computes, for ``test_realmlp_oracle.py``: writes ``realmlp.safetensors``.

Needs pytabkit 1.7.3 (with PyTorch 2.13.0, on the CPU), which the tests do not install:

    python -m venv scratch && scratch/bin/pip install torch==2.13.0 pytabkit==1.7.3 safetensors
    scratch/bin/python tests/models/record_realmlp.py

Tiny networks are trained for six steps without dropout. Kept are the rows, raw and prepared; the random draws
of initialising and what they lead to; the order of the rows; the parameters and predictions in the end.
"""

from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import torch
from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor
from pytabkit.models.data import data
from pytabkit.models.training.lightning_callbacks import ModelCheckpointCallback
from pytabkit.models.training.lightning_modules import TabNNModule
from pytabkit.models.training.scheduling import get_schedule
from safetensors.numpy import save_file

ROWS, VALID = 48, 4
SETTINGS = {
    "hidden_sizes": [5, 4],
    "plr_hidden_1": 3,
    "plr_hidden_2": 3,
    "embedding_size": 2,
    "n_epochs": 2,
    "batch_size": 16,
    "p_drop": 0.0,
    "n_threads": 1,
    "device": "cpu",
    "random_state": 0,
}
LEVELS = {"two": 2, "four": 4, "many": 12}  # the categories by their number of levels


def main() -> None:
    kept = {
        **case("mixed classes", RealMLP_TD_Classifier, 3, ("two", "many", "four"), classes=3),
        **case("categories", RealMLP_TD_Classifier, 0, ("two", "many", "four"), classes=2),
        **case("numbers", RealMLP_TD_Regressor, 3, ()),
        **case("mixed numbers", RealMLP_TD_Regressor, 1, ("many", "two")),
    }
    for name in ("coslog4", "flat_cos"):
        kept[name] = np.array([get_schedule(name).call_time_(t) for t in np.arange(101) / 100], np.float32)
    file = Path(__file__).with_name("realmlp.safetensors")
    save_file({name: np.ascontiguousarray(value) for name, value in kept.items()}, file)
    print(f"{file}: {file.stat().st_size} bytes")


def case(name, make, numbers, categories, classes=None):
    """Train one network, and give what is kept of it by path."""
    rng = np.random.default_rng(len(name))
    frame = table(rng, numbers, categories)
    count = len(frame)
    target = (
        rng.normal(size=count).astype("float32") if classes is None else rng.integers(classes, size=count)
    )
    drawn = {kind: [] for kind in ("order", "weight", "index", "share")}
    begun = {}

    def keep_parameters(module):
        begun.update(parameters(module.model))
        begin(module)

    begin = TabNNModule.on_fit_start
    exponential = torch.distributions.Exponential
    with (
        mock.patch.object(data, "batch_randperm", recording(data.batch_randperm, drawn["order"])),
        mock.patch.object(torch, "randn", recording(torch.randn, drawn["weight"])),
        mock.patch.object(torch, "randint", recording(torch.randint, drawn["index"])),
        mock.patch.object(exponential, "sample", recording(exponential.sample, drawn["share"])),
        mock.patch.object(TabNNModule, "on_fit_start", keep_parameters),
        mock.patch.object(
            ModelCheckpointCallback, "restore", lambda self, module: None
        ),  # keep the last epoch
    ):
        estimator = make(**SETTINGS)
        estimator.fit(frame, target, val_idxs=np.arange(ROWS, count))
    module = estimator.alg_interface_.model
    rows = estimator.x_converter_.transform(frame)
    kept = {"target": target, "output": estimator.alg_interface_.predict(rows).numpy()[0]}
    kept |= {f"raw/{kind}": rows.tensors[f"x_{kind}"].numpy() for kind in ("cont", "cat")}
    kept |= prepared(module, rows)
    kept |= {f"begun/{path}": value for path, value in begun.items()}
    kept |= {f"trained/{path}": value for path, value in parameters(module.model).items()}
    kept["order"] = np.concatenate(drawn["order"])
    layers = len(SETTINGS["hidden_sizes"]) + 1
    for i in range(layers):
        kept[f"drawn/{i}/weight"] = drawn["weight"][i - layers]
        kept[f"drawn/{i}/index"] = drawn["index"][i - layers]
        share = drawn["share"][i - layers]
        kept[f"drawn/{i}/share"] = share / share.sum(1, keepdims=True)
    return {f"{name}/{path}": small(value) for path, value in kept.items()}


def table(rng, numbers, categories):
    frame = pd.DataFrame(index=range(ROWS + VALID))
    for i in range(numbers):
        frame[f"number {i}"] = rng.gamma(2.0, size=len(frame)).astype("float32")
    for name in categories:
        codes = rng.choice(LEVELS[name], len(frame), p=rng.dirichlet(np.ones(LEVELS[name])))
        codes[: LEVELS[name]] = range(LEVELS[name])  # every level occurs
        frame[name] = pd.Categorical([f"{code:02}" for code in codes])
    return frame


def prepared(module, rows):
    """Give the rows as they enter the network: robust numbers, and one-hot columns robust too."""
    inputs = module.creator.static_model.forward_ds(
        rows.split_xy()[0] if "y" in rows.tensors else rows
    ).tensors
    inputs = {name: value[None] for name, value in inputs.items()}
    numbers, categories = module.model.tfms[0].layers
    out = {}
    for name, part in (("numbers", numbers), ("flat", categories)):
        tensors = inputs
        for step in part.tfms:
            embeds = step.__class__.__name__.startswith("PLR")
            if embeds:
                break
            if hasattr(step, "tfms"):
                for inner in step.tfms:
                    last = inner.__class__.__name__ == "EncodingLayer" and inner.enc_output_name == "x_cont"
                    if last:
                        break
                    tensors = inner(tensors)
            else:
                tensors = step(tensors)
        out[f"prepared/{name}"] = tensors["x_cont"].detach().numpy()[0]
    return out


def parameters(model):
    return {str(p.context.scope): p.detach().clone().numpy()[0] for p in model.parameters()}


def recording(function, into):
    """Make a function that keeps what it gives."""

    def recorded(*args, **kwargs):
        given = function(*args, **kwargs)
        into.append(given.detach().clone().numpy())
        return given

    return recorded


def small(value):
    return value.astype("int32" if value.dtype.kind in "iu" else "float32")


if __name__ == "__main__":
    main()
